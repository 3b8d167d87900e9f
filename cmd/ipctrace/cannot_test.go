package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestMends: for each cause there is a command that mends it where one stands.
func TestMends(t *testing.T) {
	user := circumstances{program: "ipctrace", args: []string{"live", "--comm", "it's"}, path: "/usr/bin/ipctrace", initialUser: true, sudo: true}
	noSudo, container, root := user, user, user
	noSudo.sudo = false
	container.root, container.initialUser = true, false
	root.root = true
	for _, tt := range []struct {
		err  error
		in   circumstances
		want string // the beginning of each line
	}{
		{tracer.ErrPrivilege, user, `sudo ipctrace live --comm 'it'\''s'|sudo setcap cap_bpf,cap_perfmon+ep /usr/bin/ipctrace #`},
		{tracer.ErrPrivilege, noSudo, `su -c 'ipctrace live --comm '\''it'\''\'\'''\''s'\'''|su -c 'setcap cap_bpf,cap_perfmon+ep /usr/bin/ipctrace' #`},
		{tracer.ErrPrivilege, container, `ipctrace live --comm 'it'\''s' # outside of this user namespace`},
		{tracer.ErrPrivilege, root, `ipctrace live --comm 'it'\''s' # with more capabilities`},
		{sysvipc.ErrPrivilege, user, `sudo ipctrace live`},
		{errCannot, user, `sudo ipctrace live`},
		{errCannot, container, `ipctrace live --comm 'it'\''s' # outside`},
		{cannot{fs.ErrNotExist}, user, "sudo mount -t proc proc /proc"},
		{tracer.ErrMemlock, root, "ulimit -l unlimited && ipctrace live"},
		{tracer.ErrNoBTF, root, "grep '^CONFIG_DEBUG_INFO_BTF=y' /boot/config-$(uname -r) #"},
		{errNoSysVIPC, root, "grep '^CONFIG_SYSVIPC=y' /boot/config-$(uname -r) #"},
		{tracer.ErrNoHooks, root, "ipctrace doctor #"},
		{errUnseen, root, "ipctrace prove --hooks syscall #"},
	} {
		got, want := tt.in.mends(fmt.Errorf("while tested: %w", tt.err)), strings.Split(tt.want, "|")
		if len(got) != len(want) {
			t.Errorf("%v: %q, want %q", tt.err, got, want)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%v: %q, want %q", tt.err, got[i], want[i])
			}
		}
	}
}

// TestCannot: whatever the cause is, it is told, with a command that mends it and with
// who says more, and the exit status is 3.
func TestCannot(t *testing.T) {
	for _, cause := range causes {
		var stderr bytes.Buffer
		err := fmt.Errorf("while tested: %w", cause)
		if status := exit(newRoot(), []string{"live"}, err, &stderr); status != exitCannot {
			t.Errorf("%v: exit status %d", cause, status)
		}
		saysCannot(t, stderr.String(), cause.Error())
	}
	if isCannot(errors.New("something else")) {
		t.Error("anything is a cause")
	}
}

func saysCannot(t *testing.T, said, cause string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(said, "\n"), "\n")
	last := len(lines) - 1
	if last < 2 || !strings.HasPrefix(lines[0], "ipctrace: ") || !strings.Contains(lines[0], cause) ||
		lines[last] != `"ipctrace doctor" says what this machine lets it see.` {
		t.Errorf("%q", said)
		return
	}
	for _, line := range lines[1:last] {
		if !strings.HasPrefix(line, "Try: ") {
			t.Errorf("%q", line)
		}
	}
}

// forNobody is the program where anybody may execute it.
func forNobody(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("ipctrace")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(reachable(t), "ipctrace")
	if err := os.WriteFile(path, readFile(t, program), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func asNobody(program string, args ...string) *exec.Cmd {
	const nobody = 65534
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

// TestCannotForNobody: who has no rights is told of them by every command that takes
// some, and how to go on.
func TestCannotForNobody(t *testing.T) {
	kerneltest.NeedRoot(t)
	ipctrace := forNobody(t)
	for _, tt := range []struct{ args, cause string }{
		{"", "needs CAP_BPF and CAP_PERFMON"},
		{"live", "needs CAP_BPF and CAP_PERFMON"},
		{"record -o -", "needs CAP_BPF and CAP_PERFMON"},
		{"serve --listen 127.0.0.1:0", "needs CAP_BPF and CAP_PERFMON"},
		{"serve --user root", "needs CAP_SETUID"},
		{"run -- true", "needs CAP_BPF and CAP_PERFMON"},
		{"run --user root -- true", "needs CAP_SETUID and CAP_SETGID"},
		{"prove", "needs CAP_SYS_ADMIN"},
		{"prove --shell", "needs CAP_BPF and CAP_PERFMON"},
		{"ns 1", "permission denied"},
		{"doctor", "needs CAP_BPF and CAP_PERFMON"},
	} {
		cmd := asNobody(ipctrace, strings.Fields(tt.args)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run()
		if status := cmd.ProcessState.ExitCode(); status != exitCannot {
			t.Errorf("%s: exit status %d: %s", tt.args, status, &stderr)
			continue
		}
		saysCannot(t, stderr.String(), tt.cause)
		want := "Try: sudo " + ipctrace + " " + tt.args
		if _, err := exec.LookPath("sudo"); err != nil {
			want = "Try: su -c "
		}
		if !strings.Contains(stderr.String(), strings.TrimSpace(want)) {
			t.Errorf("%s: %s, want %q", tt.args, &stderr, want)
		}
	}
}

// TestNearest: a word that is nearly one, or that others call so, is known; none is
// made up.
func TestNearest(t *testing.T) {
	for _, tt := range []struct{ word, in, want string }{
		{"mgs", "kind", "msg"},
		{"SHM", "kind", "shm"},
		{"semaphores", "kind", "sem"},
		{"queue", "kind", "msg"},
		{"x", "kind", ""},
		{"", "kind", ""},
		{"network", "kind", ""},
		{"crate", "event", "create"},
		{"delete", "event", "remove"},
		{"object.creat", "event", "object.create"},
		{"fetnry", "hooks", "fentry"},
		{"kprobe", "hooks", "fentry"},
		{"yaml", "output", ""},
		{"jsno", "output", "json"},
		{"sise", "sort", "size"},
		{"gz", "compress", "gzip"},
		{"intervall", "fsync", "interval"},
	} {
		if got := nearest(tt.word, choices[tt.in]); got != tt.want {
			t.Errorf("%q in %s: %q, want %q", tt.word, tt.in, got, tt.want)
		}
	}
	for word, meant := range alsoCalled {
		known := commandNames(newRoot())
		for _, words := range choices {
			known = append(known, words...)
		}
		if !slices.Contains(known, meant) {
			t.Errorf("%q is %q, which there is not", word, meant)
		}
	}
}
