package nsresolve

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// asHost makes the tree look like the machine's own.
func (f *fakeProc) asHost(pids, times string) {
	f.t.Helper()
	ns := filepath.Join(f.root, "self", "ns")
	if err := os.MkdirAll(ns, 0o755); err != nil {
		f.t.Fatal(err)
	}
	for name, target := range map[string]string{"pid": pids, "time": times} {
		if target == "" {
			continue
		}
		if err := os.Symlink(target, filepath.Join(ns, name)); err != nil {
			f.t.Fatal(err)
		}
	}
}

const initialPIDs, initialTimes = "pid:[4026531836]", "time:[4026531834]"

// TestListed: a list of threads and descriptors leads to what the walk over the
// same tree finds.
func TestListed(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.asHost(initialPIDs, initialTimes)
	mounts := "36 28 0:4 ipc:[4026532003] /run/my\\040ns rw - nsfs nsfs rw\n"
	f.add(fakeProcess{pid: 1, comm: "init", ns: InitialInode, start: 1, mnt: 5, mountinfo: mounts})
	f.add(fakeProcess{pid: 30, ppid: 1, comm: "holder", ns: nsA, start: 500, uid: 7, fds: map[int]string{
		0: "/dev/null", 3: ipcText(nsB), 5: "net:[4026532009]",
	}})
	f.add(fakeProcess{pid: 40, comm: "split", start: 600, threads: map[int]uint64{40: InitialInode, 42: nsA, 41: nsA}})

	split := Thread{PID: 40, Comm: "split", Start: 600}
	in := func(t Thread, tid int, ns uint64) Thread { t.TID, t.Namespace = tid, ns; return t }
	threads := []Thread{
		{TID: 1, PID: 1, Comm: "init", Start: 1, Namespace: InitialInode, MountNamespace: 5, RootInode: 2},
		{TID: 30, PID: 30, PPID: 1, Comm: "holder", Start: 500, UID: 7, Namespace: nsA, MountNamespace: 5, RootInode: 2},
		in(split, 42, nsA), in(split, 40, InitialInode), in(split, 41, nsA),
	}
	list := func() ([]Thread, error) { return threads, nil }
	files := func() ([]Descriptor, error) {
		return []Descriptor{{PID: 30, TID: 30, FD: 3, Inode: nsB}, {PID: 30, TID: 30, FD: 5, Inode: 4026532009}, {PID: 99, TID: 99, FD: 1, Inode: nsB}}, nil
	}
	broken := errors.New("no such thing here")
	o := Options{ProcRoot: f.root, CgroupRoot: t.TempDir(), Now: c.Now}
	want := scan(t, New(o))
	if len(want.Namespaces) != 4 {
		t.Fatalf("%+v", want)
	}
	for name, with := range map[string]Options{
		"both":           {Tasks: list, Descriptors: files},
		"threads":        {Tasks: list},
		"descriptors":    {Descriptors: files},
		"no threads":     {Tasks: func() ([]Thread, error) { return nil, broken }, Descriptors: files},
		"no descriptors": {Tasks: list, Descriptors: func() ([]Descriptor, error) { return nil, broken }},
	} {
		o := o
		o.Tasks, o.Descriptors = with.Tasks, with.Descriptors
		if d := cmp.Diff(want, scan(t, New(o))); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
	}
}

// TestListedElsewhere: a list of this machine's processes is not taken for that
// of another tree, or of a pid namespace.
func TestListedElsewhere(t *testing.T) {
	for _, tc := range []struct {
		name, pids, times string
		asked             bool
	}{
		{"host", initialPIDs, initialTimes, true},
		{"no time namespaces", initialPIDs, "", true},
		{"no number there", "", "", false},
		{"inner pid namespace", "pid:[4026532200]", initialTimes, false},
		{"other clock", initialPIDs, "time:[4026532201]", false},
	} {
		f := newFakeProc(t)
		f.asHost(tc.pids, tc.times)
		asked := false
		r := New(Options{ProcRoot: f.root, CgroupRoot: t.TempDir(), Tasks: func() ([]Thread, error) { asked = true; return nil, nil }})
		scan(t, r)
		if asked != tc.asked {
			t.Errorf("%s: asked %v", tc.name, asked)
		}
	}
}

// TestListedReuse: of two namespaces that had an inode one after the other, the
// one listed later counts, in a scan and between two.
func TestListedReuse(t *testing.T) {
	f := newFakeProc(t)
	f.asHost(initialPIDs, "")
	var threads []Thread
	r := New(Options{ProcRoot: f.root, CgroupRoot: t.TempDir(), Tasks: func() ([]Thread, error) { return threads, nil }})
	a := Thread{TID: 5, PID: 5, Comm: "a", Namespace: nsA, NamespaceID: 100}
	b := Thread{TID: 6, PID: 6, Comm: "b", Namespace: nsA, NamespaceID: 200}
	for _, tc := range []struct {
		threads []Thread
		id      uint64
		label   string
	}{
		{[]Thread{a}, 100, "a[5]"},
		{[]Thread{a, b}, 200, "b[6]"},
		{[]Thread{b, a}, 100, "a[5]"}, // ids do not tell which is older
		{[]Thread{{TID: 7, PID: 7, Comm: "c", Namespace: nsA, NamespaceID: 300}}, 300, "c[7]"},
	} {
		threads = tc.threads
		got := scan(t, r).Namespaces
		if len(got) == 0 || got[0].ID != tc.id || got[0].Label != tc.label || got[0].Threads != 1 {
			t.Errorf("want %d %s: %+v", tc.id, tc.label, got)
		}
	}
}
