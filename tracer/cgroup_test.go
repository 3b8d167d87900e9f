package tracer_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// paths are what a tracer has told of cgroups, by their number.
type paths map[uint64]string

func (c paths) add(id uint64, path string) { c[id] = path }

// makeCgroup makes one, tells its number, and removes it.
func makeCgroup(t *testing.T, path string) (id uint64) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := errors.Join(unix.Stat(path, &st), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// drained is a tracer's stats, once all that it recorded is read.
func drained(t *testing.T, tr *tracer.Tracer) tracer.Stats {
	t.Helper()
	tr.Stop()
	for _, err := range tr.Events() {
		if err != nil && !errors.Is(err, tracer.ErrSkipped) {
			t.Fatal(err)
		}
	}
	return tr.Stats()
}

// TestKernelCgroups: a cgroup is told with its number and its path, also when it is
// gone before anybody reads of it; those of v1 are not.
func TestKernelCgroups(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		seen := paths{}
		tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: 1 << 16, Cgroup: seen.add})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		for _, gap := range tr.Gaps() {
			if strings.Contains(gap, "cgroup") {
				t.Errorf("a gap: %s", gap)
			}
		}
		root, below := kerneltest.Cgroup(t)
		want := paths{}
		for i := range 24 {
			path := fmt.Sprintf("%s/docker-%d.scope", root, i)
			want[makeCgroup(t, path)] = below + "/" + filepath.Base(path)
		}
		old := oldHierarchy()
		if old != "" {
			makeCgroup(t, fmt.Sprintf("%s/ipctrace-%d-v1", old, os.Getpid()))
		}
		stats := drained(t, tr)
		for id, path := range want {
			if seen[id] != path {
				t.Errorf("cgroup %d is told as %q, want %q", id, seen[id], path)
			}
		}
		for _, path := range seen {
			if strings.HasSuffix(path, fmt.Sprintf("ipctrace-%d-v1", os.Getpid())) {
				t.Errorf("%s of cgroup v1 is told", path)
			}
		}
		if stats.CgroupsLost != 0 || stats.Cgroups < uint64(len(want)) {
			t.Errorf("%d told of, %+v", len(seen), stats)
		}
	})
}

// oldHierarchy is a mount of cgroup v1, "" where there is none.
func oldHierarchy() string {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup" {
			return f[1]
		}
	}
	return ""
}

// TestKernelCgroupsLost: those that find no room, and those whose path the kernel
// cuts, are counted; what is told is whole.
func TestKernelCgroupsLost(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		seen := paths{}
		tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: 1 << 16, Cgroup: seen.add})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		path, _ := kerneltest.Cgroup(t)
		// Five of these are more than the kernel tells, four are not.
		name := fmt.Sprintf("ipctrace-%d-%s", os.Getpid(), strings.Repeat("x", 200))
		for range 5 {
			path += "/" + name
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		long := filepath.Dir(path)
		const flood = 1500 // times 900 bytes and more
		for range flood {
			makeCgroup(t, long+"/short")
		}
		stats := drained(t, tr)
		if stats.CgroupsLost < 1+flood/10 || stats.Cgroups < flood+5 || stats.Cgroups-stats.CgroupsLost != uint64(len(seen)) {
			t.Errorf("%d told of, %+v", len(seen), stats)
		}
		for _, path := range seen {
			if strings.Contains(path, name) && !strings.HasSuffix(path, name) && !strings.HasSuffix(path, "/short") {
				t.Errorf("cut: %q", path)
			}
		}
	})
}
