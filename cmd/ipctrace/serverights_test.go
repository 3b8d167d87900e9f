package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// refusals are the lines of the kernel's log about system calls of a process that a
// filter refused. Where an audit daemon takes them they are not there. Those of clone3
// (435) are of the C library, in tests with the race detector: it then calls clone.
func refusals(t *testing.T, pid int) (lines []string) {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	record := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, record)
		switch {
		case errors.Is(err, unix.EPIPE): // overwritten meanwhile: on with the next one
			continue
		case err != nil:
			return lines // EAGAIN: that was the last one
		}
		line := string(record[:n])
		if strings.Contains(line, " type=1326 ") && strings.Contains(line, fmt.Sprintf(" pid=%d ", pid)) && !strings.Contains(line, " syscall=435 ") {
			lines = append(lines, line)
		}
	}
}

// TestKernelServeRights: serve counts and records for a user with the documented
// capabilities alone, and for one that root has it become; also into a file that it
// makes when its rights are gone.
func TestKernelServeRights(t *testing.T) {
	kerneltest.NeedRoot(t)
	path := kerneltest.Public(t, "ipctrace")
	for _, test := range []struct {
		name string
		caps []capability.Cap // nil: root
		args []string
	}{
		{"all", privilege.For(privilege.Tracing, privilege.Looking), nil},
		{"without looks", privilege.For(privilege.Tracing), []string{"--looks=false"}},
		{"root", nil, []string{"--user", "1000", "--self-test"}},
		{"root without looks", nil, []string{"--user", "1000", "--self-test", "--looks=false"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			loopback(t)
			dir := publicDir(t)
			if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, someone, someone)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "log")
			args := append([]string{"serve", "--listen", "127.0.0.1:0", "--record", file, "--comm", mine}, test.args...)
			d := &serving{t: t, client: http.DefaultClient, over: make(chan struct{})}
			d.cmd = exec.Command(path, args...)
			if test.caps != nil {
				d.cmd = asUser(path, test.caps, args...)
			}
			d.start()
			if want := "ipctrace: rights: user 1000, capabilities "; !strings.Contains(d.words(), want) {
				t.Errorf("no %q: %s", want, d.words())
			}
			runMaker(t, 64, "-unshare", "-comm", mine, "msgget:0:0600")
			d.await("a queue is recorded", func() bool {
				s := d.scrape()
				return s.happened() >= 2 && s.sum("ipctrace_output_delivered_total", "output=record") >= s.happened()
			})
			if err := os.Rename(file, file+".old"); err != nil {
				t.Fatal(err)
			}
			d.signal(syscall.SIGHUP)
			d.await("a new file", func() bool { _, err := os.Stat(file); return err == nil })
			runMaker(t, 64, "-unshare", "-comm", mine, "msgget:0:0600")
			d.end(exitDone)
			for _, line := range refusals(t, d.cmd.Process.Pid) {
				t.Errorf("refused what it asked for: %s", line)
			}
			for _, name := range []string{file, file + ".old"} {
				text, err := os.ReadFile(name)
				if err != nil || !strings.Contains(string(text), `"object.create"`) {
					t.Errorf("%s: %v: %s", name, err, text)
				}
				if info, err := os.Stat(name); err != nil || info.Sys().(*syscall.Stat_t).Uid != someone {
					t.Errorf("%s: not the user's: %v", name, err)
				}
			}
		})
	}
	for _, test := range []struct {
		cmd    *exec.Cmd
		status int
		says   string
	}{
		{exec.Command(path, "serve", "--user", "nobody-of-this-name"), exitUsage, "--user nobody-of-this-name: there is no such user"},
		{exec.Command(path, "serve", "--user", "4294967295"), exitUsage, "there is no such user"},
		{asUser(path, privilege.For(privilege.Tracing), "serve", "--user", "1001"), exitCannot, "become user 1001: needs CAP_SETUID: start as root"},
	} {
		out, _ := test.cmd.CombinedOutput()
		if test.cmd.ProcessState.ExitCode() != test.status || !strings.Contains(string(out), test.says) {
			t.Errorf("%q: %v: %s", test.cmd.Args, test.cmd.ProcessState, out)
		}
	}
}
