package tracer_test

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// TestKernelProcess: what an event says of its process.
func TestKernelProcess(t *testing.T) {
	const comm = "\x1b[31m\xff\n ok"
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, w := range ways() {
			if w.ipc || w.abi == tracer.X32 {
				continue
			}
			t.Run(w.String(), func(t *testing.T) {
				path, before := w.path(t), boot()
				var m maker
				events, _ := trace(t, tracer.Config{Tier: tier}, func() {
					m = run(t, nil, path, "-unshare", "-comm", comm, "uid:1234", "msgget:0:384")
				}, m.number(1))
				events = of(events, m.pid)
				if len(events) != 1 {
					t.Fatalf("%d events, want 1", len(events))
				}
				e := events[0]
				checkProcess(t, e, m, comm)
				if e.Boot < before || e.Boot > boot() {
					t.Errorf("boot stamp %v, not between %v and now", e.Boot, before)
				}
				if d := time.Since(e.Time); d < 0 || d > time.Minute {
					t.Errorf("wall time %v, %v ago", e.Time, d)
				}
			})
		}
	})
}

func checkProcess(t *testing.T, e tracer.Event, m maker, comm string) {
	t.Helper()
	parent, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	type who struct {
		TID, PPID              int
		UID, GID, Owner, Group uint32
		Comm, ParentComm       string
		HasCgroup, HasKernelID bool
	}
	got := who{
		TID: int(e.TID), PPID: int(e.PPID), UID: e.UID, GID: e.GID, Owner: e.Owner, Group: e.Group,
		Comm: e.Comm, ParentComm: e.ParentComm, HasCgroup: e.CgroupID != 0, HasKernelID: e.NamespaceID != 0,
	}
	want := who{
		TID: m.results[0].TID, PPID: os.Getpid(), UID: 1234, GID: 1234, Owner: 1234, Group: 1234,
		Comm: comm, ParentComm: strings.TrimSuffix(string(parent), "\n"),
		HasCgroup: true, HasKernelID: kernelAtLeast(t, 6, 18),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), told (+):\n%s", diff)
	}
}

func boot() time.Duration {
	var clock tracer.Clock
	return clock.Boot()
}

func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &a, &b); err != nil {
		t.Fatal(err)
	}
	return cmp.Or(cmp.Compare(a, major), cmp.Compare(b, minor)) >= 0
}

// TestKernelNamespaceID: the kernel's id is what its ioctl says (6.18 and up).
func TestKernelNamespaceID(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		if !kernelAtLeast(t, 6, 18) {
			t.Skip("n/a: namespaces have ids from 6.18 on")
		}
		id, err := namespaceID("/proc/self/ns/ipc")
		if err != nil {
			t.Fatal(err)
		}
		var m maker
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			m = run(t, nil, kerneltest.Maker64(t), "msgget:0:384")
		}, m.number(1))
		for _, e := range of(events, m.pid) {
			if e.NamespaceID != id {
				t.Errorf("id %d, the kernel says %d", e.NamespaceID, id)
			}
		}
	})
}

// TestKernelPIDNamespace: the number a process has for itself.
func TestKernelPIDNamespace(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		var m maker
		attr := &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWIPC}
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			m = run(t, attr, kerneltest.Maker64(t), "msgget:0:384")
		}, m.number(1))
		events = of(events, m.pid)
		if len(events) != 1 || events[0].NSPID != 1 || m.results[0].PID != 1 {
			t.Errorf("want one event of pid 1, told: %+v", events)
		}
	})
}

// TestKernelClockStep: the wall clock steps while events come.
func TestKernelClockStep(t *testing.T) {
	if kerneltest.Guest() == "" {
		t.Skip("n/a: steps the clock, so only in a guest of the kernel matrix")
	}
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		var before, after maker
		var stepped time.Time
		events, stats := traceOnce(t, tracer.Config{Tier: tier}, func() {
			before = run(t, nil, kerneltest.Maker64(t), "msgget:0:384")
			time.Sleep(200 * time.Millisecond) // until it is read: the ring has no acknowledgement
			tv := unix.NsecToTimeval(time.Now().Add(10 * time.Hour).UnixNano())
			if err := unix.Settimeofday(&tv); err != nil {
				t.Fatal(err)
			}
			stepped = time.Now().Round(0)
			time.Sleep(1100 * time.Millisecond) // the offset is measured again after a second
			after = run(t, nil, kerneltest.Maker64(t), "msgget:0:384")
		})
		a, b := of(events, before.pid), of(events, after.pid)
		if stats.Skipped > 0 && len(a)+len(b) < 2 {
			t.Skipf("n/a: the kernel skipped %d runs of hooks, so nothing is certain", stats.Skipped)
		}
		if len(a) != 1 || len(b) != 1 || a[0].Time.After(stepped.Add(-9*time.Hour)) || b[0].Time.Before(stepped) {
			t.Errorf("clock stepped to %v; told %+v and %+v", stepped, a, b)
		}
	})
}

// namespaceID asks the kernel for the id of the namespace at path.
func namespaceID(path string) (uint64, error) {
	const nsGetID = 0x8008b70d // NS_GET_ID, include/uapi/linux/nsfs.h
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var id uint64
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), nsGetID, uintptr(unsafe.Pointer(&id))); errno != 0 {
		return 0, errno
	}
	return id, nil
}

// TestKernelCgroup: the id is the inode number of the cgroup's directory.
func TestKernelCgroup(t *testing.T) {
	kerneltest.NeedRoot(t)
	dir := newCgroup(t)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		var m maker
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			m = run(t, &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}, kerneltest.Maker64(t), "msgget:0:384")
		}, m.number(1))
		events = of(events, m.pid)
		if len(events) != 1 || events[0].CgroupID != st.Ino {
			t.Errorf("want cgroup %d, told %+v", st.Ino, events)
		}
	})
}

func newCgroup(t *testing.T) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(root, &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir, err := os.MkdirTemp(root, "ipctrace-test-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Rmdir(dir) })
		return dir
	}
	kerneltest.Lacks(t, "needs cgroup v2 mounted")
	return ""
}
