package nsresolve

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// TestNoteCgroup: what was told of a cgroup is believed over what its process says,
// for good, and takes the place of an answer that was not certain.
func TestNoteCgroup(t *testing.T) {
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 10, cgroup: "0::/elsewhere\n"})
	r := fakeResolver(t, f, c)
	r.Cgroup(7, 99)
	r.NoteCgroup(7, "/docker-1.scope")
	c.advance(time.Hour)
	for _, id := range []uint64{7, 8, 9} {
		for _, bad := range []string{"", "relative", "/" + strings.Repeat("x", maxPath)} {
			r.NoteCgroup(id, bad)
		}
	}
	for id, want := range map[uint64]string{7: "/docker-1.scope", 8: "/elsewhere"} {
		if path, ok := r.Cgroup(id, 10); path != want || !ok {
			t.Errorf("%d: %q, %v, want %q", id, path, ok, want)
		}
	}
}

// TestCgroupsAreBounded by their number, and by what their names take.
func TestCgroupsAreBounded(t *testing.T) {
	r := fakeResolver(t, newFakeProc(t), newFakeClock())
	long := "/" + strings.Repeat("x", maxPath-1)
	for id := range uint64(2 * maxCgroups) {
		r.NoteCgroup(id, "/short")
	}
	if n := r.cgroups.Len(); n != maxCgroups {
		t.Errorf("%d cached, want %d", n, maxCgroups)
	}
	for id := range uint64(2 * maxCgroupBytes / maxPath) {
		r.NoteCgroup(id, long)
		r.NoteCgroup(id, long) // again: it is there once
	}
	if sum := r.cgroups.Size(); sum > maxCgroupBytes || sum < maxCgroupBytes-2*maxPath {
		t.Errorf("%d bytes cached, want some %d", sum, maxCgroupBytes)
	}
	if path, _ := r.Cgroup(2*maxCgroupBytes/maxPath-1, 0); path != long {
		t.Error("the newest is not there")
	}
}

// TestKernelReadCgroups: what was there is known when it is gone.
func TestKernelReadCgroups(t *testing.T) {
	dir, path := kerneltest.Cgroup(t)
	ids := map[uint64]string{}
	below := dir
	for i := range 5 {
		below = filepath.Join(below, fmt.Sprintf("level %d\x1b", i))
		if err := os.Mkdir(below, 0o755); err != nil {
			t.Fatal(err)
		}
		ids[inodeAt(t, below)] = path + strings.TrimPrefix(below, dir)
	}
	r := New(Options{})
	if err := r.ReadCgroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	for ; below != dir; below = filepath.Dir(below) {
		if err := unix.Rmdir(below); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range ids {
		if got, ok := r.Cgroup(id, 0); got != want || !ok {
			t.Errorf("%q, %v, want %q", got, ok, want)
		}
	}
	few := New(Options{MaxNamespaces: 3})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := few.ReadCgroups(t.Context()); err != nil || few.cgroups.Len() > 3 {
		t.Errorf("%v, %d cached", err, few.cgroups.Len())
	}
	if err := few.ReadCgroups(ended); err == nil {
		t.Error("it goes on when it is to end")
	}
}

// TestContainerName: a namespace is called by its container's name from when that is
// known, whatever a walk finds then.
func TestContainerName(t *testing.T) {
	const id = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
	f, c := newFakeProc(t), newFakeClock()
	f.add(fakeProcess{pid: 10, comm: "postgres", ns: nsA, cgroup: "0::/docker-" + id + ".scope\n"})
	name := ""
	r := New(Options{
		ProcRoot: f.root, CgroupRoot: t.TempDir(), Now: c.Now,
		ContainerName: func(got, runtime string) string {
			if got != id || runtime != "docker" {
				t.Errorf("asked for %s %s", runtime, got)
			}
			return name
		},
	})
	for _, want := range []string{"docker:4f797c539e6c", "docker:d\x1bb"} {
		if want != "docker:4f797c539e6c" {
			name = "d\x1bb"
		}
		for range 3 {
			if got := r.Label(nsA, Maker{}); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if s := scan(t, r); s.Namespaces[0].Label != want {
				t.Errorf("a scan says %q, want %q", s.Namespaces[0].Label, want)
			}
			c.advance(time.Minute)
		}
	}
}

// TestContainerOfMaker: whoever has its number by now, or where it went since, is not
// taken for where it was.
func TestContainerOfMaker(t *testing.T) {
	const id = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
	const boxed, v1 = "0::/docker-" + id + ".scope\n", "4:memory:/docker/" + id + "\n"
	for _, tc := range []struct{ name, file, noted, want string }{
		{"it was on the host", boxed, "/system.slice/a.service", "maker[10]"},
		{"it was in another one", boxed, "/libpod-" + strings.Repeat("ab", 32) + ".scope", "podman:abababababab"},
		{"v1, where it was", v1 + "0::/system.slice/a.service\n", "/system.slice/a.service", "docker:4f797c539e6c"},
		{"v1, elsewhere", v1 + "0::/system.slice/docker.service\n", "/system.slice/a.service", "maker[10]"},
		{"v1 alone", v1, "", "docker:4f797c539e6c"},
		{"nothing noted", boxed, "", "docker:4f797c539e6c"},
	} {
		f := newFakeProc(t)
		f.add(fakeProcess{pid: 10, comm: "now", cgroup: tc.file})
		r := fakeResolver(t, f, newFakeClock())
		if tc.noted != "" {
			r.NoteCgroup(9, tc.noted)
		}
		if got := r.Label(nsA, Maker{PID: 10, Comm: "maker", CgroupID: 9}); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestKernelContainerOfStranger: the cgroup of the maker is gone, and its number is now a
// process's in a container.
func TestKernelContainerOfStranger(t *testing.T) {
	dir, path := kerneltest.Cgroup(t)
	gone, box := filepath.Join(dir, "gone"), filepath.Join(dir, "docker-"+strings.Repeat("cd", 32)+".scope")
	for _, d := range []string{gone, box} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	id := inodeAt(t, gone)
	if err := unix.Rmdir(gone); err != nil {
		t.Fatal(err)
	}
	f := newFakeProc(t)
	f.add(fakeProcess{pid: 10, comm: "stranger", cgroup: "0::" + path + "/" + filepath.Base(box) + "\n"})
	r := New(Options{ProcRoot: f.root})
	if got := r.Label(nsA, Maker{PID: 10, Comm: "maker", CgroupID: id}); got != "maker[10]" {
		t.Errorf("%q", got)
	}
}

// TestContainers: those of a namespace, by the oldest process of each.
func TestContainers(t *testing.T) {
	id := func(n int) string { return fmt.Sprintf("%064x", n) }
	n := Namespace{Processes: []Process{
		{Cgroup: "/init.scope"}, {Cgroup: "/docker-" + id(2) + ".scope"}, {Cgroup: "/libpod-" + id(1) + ".scope/x"},
		{Cgroup: "/docker-" + id(2) + ".scope/y"}, {Cgroup: ""},
	}}
	want := []Container{{id(2), "docker"}, {id(1), "podman"}}
	if got := n.Containers(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestKernelContainerGone: a container is gone with its own cgroup, not with one in it;
// and back when it is started again.
func TestKernelContainerGone(t *testing.T) {
	dir, path := kerneltest.Cgroup(t)
	name := "/docker-" + strings.Repeat("ab", 32) + ".scope"
	r := New(Options{})
	inner := path + name + "/inner"
	for _, there := range []bool{false, true, false, true} {
		var err error
		switch _, missing := os.Stat(dir + name); {
		case there:
			err = os.Mkdir(dir+name, 0o755)
		case missing == nil:
			err = os.Remove(dir + name)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := r.ContainerGone(inner); got == there {
			t.Errorf("there: %v, gone: %v", there, got)
		}
	}
	for _, other := range []string{"", "/", path + "/none", "relative", "/.." + path + name} {
		if r.ContainerGone(other) {
			t.Errorf("%q is not known to be gone", other)
		}
	}
}
