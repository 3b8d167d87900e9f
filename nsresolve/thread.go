package nsresolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Thread is a thread as a quicker source than /proc tells of it. Numbers are
// those of the initial pid and user namespaces.
type Thread struct {
	TID            int
	Namespace      uint64 // inode of its IPC namespace
	NamespaceID    uint64 // the kernel's id of that, 0 if unknown
	MountNamespace uint64 // inode

	// Device and inode of its root directory, as any numbers that tell two
	// apart. 0 where it has none any more.
	RootDev, RootInode uint64

	// Of the process, as /proc/PID says it.

	PID, PPID    int
	Comm         string
	Start        uint64 // clock ticks after boot
	UID          uint32 // real uid
	CgroupID     uint64 // of cgroup v2, 0 if unknown
	Cgroups      uint64 // the same for processes in the same cgroups of all hierarchies; 0: unknown
	KernelThread bool
}

// Descriptor is an open descriptor of a namespace of whatever type.
type Descriptor struct {
	PID, TID int // TID differs from PID where that thread has a table of its own
	FD       int
	Inode    uint64
}

// showsHost reports whether procRoot has the processes of the whole machine, and
// this program sees them as the kernel does: it has a number there, is in the
// initial pid namespace and has the clocks of the initial time namespace. Both
// have fixed inode numbers (include/linux/proc_ns.h); a kernel may be without
// time namespaces.
func showsHost(procRoot string) bool {
	pids, err := os.Readlink(filepath.Join(procRoot, "self/ns/pid"))
	if err != nil || pids != "pid:[4026531836]" {
		return false
	}
	times, err := os.Readlink(filepath.Join(procRoot, "self/ns/time"))
	return errors.Is(err, fs.ErrNotExist) || times == "time:[4026531834]"
}

// list asks the quicker source, if there is one and it speaks of the processes
// that ProcRoot shows.
func (w *walk) list() ([]Thread, bool) {
	if w.tasks == nil || !w.host {
		return nil, false
	}
	threads, err := w.tasks()
	return threads, err == nil
}

// readList is what the walk over /proc is, for processes that are all listed.
func (w *walk) readList(ctx context.Context, root int, threads []Thread) error {
	members := make(map[member]int) // index in processes
	for _, t := range threads {
		if w.want(t.Namespace) && !w.visits(t.PID, t.Namespace) {
			w.join(members, t)
		}
	}
	for _, s := range w.found {
		for _, p := range s.processes {
			slices.Sort(p.Threads)
		}
	}
	if !w.pins {
		return nil
	}
	for _, t := range threads {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.listedMounts(root, t)
	}
	return w.listedDescriptors(ctx, root, threads)
}

// member is a process in a namespace; its threads may be in several.
type member struct {
	inode, id uint64
	pid       int
}

func (w *walk) join(members map[member]int, t Thread) {
	s := w.as(t.Namespace, t.NamespaceID)
	m := member{t.Namespace, t.NamespaceID, t.PID}
	i, known := members[m]
	if !known {
		i = len(s.processes)
		members[m] = i
		s.processes = append(s.processes, Process{
			PID: t.PID, PPID: t.PPID, Comm: bounded(t.Comm, maxComm), Start: t.Start, UID: t.UID,
			Cgroup: w.cgroup(t),
		})
	}
	s.processes[i].Threads = append(s.processes[i].Threads, t.TID)
}

// listedMounts reads the mount table of a thread, unless one that shows the same
// was read.
func (w *walk) listedMounts(root int, t Thread) {
	view := mountView{inode: t.MountNamespace, dev: t.RootDev, ino: t.RootInode}
	if _, known := w.mounts[view]; known || t.RootInode == 0 {
		return
	}
	if w.readMounts(root, fmt.Sprintf("%d/task/%d", t.PID, t.TID), t.TID) {
		w.mounts[view] = struct{}{}
	}
}

// listedDescriptors looks at the descriptors listed, or where they are not at
// all of every process.
func (w *walk) listedDescriptors(ctx context.Context, root int, threads []Thread) error {
	if w.files != nil {
		if list, err := w.files(); err == nil {
			w.holders(root, list)
			return nil
		}
	}
	for _, t := range threads {
		if err := ctx.Err(); err != nil {
			return err
		}
		if t.KernelThread || t.TID != t.PID {
			continue
		}
		if dir, err := openPath(root, strconv.Itoa(t.PID)); err == nil {
			w.descriptors(dir, t.PID)
			unix.Close(dir)
		}
	}
	return nil
}

// holders keeps what turns out to be a descriptor of an IPC namespace. The directory
// of a process is opened once for all that it has.
func (w *walk) holders(root int, list []Descriptor) {
	slices.SortStableFunc(list, func(a, b Descriptor) int { return cmp.Compare(a.PID, b.PID) })
	for len(list) > 0 {
		pid, n := list[0].PID, 0
		for n < len(list) && list[n].PID == pid {
			n++
		}
		if dir, err := openPath(root, strconv.Itoa(pid)); err == nil {
			w.held(dir, pid, list[:n])
			unix.Close(dir)
		}
		list = list[n:]
	}
}

// held looks at the descriptors listed of the process whose directory is open.
func (w *walk) held(dir, pid int, list []Descriptor) {
	for _, d := range list {
		name := "fd/" + strconv.Itoa(d.FD)
		if d.TID != d.PID {
			name = "task/" + strconv.Itoa(d.TID) + "/" + name
		}
		if h, ok := handleAt(dir, name); ok {
			if h.nsType == unix.CLONE_NEWIPC {
				w.hold(dir, w.as(uint64(h.inode), h.id), pid, name)
			}
			continue
		}
		if err := w.descriptor(dir, pid, name); denied(err) && exists(dir, "stat") {
			w.refuseFDs(err)
		}
	}
}
