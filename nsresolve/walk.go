package nsresolve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// walk is one pass over /proc. It belongs to one goroutine.
type walk struct {
	procRoot string
	host     bool                    // procRoot shows the machine's processes
	pins     bool                    // mount tables and descriptors too
	want     func(inode uint64) bool // whose processes are read in detail
	tasks    func() ([]Thread, error)
	files    func() ([]Descriptor, error)
	cgroup   func(Thread) string
	found    map[uint64]*seen       // by inode
	mounts   map[mountView]struct{} // mount tables read
	mountIDs map[int]struct{}       // mounts seen, perhaps from another root
	comms    map[int]string         // of processes with descriptors
	subject  uint64                 // the inode it is for, if any
	buf      []byte
	visitor  int    // a process whose threads elsewhere than home are left out; 0: none
	home     uint64 // inode of its first thread's namespace
	refused  int    // processes
	refusedF int    // processes whose descriptors were refused

	// stale has the inodes forgotten since the walk began: what it says of
	// them may be of the namespace before. Guarded by Resolver.mu.
	stale map[uint64]struct{}
}

// seen is what a walk found of one namespace.
type seen struct {
	id        uint64 // 0: unknown
	processes []Process
	pins      []Pin
}

// mountView: what a table shows depends on the root of its reader as well
// (show_mountinfo leaves out what is not below it).
type mountView struct {
	inode    uint64
	root     string // or, from a list:
	dev, ino uint64
}

// thread is a thread's place.
type thread struct {
	tid   int
	inode uint64
}

func newWalk(procRoot string, pins bool, want func(uint64) bool) *walk {
	return &walk{
		procRoot: procRoot, pins: pins, want: want,
		found:    make(map[uint64]*seen),
		mounts:   make(map[mountView]struct{}),
		mountIDs: make(map[int]struct{}),
		comms:    make(map[int]string),
		stale:    make(map[uint64]struct{}),
	}
}

// visit leaves out where this program only looks around.
func (w *walk) visit() {
	link, err := readLink(unix.AT_FDCWD, filepath.Join(w.procRoot, "self/ns/ipc"))
	if err != nil {
		return
	}
	w.visitor = os.Getpid()
	w.home, _ = ipcLink(link)
}

func (w *walk) visits(pid int, inode uint64) bool { return pid == w.visitor && inode != w.home }

func (w *walk) run(ctx context.Context) error {
	root, err := openDir(unix.AT_FDCWD, w.procRoot)
	if err != nil {
		return fmt.Errorf("open %s: %w", w.procRoot, err)
	}
	defer unix.Close(root)
	if threads, ok := w.list(); ok {
		err = w.readList(ctx, root, threads)
	} else {
		err = eachNumber(root, func(pid int) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			w.process(root, pid)
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("walk %s: %w", w.procRoot, err)
	}
	for _, s := range w.found {
		sortProcesses(s.processes)
		sortPins(s.pins)
	}
	if w.pins {
		w.identify()
	}
	return nil
}

// inodes lists what was found in the order to cache it: the subject last, so
// that the others do not push it out of a small cache.
func (w *walk) inodes() []uint64 {
	return slices.SortedFunc(maps.Keys(w.found), func(a, b uint64) int {
		switch w.subject {
		case a:
			return 1
		case b:
			return -1
		}
		return cmp.Compare(a, b)
	})
}

func (w *walk) at(inode uint64) *seen {
	s := w.found[inode]
	if s == nil {
		s = new(seen)
		w.found[inode] = s
	}
	return s
}

// as is at for when the namespace's id is known: what was found under another one
// is gone, as the inode number has changed hands.
func (w *walk) as(inode, id uint64) *seen {
	s := w.at(inode)
	if s.id == 0 {
		s.id = id
	}
	if s.id != id {
		*s = seen{id: id}
	}
	return s
}

// process reads one process. Nothing that goes wrong with it stops the walk: it
// is gone, or it is counted.
func (w *walk) process(root, pid int) {
	dir, err := openPath(root, strconv.Itoa(pid))
	if err != nil {
		w.refuse(err)
		return
	}
	defer unix.Close(dir)
	threads, err := w.threads(dir)
	threads = slices.DeleteFunc(threads, func(t thread) bool { return w.visits(pid, t.inode) })
	if denied(err) && w.isKernelThread(dir) {
		w.refuse(w.add(dir, pid, []thread{{pid, InitialInode}}))
		return // it has no descriptors
	}
	if !denied(err) && len(threads) == 0 {
		return // gone, or a zombie
	}
	w.refuse(cmp.Or(err, w.add(dir, pid, threads)))
	if w.pins {
		w.descriptors(dir, pid)
	}
}

func (w *walk) refuse(err error) {
	if denied(err) {
		w.refused++
	}
}

// threads reads where every thread is: each can be somewhere else. The error is
// a refusal, if there was one; threads that end meanwhile are no error.
func (w *walk) threads(dir int) ([]thread, error) {
	tasks, err := openDir(dir, "task")
	if err != nil {
		return nil, err
	}
	defer unix.Close(tasks)
	var threads []thread
	var refusal error
	var table uint64
	err = eachNumber(tasks, func(tid int) error {
		name := strconv.Itoa(tid)
		link, err := readLink(tasks, name+"/ns/ipc")
		if err != nil {
			// See gone: a refusal may be an end.
			if denied(err) && exists(tasks, name) {
				refusal = err
			}
			return nil
		}
		if inode, ok := ipcLink(link); ok {
			threads = append(threads, thread{tid, inode})
		}
		if w.pins {
			table = w.mountTable(tasks, tid, table)
		}
		return nil
	})
	return threads, errors.Join(refusal, err)
}

// isKernelThread: those are in the initial namespace, though their links are
// refused to other users.
func (w *walk) isKernelThread(dir int) bool {
	st, err := readStat(dir, &w.buf)
	return err == nil && st.flags&pfKthread != 0
}

// add reads a process and joins it to every namespace it has a thread in.
func (w *walk) add(dir, pid int, threads []thread) error {
	byInode := make(map[uint64][]int, 1)
	for _, t := range threads {
		if w.want(t.inode) {
			byInode[t.inode] = append(byInode[t.inode], t.tid)
		}
	}
	if len(byInode) == 0 {
		return nil
	}
	p, err := readProcess(dir, pid, &w.buf)
	if err != nil {
		return err
	}
	for inode, tids := range byInode {
		slices.Sort(tids)
		p.Threads = tids
		s := w.at(inode)
		s.processes = append(s.processes, p)
	}
	return nil
}

// mountTable looks for namespaces in the mount table of a thread, unless its
// mount namespace is known or is the one last seen in this process. It returns
// the inode of the mount namespace.
func (w *walk) mountTable(tasks, tid int, last uint64) uint64 {
	task := strconv.Itoa(tid)
	link, err := readLink(tasks, task+"/ns/mnt")
	if err != nil {
		return last
	}
	name, inode, ok := parseLink(link)
	if !ok || name != "mnt" || inode == last {
		return last
	}
	root, err := readLink(tasks, task+"/root")
	if err != nil {
		return last
	}
	view := mountView{inode: inode, root: root}
	if _, known := w.mounts[view]; known {
		return inode
	}
	if !w.readMounts(tasks, task, tid) {
		return last // it ended; another process has the same table
	}
	w.mounts[view] = struct{}{}
	return inode
}

// readMounts reads the mount table of the thread whose directory is task below
// at, and reports whether that went well.
func (w *walk) readMounts(at int, task string, tid int) bool {
	f, err := openFile(at, task+"/mountinfo")
	if err != nil {
		return false
	}
	defer f.Close()
	err = parseMountinfo(f, func(m nsMount) {
		if _, known := w.mountIDs[m.id]; known {
			return
		}
		w.mountIDs[m.id] = struct{}{}
		s := w.at(m.inode)
		s.pins = append(s.pins, Pin{Kind: PinMount, PID: tid, Path: m.point})
	})
	return err == nil
}

// descriptors looks for namespaces among the open descriptors of a process.
func (w *walk) descriptors(dir, pid int) {
	fds, err := openDir(dir, "fd")
	if err != nil {
		w.refuseFDs(err)
		return
	}
	defer unix.Close(fds)
	err = eachNumber(fds, func(n int) error {
		err := w.descriptor(dir, pid, "fd/"+strconv.Itoa(n))
		if denied(err) {
			return err // so will the others be, or the process is gone
		}
		return nil
	})
	if exists(dir, "stat") {
		w.refuseFDs(err)
	}
}

// descriptor looks at one descriptor, by its name below the process's directory.
func (w *walk) descriptor(dir, pid int, name string) error {
	link, err := readLink(dir, name)
	if err != nil {
		return err
	}
	if inode, ok := ipcLink(link); ok {
		w.hold(dir, w.at(inode), pid, name)
	}
	return nil
}

func (w *walk) hold(dir int, s *seen, pid int, name string) {
	path := filepath.Join(w.procRoot, strconv.Itoa(pid), name)
	s.pins = append(s.pins, Pin{Kind: PinFD, PID: pid, Path: path})
	if _, known := w.comms[pid]; known {
		return
	}
	if st, err := readStat(dir, &w.buf); err == nil {
		w.comms[pid] = st.comm
	}
}

func (w *walk) refuseFDs(err error) {
	if denied(err) {
		w.refusedF++
	}
}
