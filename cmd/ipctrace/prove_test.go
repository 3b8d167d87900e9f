package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/eventtest"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestKernelProve: the walk-through holds on this kernel, on every tier.
func TestKernelProve(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	for _, tier := range kerneltest.Tiers() {
		t.Run(tier.String(), func(t *testing.T) {
			out, err := exec.Command("ipctrace", "prove", "--hooks", tier.String()).Output()
			for range 4 { // once the kernel has skipped a hook, nothing is proved
				if !strings.Contains(string(out), "skipped by the kernel") {
					break
				}
				out, err = exec.Command("ipctrace", "prove", "--hooks", tier.String()).Output()
			}
			if err != nil || strings.Contains(string(out), "✗") || !strings.Contains(string(out), "\nproved: ") {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
	inner := exec.Command("sh", "-c", "mount -t proc proc /proc && exec ipctrace prove")
	inner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS}
	if out, err := inner.Output(); err != nil || !strings.Contains(string(out), "\nproved: ") {
		t.Errorf("in a pid namespace: %v:\n%s", err, out)
	}
	out, err := exec.Command("ipctrace", "prove", "--json").Output()
	var verdict struct {
		Proved bool
		Links  []jsonLink
		Checks []jsonCheck
		Events []json.RawMessage
	}
	if err != nil || json.Unmarshal(out, &verdict) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !verdict.Proved || len(verdict.Checks) != 11 || len(verdict.Events) != 6 {
		t.Errorf("%s", out)
	}
	for _, line := range verdict.Events {
		eventtest.Check(t, line)
	}
	for _, l := range verdict.Links {
		if l.Same == (l.Name == "ipc") {
			t.Errorf("link %+v", l)
		}
	}
}

// TestProveHangs: a process that was stopped does not stop Ctrl-C.
func TestProveHangs(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	s := begin(t, nil, "prove")
	for _, child := range childrenOf(t, s.cmd.Process.Pid) {
		_ = syscall.Kill(child, syscall.SIGSTOP)
	}
	s.interrupt()
	began := time.Now()
	if status := s.status(); status < 0 || time.Since(began) > time.Minute {
		t.Errorf("exit status %d after %v", status, time.Since(began))
	}
}

// TestProveKilled: whoever is killed, and whenever, nothing stays behind.
func TestProveKilled(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, test := range []struct {
		name string
		who  func(children []int, self int) int
		sig  syscall.Signal
	}{
		{"A killed", func(children []int, _ int) int { return children[0] }, syscall.SIGKILL},
		{"B killed", func(children []int, _ int) int { return children[1] }, syscall.SIGKILL},
		{"prove killed", func(_ []int, self int) int { return self }, syscall.SIGKILL},
		{"Ctrl-C", func(_ []int, self int) int { return self }, syscall.SIGINT},
		{"SIGTERM", func(_ []int, self int) int { return self }, syscall.SIGTERM},
	} {
		t.Run(test.name, func(t *testing.T) {
			unchanged(t)
			for delay := time.Duration(0); delay < 30*time.Millisecond; delay += 6 * time.Millisecond {
				s := begin(t, nil, "prove")
				children := childrenOf(t, s.cmd.Process.Pid)
				if len(children) == 2 {
					time.Sleep(delay)
					_ = syscall.Kill(test.who(children, s.cmd.Process.Pid), test.sig)
				}
				out := s.output()
				status := s.status()
				if (status == 0) != strings.Contains(string(out), "\nproved: ") {
					t.Errorf("exit status %d: %s%s", status, out, s.stderr)
				}
			}
		})
	}
}

// childrenOf lists the processes that pid has started, the oldest first.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	dir := "/proc/" + strconv.Itoa(pid) + "/task/"
	tasks, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var children []int
	for _, task := range tasks {
		text, _ := os.ReadFile(dir + task.Name() + "/children")
		for _, word := range strings.Fields(string(text)) {
			n, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, n)
		}
	}
	return children
}

// TestProveShell: the user's own walk-through, at a terminal.
func TestProveShell(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	term := newTerminal(t, 200, 60)
	cmd := exec.Command("ipctrace", "prove", "--shell")
	cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "PS1=prompt> ", "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.slave, term.slave, term.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	term.await("attached")
	term.await("prompt> ")
	for _, line := range []string{"ipcmk -Q", "grep SigIgn: /proc/self/status", "exit"} {
		if _, err := term.master.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	term.await("✓ nothing was lost")
	out := term.text()
	const interrupt, quit, pipe, stop = 1 << 1, 1 << 2, 1 << 12, 1 << 19
	_, mask, _ := strings.Cut(out, "SigIgn:\t")
	mask, _, _ = strings.Cut(mask, "\r")
	ignored, err := strconv.ParseUint(mask, 16, 64)
	if err != nil || ignored&(interrupt|quit|pipe|stop) != 0 {
		t.Errorf("the shell ignores signals: %x, %v", ignored, err)
	}
	for _, want := range []string{" ipcmk\r\n", "✓ A and B differ in ipc alone", "✓ every object in the shell's namespace was seen there", "1 object, 0 not seen"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
