package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// command is what run starts: a process in this program's own process group, so
// that the terminal treats both as one job.
type command struct {
	args    []string
	path    string
	attr    *os.ProcAttr
	process *os.Process
	began   time.Time
	took    time.Duration

	tree      tree
	signals   chan os.Signal
	strangers map[int]bool // children that this program had before
	ended     bool
	result    unix.WaitStatus
}

// tree is the command and its descendants, as the kernel follows them.
type tree interface {
	Followed() ([]tracer.Process, error)
	Births() (uint32, error)
}

// Signals that are passed on. Those of the terminal reach the command by
// themselves: see passOn.
var passed = []os.Signal{
	unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGALRM,
}

// ignored are the signals that this program was started to ignore, as nohup and
// shells without job control do. The command is to ignore them too.
var ignored = func() (some []os.Signal) {
	for _, s := range passed {
		if signal.Ignored(s) {
			some = append(some, s)
		}
	}
	return some
}()

// Exit statuses of env, nohup and the like, for what they could not start.
const (
	exitNotExecuted = 126
	exitNotFound    = 127
)

func newCommand(c *cobra.Command, args []string, user string) (*command, error) {
	cmd := &command{args: args, signals: make(chan os.Signal, 16), attr: &os.ProcAttr{Env: os.Environ(), Sys: &syscall.SysProcAttr{}}}
	for _, stream := range []any{c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()} {
		file, _ := stream.(*os.File)
		cmd.attr.Files = append(cmd.attr.Files, file)
	}
	if user != "" {
		if err := become(cmd.attr, user); err != nil {
			return nil, err
		}
	}
	_, _ = os.FindProcess(os.Getpid()) // os tries out pidfds once, with a child that must not be the one that is followed
	var err error
	if cmd.path, err = exec.LookPath(args[0]); err != nil && !errors.Is(err, exec.ErrDot) {
		return nil, notStarted(args[0], err)
	}
	return cmd, nil
}

// notStarted says why, with the exit status that goes with it.
func notStarted(name string, err error) error {
	status := exitNotExecuted
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		status = exitNotFound
	}
	var exec *exec.Error
	if errors.As(err, &exec) {
		err = exec.Err
	}
	return fmt.Errorf("start %s: %w%w", name, err, commandStatus(status))
}

// start starts it, unless ctx has ended. Orphans of its descendants become children
// of this program, which then can take their ends.
func (c *command) start(ctx context.Context) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	c.strangers = children()
	signal.Notify(c.signals, passed...) // before it can be expected of this program
	if ctx.Err() != nil {
		return errNotBegun
	}
	if len(ignored) > 0 { // none would be all
		signal.Ignore(ignored...) // handlers do not outlive execve, and this does
		defer signal.Notify(c.signals, ignored...)
	}
	if c.attr.Sys.Credential != nil {
		runtime.LockOSThread() // whose rights the command inherits
		defer runtime.UnlockOSThread()
		if err := leaveNothing(); err != nil {
			return err
		}
	}
	c.began = time.Now()
	process, err := os.StartProcess(c.path, c.args, c.attr)
	if errors.Is(err, unix.ENOEXEC) { // a script that does not say of what: as execvp does
		process, err = os.StartProcess("/bin/sh", append([]string{"/bin/sh", c.path}, c.args[1:]...), c.attr)
	}
	if err != nil {
		return notStarted(c.args[0], err)
	}
	c.process = process
	return nil
}

// wait waits for the end of the command, and unless detach says otherwise of all
// its descendants, and passes signals on. Once the command has ended, a signal
// ends the waiting.
func (c *command) wait(detach bool) error {
	const glance = 20 * time.Millisecond
	over, all := make(chan struct{}), make(chan error, 1)
	go func() { all <- c.reap(over) }()
	ended := over
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		select {
		case <-ended:
			c.ended, ended = true, nil
			c.took = time.Since(c.began)
			if detach {
				return nil
			}
		case err := <-all:
			if err != nil {
				return err
			}
			all = nil
		case <-look.C:
			// Who lives is a child of this program by now, or a descendant of one.
			orphans := all != nil && len(c.strangers) == 0
			if c.ended && !orphans && c.running() == 0 {
				return nil
			}
		case s := <-c.signals:
			if c.ended {
				return nil
			}
			c.passOn(s.(syscall.Signal))
		}
	}
}

// running is how many processes of the command live, itself included; at least one
// where somebody was born while they were counted, and none that was there lives.
func (c *command) running() int {
	before, err1 := c.tree.Births()
	n := c.count()
	after, err2 := c.tree.Births()
	if n == 0 && err1 == nil && err2 == nil && before != after {
		return 1
	}
	return n
}

// count looks at one process after the other. In an inner pid namespace, where the
// hooks' numbers mean nothing, it is those that are this program's children.
func (c *command) count() (n int) {
	followed, err := c.tree.Followed()
	if err != nil || !initialPIDs() {
		for pid := range children() {
			if !c.strangers[pid] {
				n++
			}
		}
		return n
	}
	for _, p := range followed {
		if s, ok := statOf(int(p.PID)); ok && s.lives() && s.start == uint64((p.Start+bootOffset())/tick) {
			n++
		}
	}
	return n
}

// passOn sends a signal to the command, unless it is one of those that the
// terminal sends to the whole group: then the command has got it already.
func (c *command) passOn(s syscall.Signal) {
	if (s == unix.SIGINT || s == unix.SIGQUIT) && inForeground() {
		if group, err := unix.Getpgid(c.process.Pid); err == nil && group == unix.Getpgrp() {
			return
		}
	}
	_ = c.process.Signal(s) // it may have ended by now
}

// inForeground says whether this program's process group is the one that the
// keys of its terminal send signals to.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	return foreground(tty) == unix.Getpgrp()
}

// foreground is the process group that a terminal's keys go to, 0 if there is none.
func foreground(tty *os.File) int {
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	if err != nil {
		return 0
	}
	return group
}

// reap takes the end of every child. It closes over at that of the command, and
// returns when there are no more.
func (c *command) reap(over chan<- struct{}) error {
	ended := false
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WUNTRACED, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD) && ended:
			return nil
		case err != nil:
			return fmt.Errorf("wait for the command: %w", err)
		case pid != c.process.Pid:
		case status.Stopped():
			c.stopToo()
		default:
			c.result, ended = status, true
			close(over)
		}
	}
}

// stopToo stops this program with the command, so that its shell notices, and
// when it goes on lets the command go on. Ctrl-Z has stopped both already: by
// the time this runs, both have been continued. A shell that suspends itself has
// the terminal for a group of its own, and gets it back.
func (c *command) stopToo() {
	const glance = 20 * time.Millisecond // SIGCONT reaches the members of a group one by one
	time.Sleep(glance)
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return // nobody would let it go on
	}
	defer tty.Close()
	if !c.stopped() || unix.Getpid() != unix.Getpgrp() { // likewise: this is no job of its own
		return
	}
	group := foreground(tty)
	goesOn := make(chan os.Signal, 1) // kill returns before all threads have stopped
	signal.Notify(goesOn, unix.SIGCONT)
	defer signal.Stop(goesOn)
	_ = unix.Kill(unix.Getpid(), unix.SIGSTOP)
	<-goesOn
	if group > 0 && foreground(tty) == unix.Getpgrp() {
		_ = unix.IoctlSetPointerInt(int(tty.Fd()), unix.TIOCSPGRP, group) // it may have ended
	}
	_ = c.process.Signal(unix.SIGCONT)
}

// status is the exit status to give: the command's, or 128 and the signal that
// ended it.
func (c *command) status() int {
	if c.result.Signaled() {
		return 128 + int(c.result.Signal())
	}
	return c.result.ExitStatus()
}
