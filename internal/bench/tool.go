package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A tool is a tracer that runs: ipctrace or a peer of it.
type tool struct {
	cmd   *exec.Cmd
	name  string
	began time.Time
	ready time.Duration // from its start until it was attached
	said  said
}

// said is what a tool says on stderr, and a channel that closes when a word is in it.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
	word string
	once sync.Once
	told chan struct{}
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.word != "" && bytes.Contains(s.text.Bytes(), []byte(s.word)) {
		s.once.Do(func() { close(s.told) })
	}
	return len(p), nil
}

// words are the beginning of it, in one line.
func (s *said) words() string {
	words := strings.Join(strings.Fields(s.String()), " ")
	return words[:min(len(words), 300)]
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// command is one that does not outlive this program.
func command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // Ctrl-C is for this program alone
	cmd.WaitDelay = time.Second
	return cmd
}

// startTool runs a tool that says word on stderr when it is attached; "" for one
// that does not say. stdout nil is /dev/null.
func startTool(ctx context.Context, word string, stdout *os.File, argv ...string) (*tool, error) {
	t := &tool{cmd: command(ctx, argv...), name: argv[0], began: time.Now(), said: said{word: word, told: make(chan struct{})}}
	t.cmd.Stderr = &t.said
	if stdout != nil {
		t.cmd.Stdout = stdout
	}
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	return t, nil
}

const patience = 30 * time.Second

// attached waits until the tool has said so.
func (t *tool) attached() error {
	gone := time.NewTicker(20 * time.Millisecond)
	defer gone.Stop()
	for end := time.After(patience); ; {
		select {
		case <-t.said.told:
			t.ready = time.Since(t.began)
			return nil
		case <-gone.C:
			if t.ended() {
				return t.failed("ended")
			}
		case <-end:
			return t.failed(fmt.Sprintf("was not attached after %v", patience))
		}
	}
}

// ended reports whether it runs no more. It is still to be waited for.
func (t *tool) ended() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, t.cmd.Process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo == int32(unix.SIGCHLD)
}

func (t *tool) failed(how string) error {
	_ = t.cmd.Process.Kill() // or it is gone
	_ = t.cmd.Wait()
	if words := t.said.words(); words != "" {
		return errors.New(words) // it says itself who it is
	}
	return fmt.Errorf("%s %s", t.name, how)
}

// stop has it end as Ctrl-C does, with all it still has to write.
func (t *tool) stop() error {
	kill := time.AfterFunc(2*patience, func() { _ = t.cmd.Process.Kill() })
	defer kill.Stop()
	if err := t.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := t.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", t.name, err, t.said.words())
	}
	return nil
}

// cpu is the processor time that the tool has used, in ns.
func (t *tool) cpu() (float64, error) {
	// CPUCLOCK_SCHED of a process: include/linux/posix-timers.h.
	clock := int32(^t.cmd.Process.Pid<<3 | 2)
	var ts unix.Timespec
	err := unix.ClockGettime(clock, &ts)
	return float64(ts.Nano()), err
}

// used is that of one that has ended.
func (t *tool) used() float64 {
	return float64(t.cmd.ProcessState.UserTime() + t.cmd.ProcessState.SystemTime())
}

// firstLine of a text.
func firstLine(text []byte) string {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Scan()
	return lines.Text()
}
