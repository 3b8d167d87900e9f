package main

import (
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/nsresolve"
)

// glanceTime is how long to look at most: somebody waits with a finger on a key.
const glanceTime = 80 * time.Millisecond

// glance is the processes that there are, by number; not all of them where there are
// too many to be looked at at once.
func glance() iter.Seq[int] {
	return func(yield func(pid int) bool) {
		enough := time.Now().Add(glanceTime)
		proc, err := os.Open("/proc")
		if err != nil {
			return
		}
		defer proc.Close()
		names, _ := proc.Readdirnames(-1)
		var pids []int
		for _, name := range names {
			if pid, err := strconv.Atoi(name); err == nil {
				pids = append(pids, pid)
			}
		}
		slices.Sort(pids)
		for _, pid := range pids {
			if time.Now().After(enough) || !yield(pid) {
				return
			}
		}
	}
}

// ipcOf is the inode number of a process's IPC namespace, false where that may not be
// read.
func ipcOf(pid int) (inode uint64, ok bool) {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/ipc", pid))
	if err != nil {
		return 0, false
	}
	inode, err = strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "ipc:["), "]"), 10, 32)
	return inode, err == nil
}

// containerOf is the container that a process is in, false if it is in none.
func containerOf(pid int) (nsresolve.Container, bool) {
	cgroups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(cgroups)) {
		const path = 2 // behind two colons
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", path+1)
		if c, ok := nsresolve.ParseCgroup(fields[len(fields)-1]); ok {
			return c, true
		}
	}
	return nsresolve.Container{}, false
}

// called is what a namespace is called in which this process is the first.
func called(inode uint64, pid int) string {
	if inode == nsresolve.InitialInode {
		return "host"
	}
	s, _ := statOf(pid)
	if c, ok := containerOf(pid); ok {
		return fmt.Sprintf("%s %s %s", c.Runtime, c.ID, s.comm)
	}
	return fmt.Sprintf("%s[%d]", s.comm, pid)
}
