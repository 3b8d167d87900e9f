package kerneltest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Cgroup makes a cgroup (v2) for a test, and removes it with all that is below when
// the test ends: its directory, and its path as an event has it.
func Cgroup(t testing.TB) (dir, path string) {
	t.Helper()
	NeedRoot(t)
	mount, root := cgroupMount()
	if mount == "" {
		Lacks(t, "no cgroup2 mount")
	}
	dir, err := os.MkdirTemp(mount, fmt.Sprintf("ipctrace-test-%d-", os.Getpid()))
	if err != nil {
		Lacks(t, fmt.Sprintf("make a cgroup: %v", err))
	}
	t.Cleanup(func() {
		if err := removeCgroup(dir); err != nil {
			t.Error(err)
		}
	})
	return dir, strings.TrimSuffix(root, "/") + "/" + filepath.Base(dir)
}

// cgroupMount is where cgroup v2 is mounted, and which cgroup its root is.
func cgroupMount() (mount, root string) {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		own, source, _ := strings.Cut(line, " - ")
		if f := strings.Fields(own); len(f) > 4 && strings.HasPrefix(source, "cgroup2 ") {
			return f[4], f[3]
		}
	}
	return "", ""
}

// removeCgroup removes a cgroup: by rmdir, its files go with it.
func removeCgroup(dir string) error {
	below, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range below {
		if d.IsDir() {
			if err := removeCgroup(filepath.Join(dir, d.Name())); err != nil {
				return err
			}
		}
	}
	return unix.Rmdir(dir)
}
