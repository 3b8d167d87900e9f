package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// droppedName is what this binary is called where it is a program that attaches,
// drops its rights, traces, and answers what it can still do.
const droppedName = "ipctrace-dropped"

// droppedConfig comes in the environment, as JSON.
type droppedConfig struct {
	privilege.Config
	User string // to become before; "": nobody else
}

// droppedAnswer is a line of its stdout beside the events.
type droppedAnswer struct {
	Answer string // what was asked
	Report *privilege.Report
	Error  string // "" if it could be done

	Threads    []string // distinct states
	Namespaces map[uint64]seenNamespace
	Unreadable int
	FDs        int
	Path       string
}

type seenNamespace struct {
	Error, MQ string
	Objects   int
	Pins      int
	Limits    bool
}

func dropped() {
	var cfg droppedConfig
	if err := json.Unmarshal([]byte(os.Getenv("IPCTRACE_DROP")), &cfg); err != nil {
		panic(err)
	}
	if cfg.User != "" {
		if err := privilege.Become(cfg.User); err != nil {
			panic(err)
		}
	}
	t, err := openTrace(context.Background(), tracer.Config{}, stream.Filter{}, container.Sockets{}, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitCannot)
	}
	report, err := privilege.Drop(cfg.Config)
	reply(droppedAnswer{Answer: "drop", Report: &report, Error: text(err)})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			reply(t.ask(lines.Text()))
		}
	}()
	if err := t.follow(ctx, 0, &jsonSink{batch: batch{out: os.Stdout}}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFinding)
	}
	t.Close()
}

func reply(a droppedAnswer) {
	line, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(append(line, '\n'))
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// ask answers one question: a word, and perhaps another one.
func (t *trace) ask(question string) droppedAnswer {
	a := droppedAnswer{Answer: question}
	word, rest, _ := strings.Cut(question, " ")
	switch word {
	case "write":
		a.Error = text(os.WriteFile(rest, []byte("x"), 0o600))
	case "exec":
		a.Error = text(exec.Command(rest).Run())
	case "call":
		a.Error = text(forbidden[rest]())
	case "cgroup":
		id, _ := strconv.ParseUint(rest, 10, 64)
		a.Path, _ = t.resolver.Cgroup(id, math.MaxInt32) // of no process: by the id alone
	case "threads":
		a.Threads = threadStates()
	case "look":
		found, err := snapshot.TakeAll(context.Background(), t.resolver)
		a.Error = text(err)
		if err != nil {
			break
		}
		a.Unreadable, a.FDs = found.Unreadable, found.UnreadableFDs
		a.Namespaces = map[uint64]seenNamespace{}
		for _, n := range found.Namespaces {
			a.Namespaces[n.Inode] = seenNamespace{
				Error: text(n.Err), MQ: text(n.MQ), Objects: len(n.Objects), Pins: len(n.Pins), Limits: n.Limits.SEMMNI.Known,
			}
		}
	default:
		a.Error = "what?"
	}
	return a
}

// forbidden are calls that are refused, with arguments by which they would do no harm,
// and fail otherwise than with EPERM.
var forbidden = map[string]func() error{
	"ptrace":  func() error { return call(unix.SYS_PTRACE, unix.PTRACE_CONT, 1<<30) },
	"vm":      func() error { return call(unix.SYS_PROCESS_VM_READV, 1<<30, 0) },
	"keyctl":  func() error { return call(unix.SYS_KEYCTL, 1<<20, 0) },
	"unshare": func() error { return call(unix.SYS_UNSHARE, 1<<20, 0) },
	"clone":   func() error { return call(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_FS, 0) },
	"setns":   func() error { return call(unix.SYS_SETNS, ^uintptr(0), unix.CLONE_NEWNET) },
	"load":    func() error { return call(unix.SYS_BPF, unix.BPF_PROG_LOAD, 0) },
	"map":     func() error { return call(unix.SYS_BPF, unix.BPF_MAP_CREATE, 0) },
	"perf":    func() error { return call(unix.SYS_PERF_EVENT_OPEN, 0, 0) },
	"clock":   func() error { return call(unix.SYS_CLOCK_SETTIME, 1<<20, 0) },
	"uring":   func() error { return call(unix.SYS_IO_URING_SETUP, 0, 0) },
	"type":    func() error { return call(unix.SYS_IOCTL, ^uintptr(0), unix.TIOCSTI) },
	"watch":   func() error { return call(unix.SYS_FANOTIFY_MARK, ^uintptr(0), 0) },
	"tree":    func() error { return call(unix.SYS_OPEN_TREE_ATTR, ^uintptr(0), 1<<20) },
	"exec":    func() error { return call(unix.SYS_EXECVE, 0, 0) },
}

func call(nr, a, b uintptr) error {
	if _, _, errno := unix.RawSyscall(nr, a, b, 0); errno != 0 {
		return errno
	}
	return nil
}

// threadStates are what the kernel says of each thread of this process.
func threadStates() (states []string) {
	names, _ := filepath.Glob("/proc/self/task/*/status")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		var state []string
		for line := range strings.Lines(string(text)) {
			if name, _, _ := strings.Cut(line, ":"); slices.Contains(
				[]string{"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"}, name) {
				state = append(state, strings.Join(strings.Fields(line), " "))
			}
		}
		if s := strings.Join(state, "; "); !slices.Contains(states, s) {
			states = append(states, s)
		}
	}
	return states
}

// droppedSession is the program, running.
type droppedSession struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  interface{ Write([]byte) (int, error) }
	end    func() error
	lines  *bufio.Scanner
	stderr bytes.Buffer
	events bytes.Buffer
	report *privilege.Report
}

// drop starts it, as uid 0 with all rights or as uid 1000 with these capabilities.
func drop(t *testing.T, cfg droppedConfig, uid uint32, caps ...capability.Cap) *droppedSession {
	t.Helper()
	cmd := exec.Command(kerneltest.Public(t, droppedName))
	cmd.Dir = "/"
	line, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "IPCTRACE_DROP="+string(line))
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true}}
		for _, c := range caps {
			cmd.SysProcAttr.AmbientCaps = append(cmd.SysProcAttr.AmbientCaps, uintptr(c))
		}
	}
	s := &droppedSession{t: t, cmd: cmd}
	cmd.Stderr = &s.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.stdin, s.end, s.lines = stdin, stdin.Close, bufio.NewScanner(stdout)
	s.lines.Buffer(nil, 1<<20)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	first := s.next("drop")
	if first.Error != "" {
		t.Fatalf("drop: %s", first.Error)
	}
	s.report = first.Report
	return s
}

// next is the next answer; events before it are kept.
func (s *droppedSession) next(question string) droppedAnswer {
	s.t.Helper()
	for s.lines.Scan() {
		var a droppedAnswer
		if bytes.HasPrefix(s.lines.Bytes(), []byte(`{"Answer"`)) {
			if err := json.Unmarshal(s.lines.Bytes(), &a); err != nil {
				s.t.Fatal(err)
			}
			if a.Answer != question {
				s.t.Fatalf("%q is no answer to %q", a.Answer, question)
			}
			return a
		}
		s.events.Write(append(s.lines.Bytes(), '\n'))
	}
	_ = s.cmd.Wait()
	s.t.Fatalf("no answer to %q: %v: %s", question, s.cmd.ProcessState, &s.stderr)
	return droppedAnswer{}
}

func (s *droppedSession) ask(question string) droppedAnswer {
	s.t.Helper()
	if _, err := s.stdin.Write([]byte(question + "\n")); err != nil {
		s.t.Fatal(err)
	}
	return s.next(question)
}

// stop ends it; its events are whole.
func (s *droppedSession) stop() []byte {
	s.t.Helper()
	if err := s.end(); err != nil {
		s.t.Fatal(err)
	}
	for s.lines.Scan() {
		s.events.Write(append(s.lines.Bytes(), '\n'))
	}
	if err := errors.Join(s.lines.Err(), s.cmd.Wait()); err != nil {
		s.t.Fatalf("%v: %s", err, &s.stderr)
	}
	return s.events.Bytes()
}
