package nsresolve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const nsA, nsB, nsC = 4026532001, 4026532002, 4026532003

func scan(t testing.TB, r *Resolver) *Snapshot {
	t.Helper()
	s, err := r.Scan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestScan(t *testing.T) {
	f := newFakeProc(t)
	mounts := "36 28 0:4 ipc:[4026532003] /run/my\\040ns rw - nsfs nsfs rw\n"
	f.add(fakeProcess{pid: 1, comm: "init", ns: InitialInode, start: 1, mnt: 5, mountinfo: mounts, cgroup: "0::/init.scope\n"})
	f.add(fakeProcess{pid: 20, ppid: 1, comm: "later", ns: nsA, start: 900, uid: 7, mnt: 5, mountinfo: mounts})
	f.add(fakeProcess{pid: 30, ppid: 1, comm: "older", ns: nsA, start: 500, fds: map[int]string{
		0: "/dev/null", 3: ipcText(nsB), 4: "socket:[1]", 5: "net:[4026532002]",
	}})
	// Another view of the same mount is no other pin.
	f.add(fakeProcess{pid: 50, comm: "chroot", ns: nsB, start: 990, mnt: 6, mountinfo: mounts})
	f.add(fakeProcess{pid: 40, comm: "split", start: 600, threads: map[int]uint64{40: InitialInode, 42: nsA, 41: nsA}})

	init := Process{PID: 1, Comm: "init", Start: 1, Threads: []int{1}, Cgroup: "/init.scope"}
	split := Process{PID: 40, Comm: "split", Start: 600}
	in := func(p Process, tids ...int) Process { p.Threads = tids; return p }
	want := &Snapshot{Partial: true, Namespaces: []Namespace{
		{Inode: InitialInode, Initial: true, Label: "host", Threads: 2, Processes: []Process{init, in(split, 40)}},
		{Inode: nsA, Label: "older[30]", Threads: 4, Processes: []Process{
			{PID: 30, PPID: 1, Comm: "older", Start: 500, Threads: []int{30}},
			in(split, 41, 42),
			{PID: 20, PPID: 1, Comm: "later", Start: 900, UID: 7, Threads: []int{20}},
		}},
		{Inode: nsB, Label: "chroot[50]", Threads: 1, Processes: []Process{{PID: 50, Comm: "chroot", Start: 990, Threads: []int{50}}}, Pins: []Pin{{PinFD, 30, filepath.Join(f.root, "30/fd/3")}}},
		{Inode: nsC, Label: "mount:/run/my ns", Pins: []Pin{{PinMount, 1, "/run/my ns"}}},
	}}
	got := scan(t, fakeResolver(t, f, newFakeClock()))
	// Entries of a plain directory come in any order: any of the three may be
	// the one whose mount table was read.
	if p := got.Namespaces[3].Pins; len(p) == 1 && (p[0].PID == 20 || p[0].PID == 50) {
		p[0].PID = 1
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestScanErrors(t *testing.T) {
	r := New(Options{ProcRoot: filepath.Join(t.TempDir(), "none")})
	if _, err := r.Scan(context.Background()); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	f := newFakeProc(t)
	f.add(fakeProcess{pid: 1, ns: InitialInode})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fakeResolver(t, f, newFakeClock()).Scan(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestVanishing removes parts of a process, as when it ends while being read.
func TestVanishing(t *testing.T) {
	for _, gone := range []string{"stat", "status", "cgroup", "task", "task/9/ns", "task/9/ns/ipc", "task/9/root", "task/9/mountinfo", "fd"} {
		t.Run(gone, func(t *testing.T) {
			f := newFakeProc(t)
			f.add(fakeProcess{pid: 8, comm: "stays", ns: nsA, start: 1})
			f.add(fakeProcess{pid: 9, comm: "goes", ns: nsA, start: 2, mnt: 3, mountinfo: "x\n", fds: map[int]string{1: ipcText(nsB)}})
			if err := os.RemoveAll(filepath.Join(f.dir(9), gone)); err != nil {
				t.Fatal(err)
			}
			got := scan(t, fakeResolver(t, f, newFakeClock()))
			if got.Unreadable != 0 || got.UnreadableFDs != 0 || got.Namespaces[0].Processes[0].Comm != "stays" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestHostileTree: what is not as the kernel makes it harms nothing.
func TestHostileTree(t *testing.T) {
	f := newFakeProc(t)
	f.add(fakeProcess{pid: 8, comm: "good", ns: nsA, start: 1})
	f.add(fakeProcess{pid: 9, comm: "bad", ns: nsA, start: 1})
	for name, text := range map[string]string{
		"9/stat": "no comm", "7": "a file", "18446744073709551616": "big", "self": "",
	} {
		if err := os.WriteFile(filepath.Join(f.root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := scan(t, fakeResolver(t, f, newFakeClock()))
	if len(got.Namespaces) != 1 || len(got.Namespaces[0].Processes) != 1 || got.Namespaces[0].Label != "good[8]" {
		t.Errorf("%+v", got)
	}
}

func TestLabel(t *testing.T) {
	dockerA, dockerB := "0::/docker/"+idA+"\n", "0::/docker/"+idB+"\n"
	bash := fakeProcess{pid: 50, comm: "bash", ns: nsA, start: 100}
	boxed := func(p fakeProcess, cgroup string) fakeProcess { p.cgroup = cgroup; return p }
	sleep := fakeProcess{pid: 60, ppid: 50, comm: "sleep", ns: nsA, start: 200}
	for _, tc := range []struct {
		name  string
		inode uint64
		procs []fakeProcess
		maker Maker
		want  string
	}{
		{"host", InitialInode, nil, Maker{PID: 5, Comm: "x"}, "host"},
		{"nothing known", nsA, nil, Maker{}, "?"},
		{"maker alone", nsA, nil, Maker{PID: 50, Comm: "ipcmk"}, "ipcmk[50]"},
		{"oldest", nsA, []fakeProcess{sleep, bash}, Maker{}, "bash[50]"},
		{"maker is the oldest and has executed", nsA, []fakeProcess{bash, sleep}, Maker{PID: 50, Comm: "unshare"}, "bash[50]"},
		{"maker is younger", nsA, []fakeProcess{bash, sleep}, Maker{PID: 60, Comm: "sleep"}, "bash[50]"},
		{"maker is gone, members are older", nsA, []fakeProcess{bash}, Maker{PID: 99, Comm: "ipcmk"}, "bash[50]"},
		{"maker is gone, members came later", nsA, []fakeProcess{{pid: 70, comm: "late", ns: nsA, start: 1 << 62}},
			Maker{PID: 99, Comm: "ipcmk"}, "ipcmk[99]"},
		{"maker is older and elsewhere", nsA, []fakeProcess{sleep, {pid: 40, comm: "runner", ns: InitialInode, start: 50}},
			Maker{PID: 40, Comm: "runner"}, "runner[40]"},
		{"container", nsA, []fakeProcess{boxed(bash, dockerA), boxed(sleep, dockerA)}, Maker{}, "docker:4f797c539e6c"},
		{"containers of a pod", nsA, []fakeProcess{boxed(bash, dockerB), boxed(sleep, dockerA)}, Maker{}, "docker:9ec39b91f3d7"},
		{"one is not in it", nsA, []fakeProcess{boxed(bash, dockerA), sleep}, Maker{}, "bash[50]"},
		{"the oldest is not in it", nsA, []fakeProcess{bash, boxed(sleep, dockerA)}, Maker{}, "bash[50]"},
		{"the maker's container", nsA, []fakeProcess{{pid: 40, ns: InitialInode, cgroup: dockerA}},
			Maker{PID: 40, Comm: "runc", CgroupID: 9}, "docker:4f797c539e6c"},
		{"a container that has got the number since", nsA,
			[]fakeProcess{{pid: 40, ns: InitialInode, cgroup: dockerA}, {pid: 70, ns: nsA, start: 300, cgroup: dockerB}},
			Maker{PID: 40, Comm: "sh", CgroupID: 9, Boot: 2 * time.Second}, "docker:4f797c539e6c"},
		{"the maker's number is another's since", nsA, []fakeProcess{{pid: 70, comm: "late", ns: nsA, start: 300}, {pid: 40, start: 400}},
			Maker{PID: 40, Comm: "sh", Boot: 2 * time.Second}, "sh[40]"},
		{"a pod, whose sandbox is older than the maker", nsA,
			[]fakeProcess{boxed(bash, dockerB), {pid: 60, ns: nsA, start: 200, cgroup: dockerA}},
			Maker{PID: 60, Comm: "app", CgroupID: 9, Boot: 3 * time.Second}, "docker:9ec39b91f3d7"},
	} {
		f := newFakeProc(t)
		for _, p := range tc.procs {
			f.add(p)
		}
		r := fakeResolver(t, f, newFakeClock())
		if got := r.Label(tc.inode, tc.maker); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestLookupHonoursMinInterval(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 10, comm: "a", ns: nsA})
	r := fakeResolver(t, f, c)
	if got := r.Label(nsA, Maker{}); got != "a[10]" {
		t.Fatal(got)
	}
	f.add(fakeProcess{pid: 11, comm: "b", ns: nsB})
	m := Maker{PID: 99, Comm: "maker"}
	for _, step := range []struct {
		wait time.Duration
		want string
	}{{0, "maker[99]"}, {249 * time.Millisecond, "maker[99]"}, {time.Millisecond, "b[11]"}} {
		c.advance(step.wait)
		if got := r.Lookup(nsB, m); got.Label != step.want {
			t.Errorf("after %v more: %q, want %q", step.wait, got.Label, step.want)
		}
	}
	// One walk found them all: nothing is due, and nothing is needed.
	f.remove(11)
	if got := r.Label(nsB, Maker{}); got != "b[11]" {
		t.Errorf("%q once its process is gone", got)
	}
}

func TestLookupLooksAgain(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 10, comm: "unshare", ns: nsA, start: 5})
	r := fakeResolver(t, f, c)
	for _, step := range []struct {
		comm string
		wait time.Duration
		want string
	}{{"unshare", 0, "unshare[10]"}, {"bash", settleTime - 1, "unshare[10]"}, {"bash", 1, "bash[10]"}, {"vi", time.Hour, "bash[10]"}} {
		f.add(fakeProcess{pid: 10, comm: step.comm, ns: nsA, start: 5})
		c.advance(step.wait)
		if got := r.Label(nsA, Maker{PID: 10, Comm: "unshare"}); got != step.want {
			t.Errorf("%s after %v more: %q", step.comm, step.wait, got)
		}
	}
}

func TestLookupGivesUp(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	r := fakeResolver(t, f, c)
	for range maxTries {
		if got := r.Label(nsA, Maker{PID: 9, Comm: "gone"}); got != "gone[9]" {
			t.Error(got)
		}
		c.advance(time.Minute)
	}
	f.add(fakeProcess{pid: 10, comm: "new", ns: nsA, start: 5})
	if got := r.Lookup(nsA, Maker{}); len(got.Processes) != 0 {
		t.Errorf("walked once more: %+v", got)
	}
	scan(t, r)
	if got := r.Lookup(nsA, Maker{}); len(got.Processes) != 1 {
		t.Errorf("no use made of a scan: %+v", got)
	}
}

// TestLookupIsLean: the host's processes are not read for the sake of others,
// nor are those of namespaces already known.
func TestLookupIsLean(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 1, comm: "init", ns: InitialInode})
	f.add(fakeProcess{pid: 10, comm: "a", ns: nsA, fds: map[int]string{3: ipcText(nsC)}})
	r := fakeResolver(t, f, c)
	if got := r.Lookup(nsA, Maker{}); len(got.Pins) != 0 || len(got.Processes) != 1 {
		t.Errorf("%+v", got)
	}
	if got := r.Lookup(InitialInode, Maker{}); got.Label != "host" || got.Processes != nil {
		t.Errorf("%+v", got)
	}
	if got := r.Label(nsC, Maker{}); got != "?" {
		t.Errorf("Lookup read descriptors: %q", got)
	}
	scan(t, r)
	if got := r.Lookup(InitialInode, Maker{}); len(got.Processes) != 1 {
		t.Errorf("%+v", got)
	}
	if got := r.Label(nsC, Maker{PID: 77, Comm: "guest"}); got != "fd of a[10]" {
		t.Errorf("%q", got)
	}
}

func TestForget(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 10, comm: "first", ns: nsA})
	r := fakeResolver(t, f, c)
	if got := r.Label(nsA, Maker{}); got != "first[10]" {
		t.Fatal(got)
	}
	f.remove(10)
	f.add(fakeProcess{pid: 11, comm: "second", ns: nsA})
	r.Forget(nsA)
	if got := r.Label(nsA, Maker{PID: 11, Comm: "unshare"}); got != "unshare[11]" {
		t.Errorf("no walk is due, but %q", got)
	}
	c.advance(time.Second)
	if got := r.Label(nsA, Maker{}); got != "second[11]" {
		t.Error(got)
	}
}

// TestRecheck: a namespace is forgotten once nobody who was in it is there.
func TestRecheck(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 10, comm: "first", ns: nsA})
	r := fakeResolver(t, f, c)
	r.Label(nsA, Maker{})
	r.Recheck(nsA)
	if got := r.Label(nsA, Maker{PID: 11, Comm: "second"}); got != "first[10]" {
		t.Errorf("still there, but %q", got)
	}
	f.remove(10)
	f.add(fakeProcess{pid: 10, comm: "stranger", ns: nsB}) // the number is another's
	r.Recheck(nsA)
	if got := r.Label(nsA, Maker{PID: 11, Comm: "second"}); got != "second[11]" {
		t.Errorf("gone, but %q", got)
	}
	r.Recheck(InitialInode)
	if got := r.Label(InitialInode, Maker{}); got != "host" {
		t.Error(got)
	}
}

// TestForeignPIDs: numbers of another pid namespace are not looked up.
func TestForeignPIDs(t *testing.T) {
	f := newFakeProc(t)
	f.add(fakeProcess{pid: 10, comm: "stranger", ns: nsB, cgroup: "0::/docker/" + strings.Repeat("a", 64) + "\n"})
	r := New(Options{ProcRoot: f.root, CgroupRoot: t.TempDir(), ForeignPIDs: true})
	if path, ok := r.Cgroup(5, 10); ok {
		t.Errorf("cgroup of a stranger: %q", path)
	}
	if got := r.Label(nsA, Maker{PID: 10, Comm: "own", CgroupID: 5}); got != "own[10]" {
		t.Error(got)
	}
}

// TestForgetDuringWalk: a walk that began before says nothing of what is after.
func TestForgetDuringWalk(t *testing.T) {
	f := newFakeProc(t)
	f.add(fakeProcess{pid: 10, comm: "first", ns: nsA})
	r := fakeResolver(t, f, newFakeClock())
	w := newWalk(f.root, true, func(inode uint64) bool { r.Forget(inode); return true })
	got, err := r.walk(context.Background(), w)
	if err != nil || len(got) != 1 || got[0].Label != "first[10]" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, cached := r.cache.Peek(nsA); cached || len(r.walks) != 0 {
		t.Error("cached what was forgotten")
	}
}

func TestCacheIsBounded(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	for i := range 20 {
		f.add(fakeProcess{pid: 100 + i, comm: "p", ns: uint64(nsA + i)})
	}
	r := New(Options{ProcRoot: f.root, CgroupRoot: t.TempDir(), Now: c.Now, MaxNamespaces: 3})
	for i := range 20 {
		if got, want := r.Label(uint64(nsA+i), Maker{}), fmt.Sprintf("p[%d]", 100+i); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := r.Lookup(uint64(nsA+i), Maker{}); len(got.Processes) != 1 {
			t.Errorf("pushed out by what else the walk found: %+v", got)
		}
		r.Cgroup(uint64(i), 1)
		c.advance(time.Hour)
	}
	if got := scan(t, r); len(got.Namespaces) != 20 {
		t.Errorf("a scan found %d", len(got.Namespaces))
	}
	if r.cache.Len() != 3 || r.cgroups.Len() != 3 {
		t.Errorf("cached %d, %d cgroups", r.cache.Len(), r.cgroups.Len())
	}
}

func TestCgroupByProcess(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 10, cgroup: "4:memory:/m\n0::/a\n"})
	r := fakeResolver(t, f, c)
	for _, tc := range []struct {
		id   uint64
		pid  int
		path string
		ok   bool
	}{{1, 10, "/a", true}, {1, 99, "/a", true}, {2, 99, "", false}, {2, 10, "", false}, {3, 0, "", false}} {
		if path, ok := r.Cgroup(tc.id, tc.pid); path != tc.path || ok != tc.ok {
			t.Errorf("%+v: %q, %v", tc, path, ok)
		}
	}
	c.advance(time.Second) // neither answer was certain
	if path, ok := r.Cgroup(2, 10); path != "/a" || !ok {
		t.Errorf("%q, %v", path, ok)
	}
	if path, ok := r.Cgroup(1, 99); ok {
		t.Errorf("%q", path)
	}
}

func TestDiff(t *testing.T) {
	f := newFakeProc(t)
	for path, target := range map[string]string{
		"1/ns/ipc": "ipc:[1]", "1/ns/mnt": "mnt:[2]", "1/ns/time": "time:[3]",
		"2/ns/ipc": "ipc:[9]", "2/ns/mnt": "mnt:[2]", "2/ns/user": "user:[4]",
	} {
		path = filepath.Join(f.root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path)); err != nil {
			t.Fatal(err)
		}
	}
	r := fakeResolver(t, f, newFakeClock())
	got, err := r.Diff(1, 2)
	want := []Link{
		{"ipc", "ipc:[1]", "ipc:[9]", false},
		{"mnt", "mnt:[2]", "mnt:[2]", true},
		{"time", "time:[3]", "", false},
		{"user", "", "user:[4]", false},
	}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	for _, pair := range [][2]int{{1, 12}, {12, 1}} {
		_, err := r.Diff(pair[0], pair[1])
		if !errors.Is(err, fs.ErrNotExist) || err.Error() != "read namespace links of 12: no such file or directory" {
			t.Error(err)
		}
	}
}

// TestConcurrent is for the race detector: everything at once, over processes
// that come and go.
func TestConcurrent(t *testing.T) {
	f := newFakeProc(t)
	r := New(Options{ProcRoot: f.root, CgroupRoot: t.TempDir(), MinInterval: time.Microsecond, MaxNamespaces: 8})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	churn := func(work func(i int)) {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					work(i)
				}
			}
		})
	}
	inode := func(i int) uint64 { return uint64(nsA + i%20) }
	churn(func(i int) {
		f.write(fakeProcess{pid: 1 + i%30, comm: "x", ns: inode(i), mnt: 1, fds: map[int]string{1: ipcText(inode(i + 1))}})
	})
	churn(func(i int) { os.RemoveAll(f.dir(1 + i*7%30)) })
	for range 2 {
		churn(func(i int) { r.Scan(context.Background()) })
		churn(func(i int) {
			n := r.Lookup(inode(i), Maker{PID: i % 30, Comm: "m", CgroupID: uint64(i % 5)})
			_ = slices.Clone(n.Processes)
		})
	}
	churn(func(i int) { r.Forget(inode(i)) })
	churn(func(i int) { r.Cgroup(uint64(i%20), i%30) })
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
}
