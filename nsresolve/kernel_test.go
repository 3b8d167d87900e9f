package nsresolve

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// These tests run on the kernel they find.

// The main thread never ends: a goroutine that changed it would leave it in
// another namespace for good. Locked here, no test is given it.
func init() { runtime.LockOSThread() }

func find(s *Snapshot, inode uint64) *Namespace {
	i := slices.IndexFunc(s.Namespaces, func(n Namespace) bool { return n.Inode == inode })
	if i < 0 {
		return nil
	}
	return &s.Namespaces[i]
}

func inodeOf(t testing.TB, link string) uint64 {
	t.Helper()
	text, err := os.Readlink(link)
	if err != nil {
		t.Fatal(err)
	}
	inode, ok := ipcLink(text)
	if !ok {
		t.Fatalf("%s is %q", link, text)
	}
	return inode
}

// unsharedThread puts a thread of this process into a new IPC namespace, until
// end is called.
func unsharedThread(t testing.TB) (tid int, end func()) {
	t.Helper()
	kerneltest.NeedRoot(t)
	ready, quit, done := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends too
		tid = unix.Gettid()
		ready <- unix.Unshare(unix.CLONE_NEWIPC)
		<-quit
	}()
	err := <-ready
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		close(quit)
		<-done
		task := "/proc/self/task/" + strconv.Itoa(tid)
		for range 1000 {
			if _, err := os.Stat(task); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Errorf("thread %d does not end", tid)
	}
	t.Cleanup(end)
	if err != nil {
		kerneltest.Lacks(t, fmt.Sprintf("unshare: %v", err))
	}
	return tid, end
}

// unsharedProcess is a sleep in a new IPC namespace.
func unsharedProcess(t *testing.T) (pid int) {
	t.Helper()
	kerneltest.NeedRoot(t)
	cmd := exec.Command("unshare", "--ipc", "sleep", "60")
	if err := cmd.Start(); err != nil {
		kerneltest.Lacks(t, fmt.Sprintf("unshare: %v", err))
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	pid = cmd.Process.Pid
	comm := fmt.Sprintf("/proc/%d/comm", pid)
	for range 2000 {
		if b, _ := os.ReadFile(comm); string(b) == "sleep\n" {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return pid
}

func TestKernelProcess(t *testing.T) {
	pid := unsharedProcess(t)
	inode := inodeOf(t, fmt.Sprintf("/proc/%d/ns/ipc", pid))
	if inode == InitialInode {
		kerneltest.Lacks(t, "unshare made no namespace")
	}

	r := New(Options{})
	s := scan(t, r)
	n := find(s, inode)
	if n == nil || len(n.Processes) != 1 {
		t.Fatalf("%d is not in the scan: %+v", inode, n)
	}
	p := n.Processes[0]
	if p.PID != pid || p.PPID != os.Getpid() || p.Comm != "sleep" || p.UID != 0 || p.Start == 0 || !slices.Equal(p.Threads, []int{pid}) {
		t.Errorf("%+v", p)
	}
	if want := fmt.Sprintf("sleep[%d]", pid); n.Container == nil && n.Label != want {
		t.Errorf("label %q, want %q", n.Label, want)
	}
	if again := New(Options{}).Lookup(inode, Maker{PID: pid, Comm: "unshare"}); again.Label != n.Label {
		t.Errorf("Lookup says %q, Scan %q", again.Label, n.Label)
	}
	compareLsns(t, n)
	links, err := r.Diff(os.Getpid(), pid)
	if err != nil || len(links) < 7 {
		t.Fatalf("%v, %v", links, err)
	}
	for _, l := range links {
		if l.Same == (l.Name == "ipc") {
			t.Errorf("%+v", l)
		}
	}
}

// compareLsns asks util-linux about a namespace.
func compareLsns(t *testing.T, n *Namespace) {
	t.Helper()
	if kerneltest.Guest() != "" {
		return // busybox has no lsns
	}
	out, err := exec.Command("lsns", "-t", "ipc", "-n", "-r", "-o", "NS,NPROCS,PID").Output()
	if err != nil {
		kerneltest.Lacks(t, fmt.Sprintf("lsns: %v", err))
	}
	want := fmt.Sprintf("%d %d %d", n.Inode, len(n.Processes), n.Processes[0].PID)
	if !slices.Contains(strings.Split(string(out), "\n"), want) {
		t.Errorf("lsns has no line %q:\n%s", want, out)
	}
}

func TestKernelThread(t *testing.T) {
	tid, end := unsharedThread(t)
	inode := inodeOf(t, fmt.Sprintf("/proc/self/task/%d/ns/ipc", tid))
	r := New(Options{})
	s := scan(t, r)
	n, host := find(s, inode), find(s, inodeOf(t, "/proc/self/ns/ipc"))
	if n == nil || len(n.Processes) != 1 || n.Processes[0].PID != os.Getpid() || !slices.Equal(n.Processes[0].Threads, []int{tid}) {
		t.Fatalf("%+v", n)
	}
	i := slices.IndexFunc(host.Processes, func(p Process) bool { return p.PID == os.Getpid() })
	if i < 0 || slices.Contains(host.Processes[i].Threads, tid) {
		t.Errorf("the other threads: %d, %+v", i, host)
	}
	end()
	if n := find(scan(t, r), inode); n != nil && slices.ContainsFunc(n.Processes, func(p Process) bool { return p.PID == os.Getpid() }) {
		t.Errorf("still there: %+v", n)
	}
}

func TestKernelMount(t *testing.T) {
	tid, end := unsharedThread(t)
	source := fmt.Sprintf("/proc/self/task/%d/ns/ipc", tid)
	inode := inodeOf(t, source)
	point := filepath.Join(t.TempDir(), "name space")
	bind(t, source, point)
	end()
	n := find(scan(t, New(Options{})), inode)
	if n == nil || len(n.Processes) != 0 || n.Label != "mount:"+point {
		t.Fatalf("%+v", n)
	}
	for _, p := range n.Pins {
		if got := inodeAt(t, fmt.Sprintf("/proc/%d/root%s", p.PID, p.Path)); p.Kind != PinMount || got != inode {
			t.Errorf("%+v leads to %d", p, got)
		}
	}
}

// bind mounts what is at source at a new file, until the test ends.
func bind(t *testing.T, source, point string) {
	t.Helper()
	if err := os.WriteFile(point, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(source, point, "", unix.MS_BIND, ""); err != nil {
		kerneltest.Lacks(t, fmt.Sprintf("mount: %v", err))
	}
	t.Cleanup(func() {
		if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
}

func inodeAt(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestKernelDescriptor(t *testing.T) {
	tid, end := unsharedThread(t)
	f, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/ipc", tid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inode := inodeAt(t, fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	end()
	r := New(Options{})
	n := find(scan(t, r), inode)
	want := Pin{PinFD, os.Getpid(), fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd())}
	if n == nil || len(n.Processes) != 0 || !slices.Equal(n.Pins, []Pin{want}) {
		t.Fatalf("%+v", n)
	}
	if !strings.HasPrefix(n.Label, "fd of ") || r.Label(inode, Maker{}) != n.Label {
		t.Errorf("label %q, %q", n.Label, r.Label(inode, Maker{}))
	}
}

// TestKernelListedDescriptors: a namespace that a mount and a descriptor hold has both
// pins, and its id where the kernel has them; a namespace of another type, a file, and
// a descriptor that is closed by now hold none.
func TestKernelListedDescriptors(t *testing.T) {
	tid, end := unsharedThread(t)
	source := fmt.Sprintf("/proc/self/task/%d/ns/ipc", tid)
	point := filepath.Join(t.TempDir(), "namespace")
	bind(t, source, point)
	pid := os.Getpid()
	var list []Descriptor
	for _, path := range []string{"/proc/self/ns/uts", source, point, os.DevNull} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		list = append(list, Descriptor{PID: pid, TID: pid, FD: int(f.Fd())})
	}
	end()
	list = append(list, Descriptor{PID: pid, TID: pid, FD: 1 << 20})
	held, _ := os.Open(point)
	defer held.Close()
	id, _ := idOf(held) // 0 where the kernel has none

	self := Thread{TID: pid, PID: pid, Namespace: inodeOf(t, "/proc/self/ns/ipc"), MountNamespace: 1, RootInode: 1}
	r := New(Options{
		Tasks:       func() ([]Thread, error) { return []Thread{self}, nil },
		Descriptors: func() ([]Descriptor, error) { return list, nil },
	})
	w := r.newWalk(true, func(uint64) bool { return true })
	if !w.host {
		kerneltest.Lacks(t, "the initial pid and time namespaces")
	}
	n := find(scan(t, r), inodeAt(t, point))
	want := []Pin{
		{PinMount, pid, point},
		{PinFD, pid, fmt.Sprintf("/proc/%d/fd/%d", pid, list[1].FD)},
	}
	if id != 0 { // else the link names the mount, not the namespace
		want = append(want, Pin{PinFD, pid, fmt.Sprintf("/proc/%d/fd/%d", pid, list[2].FD)})
	}
	sortPins(want)
	if n == nil || !slices.Equal(n.Pins, want) || n.ID != id {
		t.Fatalf("%+v, want id %d and %+v", n, id, want)
	}
}

// TestKernelWithoutRights scans as a user who owns nothing.
func TestKernelWithoutRights(t *testing.T) {
	kerneltest.NeedRoot(t)
	type outcome struct {
		s   *Snapshot
		err error
	}
	done := make(chan outcome)
	go func() {
		runtime.LockOSThread() // the thread ends with its ids
		// The plain system call changes this thread alone.
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
			done <- outcome{nil, e}
			return
		}
		s, err := New(Options{}).Scan(t.Context())
		done <- outcome{s, err}
	}()
	o := <-done
	if o.err != nil {
		t.Fatal(o.err)
	}
	if o.s.Unreadable == 0 || o.s.UnreadableFDs == 0 {
		t.Errorf("nothing unreadable: %d, %d", o.s.Unreadable, o.s.UnreadableFDs)
	}
	if b, err := os.ReadFile("/proc/2/comm"); err != nil || string(b) != "kthreadd\n" {
		return // a pid namespace without kernel threads
	}
	host := find(o.s, InitialInode)
	if host == nil || !slices.ContainsFunc(host.Processes, func(p Process) bool { return p.PID == 2 }) {
		t.Errorf("no kernel threads: %+v", host)
	}
}

func TestKernelCgroup(t *testing.T) {
	kerneltest.NeedRoot(t)
	r := New(Options{})
	fd, ok := r.openCgroupRoot()
	if !ok {
		kerneltest.Lacks(t, "no cgroup2 mount")
	}
	defer unix.Close(fd)
	root := fmt.Sprintf("/proc/self/fd/%d", fd)
	if path, ok := r.Cgroup(inodeAt(t, root), 0); path != "/" || !ok {
		t.Errorf("root: %q, %v", path, ok)
	}
	name := fmt.Sprintf("ipctrace-test-%d", os.Getpid())
	if err := unix.Mkdirat(fd, name, 0o755); err != nil {
		kerneltest.Lacks(t, fmt.Sprintf("make a cgroup: %v", err))
	}
	removed := false
	remove := func() {
		if !removed {
			removed = true
			if err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR); err != nil {
				t.Error(err)
			}
		}
	}
	defer remove()
	id := inodeAt(t, root+"/"+name)
	if path, ok := r.Cgroup(id, 0); path != "/"+name || !ok {
		t.Errorf("%q, %v", path, ok)
	}
	remove()
	if path, ok := r.Cgroup(id, 0); path != "/"+name || !ok {
		t.Errorf("cached: %q, %v", path, ok)
	}
	if path, ok := New(Options{}).Cgroup(id, 0); ok {
		t.Errorf("after its end: %q", path)
	}
	// This process is in some other cgroup than that one.
	if path, ok := New(Options{}).Cgroup(id, os.Getpid()); ok {
		t.Errorf("believed the wrong process: %q", path)
	}
}

// TestKernelRefusesTheGone holds the kernel to what the walk relies on: the link
// of a process that has ended is refused, as if rights were missing.
func TestKernelRefusesTheGone(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir := "/proc/" + strconv.Itoa(cmd.Process.Pid)
	link, err := unix.Open(dir+"/ns/ipc", unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(link)
	if _, err := readLink(link, ""); !denied(err) {
		t.Errorf("readlink: %v", err)
	}
	if exists(unix.AT_FDCWD, dir) {
		t.Error("still there")
	}
}

// TestKernelChurn scans while processes come and go.
func TestKernelChurn(t *testing.T) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				exec.Command("true").Run()
			}
		}
	}()
	r := New(Options{})
	base := scan(t, r).Unreadable
	for range 50 {
		// Without rights the short-lived are refused like all others.
		if s := scan(t, r); os.Geteuid() == 0 && s.Unreadable > base {
			t.Errorf("%d processes unreadable", s.Unreadable)
		}
	}
	close(stop)
	<-done
}

func TestNoDescriptorsLeft(t *testing.T) {
	count := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(d)
	}
	r := New(Options{})
	use := func() {
		scan(t, r)
		r.Forget(1)
		r.Lookup(1, Maker{PID: os.Getpid(), Comm: "x", CgroupID: 1})
		r.Diff(1, os.Getpid())
		r.Cgroup(1<<40, os.Getpid())
	}
	use()
	before := count()
	for range 10 {
		use()
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func BenchmarkScan(b *testing.B) {
	r := New(Options{})
	n := 0
	for b.Loop() {
		n = 0
		for _, ns := range scan(b, r).Namespaces {
			n += len(ns.Processes)
		}
	}
	b.ReportMetric(float64(n), "processes")
}

// BenchmarkLookupWalk is the walk a miss causes.
func BenchmarkLookupWalk(b *testing.B) {
	c := newFakeClock()
	r := New(Options{Now: c.Now})
	for i := uint64(1); b.Loop(); i++ {
		r.Lookup(i, Maker{})
		c.advance(time.Second)
	}
}

func BenchmarkLookup(b *testing.B) {
	r := New(Options{})
	scan(b, r)
	m := Maker{PID: 1, Comm: "x"}
	b.ReportAllocs()
	for b.Loop() {
		r.Lookup(InitialInode, m)
	}
}

// TestVisiting: a thread of this program that looks around is not told of where
// the resolver is said to.
func TestVisiting(t *testing.T) {
	kerneltest.NeedRoot(t)
	moved, leave := make(chan uint64), make(chan struct{})
	defer close(leave)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
			t.Error(err)
		}
		var st unix.Stat_t
		if err := unix.Stat("/proc/thread-self/ns/ipc", &st); err != nil {
			t.Error(err)
		}
		moved <- st.Ino
		<-leave
	}()
	inode := <-moved
	for visiting, want := range map[bool]bool{false: true, true: false} {
		s, err := New(Options{Visiting: visiting}).Scan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n := find(s, inode)
		if got := n != nil && len(n.Processes) > 0; got != want {
			t.Errorf("visiting %v: told of this program there: %v", visiting, got)
		}
	}
}
