package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/nsresolve"
)

// glanceTime is how long to look at most: somebody waits with a finger on a key.
const glanceTime = 80 * time.Millisecond

// glimpse is what one look at a process tells.
type glimpse struct {
	pid       int
	comm      string
	ns        uint64              // inode of its IPC namespace, 0 where that is not to be read
	container nsresolve.Container // without an ID: none
}

// glance looks at the processes that there are but for the kernel's own, in the order of their numbers; not at
// all of them where there are too many to do so at once.
func glance() (all []glimpse) {
	enough := time.Now().Add(glanceTime)
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
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
		if time.Now().After(enough) {
			break
		}
		comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if s, ok := statOf(pid); err == nil && ok && !s.kernel {
			all = append(all, glimpseOf(pid, strings.TrimSuffix(string(comm), "\n")))
		}
	}
	return all
}

func glimpseOf(pid int, comm string) glimpse {
	g := glimpse{pid: pid, comm: comm}
	link, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/ipc", pid))
	g.ns, _ = strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(link, "ipc:["), "]"), 10, 32)
	cgroups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(cgroups)) {
		const path = 2 // behind two colons
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", path+1)
		if c, ok := nsresolve.ParseCgroup(fields[len(fields)-1]); ok {
			g.container = c
			break
		}
	}
	return g
}

// label is what a namespace is called in which this process is the first.
func (g *glimpse) label() string {
	switch {
	case g.ns == nsresolve.InitialInode:
		return "host"
	case g.container.ID != "":
		return g.container.Runtime + " " + g.container.ID + " " + g.comm
	}
	return fmt.Sprintf("%s[%d]", g.comm, g.pid)
}
