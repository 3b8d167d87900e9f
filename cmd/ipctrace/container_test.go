package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// shortlived is a simulated container: a cgroup with a runtime's kind of name, in
// which one process makes a queue in an IPC namespace of its own, and which is gone
// after that.
type shortlived struct {
	id, runtime string
	cgroup      string // as an event has it
	pid         int
}

// styles are the cgroups of runtimes.
var styles = []struct{ runtime, path string }{
	{"docker", "system.slice/docker-%s.scope"},
	{"containerd", "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1f2e3d4c.slice/cri-containerd-%s.scope"},
	{"podman", "machine.slice/libpod-%s.scope"},
	{"cri-o", "kubepods/burstable/pod1f2e3d4c/crio-%s"},
}

// liveShortly lets the nth of them live, below a cgroup of the test's.
func liveShortly(t *testing.T, dir, path string, n int) shortlived {
	t.Helper()
	style := styles[n%len(styles)]
	c := shortlived{id: fmt.Sprintf("%056x%08x", os.Getpid(), n), runtime: style.runtime}
	name := fmt.Sprintf(style.path, c.id)
	c.cgroup = path + "/" + name
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	c.pid = runIn(t, filepath.Join(dir, name), "-unshare", "msgget:0:384")
	awaitRmdir(t, filepath.Join(dir, name))
	return c
}

// runIn runs internal/ipcmaker in a cgroup, from its birth on.
func runIn(t *testing.T, cgroup string, args ...string) (pid int) {
	t.Helper()
	f, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(kerneltest.Maker64(t), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ipcmaker in a cgroup: %v: %s", err, out)
	}
	return cmd.Process.Pid
}

// awaitRmdir removes a cgroup as soon as the kernel lets it: who has ended may be in it
// for a moment.
func awaitRmdir(t *testing.T, cgroup string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		err := unix.Rmdir(cgroup)
		if err == nil {
			return
		}
		if err != unix.EBUSY || time.Now().After(deadline) {
			t.Fatalf("remove a cgroup: %v", err)
		}
	}
}

// TestKernelShortContainers: 24 containers that live for a moment are named, each with
// what it made: as it happens, and also when nobody reads of them before all are gone.
func TestKernelShortContainers(t *testing.T) {
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprintf("held up %v", hold), func(t *testing.T) {
			dir, path := kerneltest.Cgroup(t)
			runIn(t, dir, "-unshare", "msgget:0:384") // what is slow the first time
			s := begin(t, nil, "live", "--json", "--no-host")
			if hold {
				send(t, s, syscall.SIGSTOP)
			}
			began := time.Now()
			var want []shortlived
			for n := range 24 {
				want = append(want, liveShortly(t, dir, path, n))
			}
			t.Logf("each lived for %v", time.Since(began)/24)
			if hold {
				send(t, s, syscall.SIGCONT)
			}
			s.interrupt()
			all := events(t, s.output())
			if status := s.status(); status != 0 {
				t.Errorf("exit status %d: %s", status, s.stderr)
			}
			for _, c := range want {
				checkShort(t, c, by(all, c.pid), all[len(all)-1].Stop)
			}
		})
	}
}

func send(t *testing.T, s *session, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// checkShort checks all that is told of a container.
func checkShort(t *testing.T, c shortlived, told []*event.Event, stop *event.Stop) {
	t.Helper()
	made := 0
	for _, e := range told {
		if e.Event == event.ObjectCreate {
			made++
		}
		if e.Process.Cgroup != c.cgroup {
			t.Errorf("%s by %d: cgroup %q, want %q", e.Event, c.pid, e.Process.Cgroup, c.cgroup)
		}
		if e.Container == nil || e.Container.ID != c.id || e.Container.Runtime != c.runtime {
			t.Errorf("%s by %d: container %+v, want %s %s", e.Event, c.pid, e.Container, c.runtime, c.id)
		}
	}
	if made != 1 && (made > 1 || stop.Skipped == 0) { // what the hooks skipped nobody told of
		t.Errorf("%d objects made by %d of %s", made, c.pid, strings.TrimPrefix(c.cgroup, "/"))
	}
}
