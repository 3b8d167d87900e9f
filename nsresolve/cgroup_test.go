package nsresolve

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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
