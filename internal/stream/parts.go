package stream

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
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
	cgroups    [256]cgroup
}

// cgroup is what is known of one.
type cgroup struct {
	id        uint64
	path      string           // "": not known
	container *event.Container // nil: it is of none
	asked     time.Duration    // boot time when it was
}

// believed is how long the path of a cgroup is: where only a process could be asked,
// it may turn out to be another one.
const believed = 100 * time.Millisecond

func (p *parts) namespace(ns event.Namespace) *event.Namespace {
	return shared(&p.namespaces[ns.Inode%uint64(len(p.namespaces))], ns)
}

// process is who called, in a cgroup.
func (p *parts) process(t *tracer.Event, cgroup string) *event.Process {
	return shared(&p.processes[t.TID%uint32(len(p.processes))], event.Process{
		PID: t.PID, TID: t.TID, NSPID: t.NSPID, PPID: t.PPID, UID: t.UID, GID: t.GID,
		Comm: t.Comm, ParentComm: t.ParentComm, CgroupID: t.CgroupID, Cgroup: cgroup, Followed: t.Followed,
	})
}

// shared is what is known if it is the same, else a copy that is known from now on.
func shared[T comparable](known **T, part T) *T {
	if *known == nil || **known != part {
		own := part
		*known = &own
	}
	return *known
}

// cgroup is that of the process that called.
func (s *Stream) cgroup(t *tracer.Event) *cgroup {
	known := &s.parts.cgroups[t.CgroupID%uint64(len(s.parts.cgroups))]
	age := t.Boot - known.asked
	if known.id == t.CgroupID && known.path != "" && 0 <= age && age < believed {
		return known
	}
	path, _ := s.resolver.Cgroup(t.CgroupID, int(t.PID))
	known.asked = t.Boot
	if known.id != t.CgroupID || known.path != path {
		known.id, known.path, known.container = t.CgroupID, path, nil
		if c, ok := nsresolve.ParseCgroup(path); ok {
			known.container = &event.Container{ID: c.ID, Runtime: c.Runtime}
		}
	}
	known.container = s.called(known.container)
	return known
}

// called is a container with what its engine says of it. Events that were told keep
// what they have.
func (s *Stream) called(c *event.Container) *event.Container {
	if c == nil || s.names == nil {
		return c
	}
	return shared(&c, Contained(nsresolve.Container{ID: c.ID, Runtime: c.Runtime}, s.names))
}

// Contained is a container in the words of the contract, with what is known of it by now.
func Contained(c nsresolve.Container, names *container.Names) event.Container {
	info, _ := names.Of(c.ID, c.Runtime)
	return event.Container{
		ID: c.ID, Runtime: c.Runtime, Name: info.Name, Image: info.Image, Pod: info.Pod, PodNamespace: info.PodNamespace,
	}
}
