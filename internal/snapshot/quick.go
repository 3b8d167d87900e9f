package snapshot

import (
	"time"

	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// Options is o with the kernel's own lists of threads and descriptors, which are
// used where they can be had, and without the thread that looks into namespaces.
func Options(o nsresolve.Options) nsresolve.Options {
	o.Tasks, o.Descriptors, o.Visiting = tasks, descriptors, true
	return o
}

// tick is the unit of nsresolve.Process.Start: USER_HZ is 100 wherever Go runs.
const tick = 10 * time.Millisecond

func tasks() ([]nsresolve.Thread, error) {
	list, err := tracer.Tasks()
	threads := make([]nsresolve.Thread, len(list))
	for i, t := range list {
		threads[i] = nsresolve.Thread{
			TID: int(t.TID), PID: int(t.PID), PPID: int(t.PPID),
			Namespace: uint64(t.Namespace), NamespaceID: t.NamespaceID,
			MountNamespace: uint64(t.MountNamespace),
			RootDev:        uint64(t.RootDev), RootInode: t.RootInode,
			Comm: t.Comm, Start: uint64(t.Start / tick), UID: t.UID,
			CgroupID: t.CgroupID, Cgroups: t.Cgroups, KernelThread: t.KernelThread,
		}
	}
	return threads, err
}

func descriptors() ([]nsresolve.Descriptor, error) {
	list, err := tracer.Descriptors()
	descriptors := make([]nsresolve.Descriptor, len(list))
	for i, d := range list {
		descriptors[i] = nsresolve.Descriptor{PID: int(d.PID), TID: int(d.TID), FD: int(d.FD), Inode: d.Inode}
	}
	return descriptors, err
}
