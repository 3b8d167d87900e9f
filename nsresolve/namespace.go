package nsresolve

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// InitialInode is the inode number of the initial IPC namespace on every
// kernel (PROC_IPC_INIT_INO in include/linux/proc_ns.h).
const InitialInode = 4026531839

// Bounds on text taken over from the kernel or from a caller.
const (
	// A kernel worker's name in /proc/PID/stat has up to 64 bytes
	// (proc_task_name in fs/proc/array.c); other comms have 15.
	maxComm = 64
	// PATH_MAX. The kernel gives no longer cgroup path (proc_cgroup_show).
	maxPath = 4096
)

// Namespace is one IPC namespace as last seen. Its slices are shared with the
// cache: read them, do not change them.
type Namespace struct {
	Inode     uint64
	ID        uint64 // the kernel's, never used again; 0: unknown, or a kernel before 6.18
	Initial   bool
	Label     string
	Container *Container // nil where its processes are not all in containers
	Processes []Process  // oldest first
	Threads   int        // of all of them
	Pins      []Pin      // mounts, then descriptors; found by Scan alone
}

// Process is a process with at least one thread in the namespace.
type Process struct {
	PID, PPID int
	Comm      string
	Start     uint64 // clock ticks after boot, field 22 of /proc/PID/stat
	UID       uint32 // real uid, in the reader's user namespace
	Threads   []int  // the TIDs that are in the namespace, ascending
	Cgroup    string // the cgroup v2 path, or a v1 path where only that names a container
}

// PinKind says what keeps a namespace alive without a process in it.
type PinKind string

// The kinds of pin.
const (
	PinMount PinKind = "mount" // an nsfs bind mount
	PinFD    PinKind = "fd"    // an open descriptor
)

// Pin is something that holds a namespace. Path is the mount point as seen from
// the root of PID, which may be a thread with a mount namespace of its own, so
// that /proc/PID/root/Path reaches it; or /proc/PID/fd/N,
// with task/TID before fd where the thread has a table of its own.
type Pin struct {
	Kind PinKind
	PID  int
	Path string
}

// Maker says which process an event came from. It names a namespace when no
// older process in it is known. PID is in the pid namespace of ProcRoot. Boot is
// CLOCK_BOOTTIME of the event, 0 if that is not known: who began later is no older, and
// on a kernel without ids of namespaces perhaps in another one, which has got the number.
type Maker struct {
	PID      int
	Comm     string
	CgroupID uint64
	Boot     time.Duration
}

// origin is a Maker with what /proc still knew of it.
type origin struct {
	Maker
	start     uint64 // at the latest
	container *Container
}

func (m Maker) known() bool { return m.PID != 0 || m.Comm != "" }

// label follows the rule in the package documentation. holder is the comm of
// the process that has the first descriptor.
func (n *Namespace) label(made origin, holder string) string {
	switch {
	case n.Initial:
		return "host"
	case n.Container != nil:
		return n.Container.label()
	case len(n.Processes) > 0:
		oldest := n.Processes[0]
		// The maker's comm is the one it had at the event; if it is still
		// here it has perhaps executed something else since.
		if made.known() && made.PID != oldest.PID && made.start <= oldest.Start {
			return processLabel(made.Comm, made.PID)
		}
		return processLabel(oldest.Comm, oldest.PID)
	case made.known():
		return processLabel(made.Comm, made.PID)
	case len(n.Pins) > 0 && n.Pins[0].Kind == PinMount:
		return "mount:" + n.Pins[0].Path
	case len(n.Pins) > 0:
		return "fd of " + processLabel(holder, n.Pins[0].PID)
	}
	return "?"
}

// container is the oldest process's, if every process is in one; the maker's, if that
// was in one and is older still.
func (n *Namespace) container(made origin) *Container {
	if n.Initial {
		return nil
	}
	if len(n.Processes) == 0 {
		return made.container
	}
	for _, p := range n.Processes[1:] {
		if _, ok := ParseCgroup(p.Cgroup); !ok {
			return nil
		}
	}
	if c, ok := ParseCgroup(n.Processes[0].Cgroup); ok {
		if made.container != nil && made.start <= n.Processes[0].Start {
			return made.container
		}
		return &c
	}
	return nil
}

// Containers are those that processes in the namespace are in, by the oldest of each.
// Where there are several, they share it; in the initial namespace with the host.
func (n *Namespace) Containers() []Container {
	var all []Container
	seen := map[Container]bool{}
	for _, p := range n.Processes {
		if c, ok := ParseCgroup(p.Cgroup); ok && !seen[c] {
			seen[c] = true
			all = append(all, c)
		}
	}
	return all
}

func processLabel(comm string, pid int) string {
	return comm + "[" + strconv.Itoa(pid) + "]"
}

func sortProcesses(ps []Process) {
	slices.SortFunc(ps, func(a, b Process) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.PID, b.PID))
	})
}

func sortPins(pins []Pin) {
	slices.SortFunc(pins, func(a, b Pin) int {
		if a.Kind != b.Kind {
			return cmp.Compare(b.Kind, a.Kind) // mounts before descriptors
		}
		if a.Kind == PinFD && a.PID != b.PID {
			return cmp.Compare(a.PID, b.PID)
		}
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.PID, b.PID))
	})
}

func bounded(s string, limit int) string {
	if len(s) > limit {
		return s[:limit]
	}
	return s
}
