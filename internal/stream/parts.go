package stream

import (
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// parts are parts of events that were told lately. Most events are of a namespace
// and a process that others were of: they share them, and who keeps events can too.
// Nobody changes them.
type parts struct {
	namespaces [256]*event.Namespace
	processes  [1024]*event.Process
	containers [256]contained
}

// contained is the container of a cgroup; nil: it is of none.
type contained struct {
	cgroup    string
	container *event.Container
}

func (p *parts) namespace(ns event.Namespace) *event.Namespace {
	return shared(&p.namespaces[ns.Inode%uint64(len(p.namespaces))], ns)
}

// process is who called, in a cgroup, and its container.
func (p *parts) process(t *tracer.Event, cgroup string) (*event.Process, *event.Container) {
	process := shared(&p.processes[t.TID%uint32(len(p.processes))], event.Process{
		PID: t.PID, TID: t.TID, NSPID: t.NSPID, PPID: t.PPID, UID: t.UID, GID: t.GID,
		Comm: t.Comm, ParentComm: t.ParentComm, CgroupID: t.CgroupID, Cgroup: cgroup, Followed: t.Followed,
	})
	known := &p.containers[t.CgroupID%uint64(len(p.containers))]
	if known.cgroup != cgroup {
		*known = contained{cgroup: cgroup}
		if c, ok := nsresolve.ParseCgroup(cgroup); ok {
			known.container = &event.Container{ID: c.ID, Runtime: c.Runtime}
		}
	}
	return process, known.container
}

// shared is what is known if it is the same, else a copy that is known from now on.
func shared[T comparable](known **T, part T) *T {
	if *known == nil || **known != part {
		own := part
		*known = &own
	}
	return *known
}
