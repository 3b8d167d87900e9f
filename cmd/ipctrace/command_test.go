package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// TestRunSignals: signals are passed on, and once the command has ended end
// the tracing.
func TestRunSignals(t *testing.T) {
	kerneltest.NeedRoot(t)
	// Who runs the tests may ignore some of these, and what is ignored is inherited.
	// What is handled is not.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Stop(handled)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGQUIT} {
		cmd := exec.Command("ipctrace", "run", "-q", "--", "sh", "-c",
			fmt.Sprintf("trap 'exit 9' %d; echo ready; while :; do sleep 0.05; done", s))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
		stdout, err := cmd.StdoutPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		awaitLine(t, stdout, "ready")
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		hang := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		hang.Stop()
		if status := cmd.ProcessState.ExitCode(); status != 9 {
			t.Errorf("%v: exit status %d", s, status)
		}
	}

	cmd := exec.Command("ipctrace", "run", "-q", "--", "sh", "-c", "(sleep 60 <&- >&- 2>&- & echo $!); exit 4")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdout, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	pid := 0
	if _, err := fmt.Fscan(stdout, &pid); err != nil {
		t.Fatal(err)
	}
	awaitOrphan(t, pid, cmd.Process.Pid)
	// A signal that comes before the end of the command is noticed is the command's.
	ended := make(chan struct{})
	go func() {
		for range 200 {
			select {
			case <-ended:
				return
			case <-time.After(100 * time.Millisecond):
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
		}
	}()
	_ = cmd.Wait()
	close(ended)
	if status := cmd.ProcessState.ExitCode(); status != 4 || syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Errorf("exit status %d", status)
	}
}

// TestRunStalled: where nobody reads the report, a signal ends ipctrace: the command
// has no use for it any more.
func TestRunStalled(t *testing.T) {
	kerneltest.NeedRoot(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	done := filepath.Join(t.TempDir(), "done")
	// The command fills the pipe, which it shares with ipctrace.
	script := "echo ready; read x; dd if=/dev/zero bs=4096 count=" + strconv.Itoa(pipeSize(t, write)/4096) + " status=none >&2; echo >" + done
	cmd := exec.Command("ipctrace", "run", "-q", "--", "sh", "-c", script)
	cmd.Stderr = write
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	write.Close()
	awaitLine(t, stdout, "ready")
	// What it said when it attached has to go, so that the pipe is full to the byte.
	if _, err := read.Read(make([]byte, 4096)); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	awaitFile(t, done)
	endsWithin := func(d time.Duration) bool {
		select {
		case <-ended:
			return true
		case <-time.After(d):
			return false
		}
	}
	if endsWithin(grace) {
		t.Fatal("the report was written: the pipe is not full")
	}
	_ = cmd.Process.Signal(syscall.SIGTERM) // the first is taken as the command's
	endsWithin(2 * grace)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if !endsWithin(10 * time.Second) {
		t.Error("two signals did not end it")
		_ = cmd.Process.Kill()
		<-ended
	}
}

// pipeSize is how many bytes a pipe holds.
func pipeSize(t *testing.T, pipe *os.File) int {
	t.Helper()
	n, err := unix.FcntlInt(pipe.Fd(), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRunIgnored: what nohup ignores, the command ignores.
func TestRunIgnored(t *testing.T) {
	kerneltest.NeedRoot(t)
	out, err := exec.Command("sh", "-c", "trap '' HUP INT; exec ipctrace run -q -- grep SigIgn /proc/self/status").Output()
	var mask uint64
	if _, scanErr := fmt.Sscanf(string(out), "SigIgn:\t%x", &mask); err != nil || scanErr != nil || mask&3 != 3 {
		t.Errorf("%v, %v: %q", err, scanErr, out)
	}
}

// awaitLine reads up to a line, and gives those before it.
func awaitLine(t *testing.T, r io.Reader, want string) (before []string) {
	t.Helper()
	for lines := bufio.NewScanner(r); lines.Scan(); before = append(before, lines.Text()) {
		if lines.Text() == want {
			return before
		}
	}
	t.Fatalf("no %q, but %q", want, before)
	return nil
}

// awaitOrphan waits until a process has become the child of another.
func awaitOrphan(t *testing.T, pid, parent int) {
	t.Helper()
	for range 200 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), fmt.Sprintf("PPid:\t%d\n", parent)) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("is no orphan")
}

// TestRunDetach: with --detach-on-exit descendants are left alone.
func TestRunDetach(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	r := runCommand(t, "--detach-on-exit", "--cleanup", "--", "sh", "-c",
		kerneltest.Maker64(t)+" keep msgget:0:0600 >&-; (sleep 60 <&- >&- 2>&- & echo $!); exit 6")
	var pid int
	if _, err := fmt.Sscan(r.stdout, &pid); err != nil {
		t.Fatalf("%v: %q", err, r.stdout)
	}
	if (r.status != 6 || len(r.Left) != 1 || r.Left[0].Note != noteRunning || r.Running != 1) && r.sure() ||
		syscall.Kill(pid, syscall.SIGKILL) != nil {
		t.Errorf("exit status %d, %+v", r.status, r.jsonRun)
	}
	for _, o := range r.Left {
		removeLeft(t, o) // not cleaned up: the daemon might use it
	}
}

// TestRunStreams: the command has its own stdin, stdout and stderr; what
// ipctrace says cannot be written is no matter for it.
func TestRunStreams(t *testing.T) {
	kerneltest.NeedRoot(t)
	cmd := exec.Command("ipctrace", "run", "-q", "--", "sh", "-c", "cat; echo aside >&2")
	cmd.Stdin = strings.NewReader("through\n")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stdout.String() != "through\n" || !strings.Contains(stderr.String(), "aside\n") {
		t.Errorf("%v: %q, %q", err, stdout.String(), stderr.String())
	}
	done := filepath.Join(t.TempDir(), "done")
	maker := kerneltest.Maker64(t)
	cmd = exec.Command("ipctrace", "run", "-o", "/dev/full", "--", "sh", "-c", maker+" msgget:0:0600; touch "+done)
	stderr.Reset()
	cmd.Stderr = &stderr
	_ = cmd.Run()
	if _, err := os.Stat(done); err != nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("full disk: %v, %v: %s", err, cmd.ProcessState, stderr.String())
	}
}

// TestRunKilled: the command outlives ipctrace.
func TestRunKilled(t *testing.T) {
	kerneltest.NeedRoot(t)
	done := filepath.Join(t.TempDir(), "done")
	cmd := exec.Command("ipctrace", "run", "-q", "--", "sh", "-c", "echo ready; read x; touch "+done)
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, stdout, "ready")
	_ = cmd.Process.Kill()
	_, _ = cmd.Process.Wait()
	stdin.Close()
	for range 200 {
		if _, err := os.Stat(done); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the command did not go on")
}

// TestRunUser: the command is another user's, in what counts.
func TestRunUser(t *testing.T) {
	kerneltest.NeedRoot(t)
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/0")
	t.Setenv("KEPT", "yes")
	for _, user := range []string{"nobody", "65534"} {
		r := runCommand(t, "--user", user, "--", "sh", "-c", "id -u; id -g; id -G; echo $USER $LOGNAME $HOME $KEPT $XDG_RUNTIME_DIR; grep CapEff /proc/self/status")
		lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
		if len(lines) != 5 || lines[0] != "65534" || lines[1] != "65534" || lines[2] != "65534" ||
			!strings.HasPrefix(lines[3], "nobody nobody /") || !strings.HasSuffix(lines[3], " yes") || lines[4] != "CapEff:\t0000000000000000" {
			t.Errorf("%s: %q, %s", user, lines, r.stderr)
		}
	}
	for _, user := range []string{"nobody-there", "4294967294", "-1"} {
		if r := runCommand(t, "--user", user, "--", "true"); r.status != exitUsage {
			t.Errorf("no such user %s: exit status %d", user, r.status)
		}
	}
}

// TestRunUserAmbient: nor does another user's command get the rights of an ipctrace
// that is not root's, and hands them on to what it executes.
func TestRunUserAmbient(t *testing.T) {
	kerneltest.NeedRoot(t)
	setpriv := kerneltest.NeedProgram(t, "setpriv")
	const rights = "-all,+bpf,+perfmon,+sys_admin,+sys_ptrace,+setuid,+setgid,+dac_read_search,+kill,+dac_override"
	cmd := exec.Command(setpriv, "--reuid", "1000", "--regid", "1000", "--clear-groups", "--inh-caps", rights, "--ambient-caps", rights,
		kerneltest.Public(t, "ipctrace"), "run", "-q", "--user", "nobody", "--", "grep", "-E", "^Cap(Inh|Prm|Eff|Amb)", "/proc/self/status")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	const none = ":\t0000000000000000\n"
	if want := "CapInh" + none + "CapPrm" + none + "CapEff" + none + "CapAmb" + none; err != nil || string(out) != want {
		t.Errorf("%v: %s%s", err, out, stderr.String())
	}
}

// TestKernelRunRights: while the command runs, ipctrace keeps what it needs, and
// the command has all that it would have without it.
func TestKernelRunRights(t *testing.T) {
	kerneltest.NeedRoot(t)
	cmd := exec.Command("ipctrace", "run", "-q", "--", "sh", "-c", "grep CapEff /proc/self/status; echo ready; read x; true")
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	said := awaitLine(t, stdout, "ready")
	own, err := os.ReadFile("/proc/self/status")
	if err != nil || !strings.Contains(string(own), said[0]+"\n") {
		t.Errorf("%v: the command has %q", err, said)
	}
	var all uint64
	for _, c := range needed {
		all |= 1 << c
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if want := fmt.Sprintf("CapPrm:\t%016x\nCapEff:\t%016x\n", all, all); err != nil || !strings.Contains(string(status), want) && !usesCgo {
		t.Errorf("%v: want %q in %s", err, want, status)
	}
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
