package nsresolve

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// fakeProc is a /proc of the test's own.
type fakeProc struct {
	t    testing.TB
	root string
}

// fakeProcess is one process in it. Without threads it has one, in ns.
type fakeProcess struct {
	pid, ppid int
	comm      string
	start     uint64
	flags     uint64
	uid       uint32
	ns        uint64
	threads   map[int]uint64
	cgroup    string
	mnt       uint64
	mountinfo string
	fds       map[int]string
}

func newFakeProc(t testing.TB) *fakeProc { return &fakeProc{t: t, root: t.TempDir()} }

func (f *fakeProc) dir(pid int) string { return filepath.Join(f.root, strconv.Itoa(pid)) }

func (f *fakeProc) add(p fakeProcess) {
	f.t.Helper()
	if err := f.write(p); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeProc) write(p fakeProcess) error {
	threads := p.threads
	if threads == nil {
		threads = map[int]uint64{p.pid: p.ns}
	}
	files := map[string]string{
		"stat":   statLine(p),
		"status": fmt.Sprintf("Name:\tx\nUid:\t%d\t1\t2\t3\n", p.uid),
		"cgroup": p.cgroup,
	}
	links := map[string]string{}
	for tid, inode := range threads {
		task := filepath.Join("task", strconv.Itoa(tid))
		links[filepath.Join(task, "ns", "ipc")] = ipcText(inode)
		if p.mnt != 0 {
			links[filepath.Join(task, "ns", "mnt")] = fmt.Sprintf("mnt:[%d]", p.mnt)
			links[filepath.Join(task, "root")] = "/"
			files[filepath.Join(task, "mountinfo")] = p.mountinfo
		}
	}
	for fd, target := range p.fds {
		links[filepath.Join("fd", strconv.Itoa(fd))] = target
	}
	for name, text := range files {
		path := filepath.Join(f.dir(p.pid), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name, target := range links {
		path := filepath.Join(f.dir(p.pid), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		os.Remove(path)
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeProc) remove(pid int) {
	f.t.Helper()
	if err := os.RemoveAll(f.dir(pid)); err != nil {
		f.t.Fatal(err)
	}
}

func statLine(p fakeProcess) string {
	return fmt.Sprintf("%d (%s) S %d 1 1 0 -1 %d 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n",
		p.pid, p.comm, p.ppid, p.flags, p.start)
}

func ipcText(inode uint64) string { return fmt.Sprintf("ipc:[%d]", inode) }

// fakeClock is a time.Now that moves when told.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: time.Unix(1_000_000, 0)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fakeResolver looks at a tree of the test's own, and at no cgroups.
func fakeResolver(t testing.TB, f *fakeProc, c *fakeClock) *Resolver {
	return New(Options{ProcRoot: f.root, CgroupRoot: t.TempDir(), Now: c.Now})
}
