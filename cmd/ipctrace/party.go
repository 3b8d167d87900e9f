package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// A party is one of the two processes of the walk-through. It makes one object
// of each kind when it is told to, and removes them when its stdin closes: also
// when the process that started it was killed.
type party struct {
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// objects are the ids of one object of each kind, all of one key.
type objects struct {
	Key   int32  `json:"key"`
	Msg   int    `json:"msg"`
	Shm   int    `json:"shm"`
	Sem   int    `json:"sem"`
	Error string `json:"error,omitempty"` // absent: all three were made
}

func newParty() *cobra.Command {
	return &cobra.Command{
		Use:    "party",
		Hidden: true,
		Short:  "One of the two processes that prove starts",
		Args:   noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return beParty(c.InOrStdin(), c.OutOrStdout())
		},
	}
}

// beParty answers a line with a key by making the objects.
func beParty(stdin io.Reader, stdout io.Writer) error {
	var made []objects
	defer func() {
		for _, o := range made {
			o.remove()
		}
	}()
	lines := bufio.NewScanner(stdin)
	for lines.Scan() {
		key, err := strconv.ParseInt(lines.Text(), 10, 32)
		if err != nil {
			return usagef("key %q: %v", lines.Text(), err)
		}
		o := makeObjects(int32(key))
		made = append(made, o)
		if err := json.NewEncoder(stdout).Encode(o); err != nil {
			return err
		}
	}
	return lines.Err()
}

const exclusive = unix.IPC_CREAT | unix.IPC_EXCL | 0o600

func makeObjects(key int32) objects {
	o := objects{Key: key, Msg: -1, Shm: -1, Sem: -1}
	var errs [3]error
	o.Msg, errs[0] = get("msgget", unix.SYS_MSGGET, uintptr(key), exclusive, 0)
	o.Shm, errs[1] = get("shmget", unix.SYS_SHMGET, uintptr(key), 4096, exclusive)
	o.Sem, errs[2] = get("semget", unix.SYS_SEMGET, uintptr(key), 3, exclusive)
	if err := errors.Join(errs[:]...); err != nil {
		o.Error = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return o
}

func get(name string, call, a, b, c uintptr) (int, error) {
	id, _, errno := unix.Syscall(call, a, b, c)
	if errno != 0 {
		return -1, fmt.Errorf("%s: %w", name, errno)
	}
	return int(id), nil
}

// remove removes what was made. It makes no get call: the hooks would see it.
func (o objects) remove() {
	for kind, id := range map[string]int{"msg": o.Msg, "shm": o.Shm, "sem": o.Sem} {
		if id >= 0 {
			_ = (&sysvipc.Object{Kind: kind, ID: int32(id)}).Remove()
		}
	}
}

// startParty starts a party, isolated: in a new IPC namespace.
func startParty(name string, isolated bool) (*party, error) {
	p := &party{name: name, cmd: exec.Command(self(), "party")}
	p.cmd.Stderr = os.Stderr
	// A group of its own: Ctrl-C is for this process, which then ends the parties.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if isolated {
		p.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWIPC
	}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(stdout)
	err = p.cmd.Start()
	if isolated && errors.Is(err, unix.EPERM) {
		return nil, fmt.Errorf("%w: a new IPC namespace needs CAP_SYS_ADMIN: run with sudo", errCannot)
	}
	if err != nil {
		return nil, fmt.Errorf("start process %s: %w", name, err)
	}
	return p, nil
}

// self is this program, by its name where that still leads to it: the name is
// what others see of the party.
func self() string {
	if path, err := os.Executable(); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return "/proc/self/exe"
}

func (p *party) pid() int { return p.cmd.Process.Pid }

// patience is how long a party may take for an order, or for its end.
const patience = 5 * time.Second

// make lets the party make its objects.
func (p *party) make(key int32) (objects, error) {
	defer p.killAfter(patience)()
	if _, err := fmt.Fprintln(p.stdin, key); err != nil {
		return objects{}, p.gone()
	}
	if !p.lines.Scan() {
		return objects{}, p.gone()
	}
	var o objects
	if err := json.Unmarshal(p.lines.Bytes(), &o); err != nil {
		return o, fmt.Errorf("process %s: %w", p.name, err)
	}
	if o.Error != "" {
		return o, fmt.Errorf("process %s: %s", p.name, o.Error)
	}
	return o, nil
}

// killAfter ends a party that hangs; what it returns calls that off.
func (p *party) killAfter(d time.Duration) (stop func()) {
	timer := time.AfterFunc(d, func() { _ = p.cmd.Process.Kill() })
	return func() { timer.Stop() }
}

func (p *party) gone() error {
	return fmt.Errorf("process %s[%d] ended before it was told to", p.name, p.pid())
}

// stop lets the party remove what it made and end; if it does not, ends it.
func (p *party) stop() {
	p.stdin.Close()
	defer p.killAfter(patience)()
	for p.lines.Scan() { // what is left must be read before Wait
	}
	_ = p.cmd.Wait()
}
