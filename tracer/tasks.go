package tracer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Task is a thread and the IPC namespace it is in. Numbers of processes are
// those of the initial pid namespace, also where this program is in another.
type Task struct {
	TID, PID       uint32 // PID is the process's
	Namespace      uint32 // inode of its IPC namespace
	NamespaceID    uint64 // the kernel's id of that, never used again; 0 before Linux 6.18
	MountNamespace uint32 // inode

	// RootDev and RootInode are the device (as the kernel packs it) and the
	// inode of its root directory: two threads of a mount namespace that differ
	// in it are not shown the same mounts. 0 where it has none any more.
	RootDev   uint32
	RootInode uint64

	// The rest is of the process, as /proc/PID has it: of its first thread.

	PPID         uint32
	UID          uint32        // real uid, in the initial user namespace
	Start        time.Duration // CLOCK_BOOTTIME, of the initial time namespace
	CgroupID     uint64        // in cgroup v2; 0 in a kernel without cgroups
	Cgroups      uint64        // the same for processes in the same cgroups of v2 and all v1 hierarchies, while they are
	Comm         string        // as the kernel has it: any bytes but NUL, at most 15
	KernelThread bool
}

// Tasks lists every thread in this program's pid namespace with its IPC
// namespace, except those that are ending. It takes about a microsecond for each,
// all in the kernel; a thread that is born or that moves meanwhile may be missed
// or be where it was. Linux 5.8 and up. Errors: ErrPrivilege, ErrNoBTF, and what
// the kernel says against loading.
func Tasks() ([]Task, error) {
	raw, err := list[tasksTask](&taskIterator)
	if err != nil {
		return nil, err
	}
	tasks := make([]Task, len(raw))
	for i := range raw {
		tasks[i] = newTask(&raw[i])
	}
	return tasks, nil
}

func newTask(raw *tasksTask) Task {
	return Task{
		TID: raw.Tid, PID: raw.Pid,
		Namespace: raw.NsInum, NamespaceID: raw.NsId, MountNamespace: raw.MntInum,
		RootDev: raw.RootDev, RootInode: raw.RootIno,
		PPID: raw.Ppid, UID: raw.Uid, Start: time.Duration(raw.Start), CgroupID: raw.CgroupId, Cgroups: raw.Cgroups,
		Comm: text(raw.Comm[:]), KernelThread: raw.Kthread != 0,
	}
}

// Descriptor is an open descriptor of a namespace of any type: the inode alone
// does not say which.
type Descriptor struct {
	PID, TID uint32 // TID differs from PID where that thread has a table of its own
	FD       uint32
	Inode    uint64
}

// Descriptors lists every open descriptor of a namespace in this program's pid
// namespace. Errors as of Tasks.
func Descriptors() ([]Descriptor, error) {
	raw, err := list[tasksDescriptor](&descriptorIterator)
	if err != nil {
		return nil, err
	}
	descriptors := make([]Descriptor, len(raw))
	for i, d := range raw {
		descriptors[i] = Descriptor{PID: d.Pid, TID: d.Tid, FD: d.Fd, Inode: d.Inode}
	}
	return descriptors, nil
}

// iterator is one of bpf/tasks.bpf.c, loaded when it is first used and kept: to
// load it takes ten times as long as to list five thousand tasks with it,
// mostly for the kernel's BTF.
type iterator struct {
	program string
	mu      sync.Mutex
	link    *link.Iter
}

var (
	taskIterator       = iterator{program: tasksProgTasks}
	descriptorIterator = iterator{program: tasksProgDescriptors}
)

// Prepare loads what [Tasks] and [Descriptors] list with, as their first call would.
// That takes long, and can be done while a tracer is opened. Errors are theirs to tell.
func Prepare() {
	_ = taskIterator.prepare()
	_ = descriptorIterator.prepare()
}

// open begins an iteration.
func (it *iterator) open() (io.ReadCloser, error) {
	if err := it.prepare(); err != nil {
		return nil, err
	}
	return it.link.Open()
}

func (it *iterator) prepare() error {
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.link != nil {
		return nil
	}
	return it.load()
}

func (it *iterator) load() error {
	types, err := kernelTypes()
	if err != nil {
		return err
	}
	_ = rlimit.RemoveMemlock() // see Open
	spec, err := loadTasks()
	if err != nil {
		return err
	}
	spec = only(spec, it.program)
	spec.Maps, spec.Variables = nil, nil // they only name the types for bpf2go
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types})
	if err == nil {
		defer coll.Close() // the link keeps the program
		it.link, err = link.AttachIter(link.IterOptions{Program: coll.Programs[it.program]})
	}
	if errors.Is(err, unix.EPERM) && !privileged() {
		return ErrPrivilege
	}
	if err != nil {
		return fmt.Errorf("load iterator of %s: %w", it.program, reason(err))
	}
	return nil
}

// list reads all records of an iterator.
func list[record any](it *iterator) ([]record, error) {
	r, err := it.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var b bytes.Buffer
	for {
		_, err := b.ReadFrom(r)
		if err == nil {
			break
		}
		// EAGAIN: it saw a million items without a record (bpf_seq_read in
		// kernel/bpf/bpf_iter.c).
		if !errors.Is(err, unix.EAGAIN) {
			return nil, fmt.Errorf("list %s: %w", it.program, err)
		}
	}
	size := int(unsafe.Sizeof(*new(record)))
	records := make([]record, b.Len()/size)
	copy(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(records))), len(records)*size), b.Bytes())
	return records, nil
}
