// Package stream makes the events of the contract from what the tracer yields:
// it numbers them, tells namespaces that share an inode number apart, and adds
// what is known of who called.
package stream

import (
	"errors"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// Resolver is what a Stream asks of nsresolve.Resolver.
type Resolver interface {
	Label(inode uint64, m nsresolve.Maker) string
	Forget(inode uint64)
	Recheck(inode uint64)
	Cgroup(id uint64, pid int) (path string, ok bool)
}

// Stream is one numbered sequence of events. Not for concurrent use.
type Stream struct {
	resolver    Resolver
	filter      Filter
	generations map[uint32]generation // by inode number: at most as many as namespaces lived at once

	seq, written, filtered uint64
}

type generation struct {
	id  uint64 // the kernel's; 0: it has none
	gen uint32
	pid uint32 // who called last
}

// New returns an empty Stream.
func New(r Resolver, f Filter) *Stream {
	return &Stream{resolver: r, filter: f, generations: map[uint32]generation{}}
}

// Written is how many object events the stream has let through.
func (s *Stream) Written() uint64 { return s.written }

// Filtered is how many object events its filter has left out.
func (s *Stream) Filtered() uint64 { return s.filtered }

// Skip counts an event that is left out for another reason than the filter.
func (s *Stream) Skip() { s.filtered++ }

// Object is the event for t, or nil if the filter leaves it out.
func (s *Stream) Object(t *tracer.Event) *event.Event {
	e := s.event(t)
	if !s.filter.wants(e) {
		s.filtered++
		return nil
	}
	s.written++
	s.number(e)
	return e
}

// Lost is the event for events that are missing at this place.
func (s *Stream) Lost(l *tracer.Loss) *event.Event {
	e := &event.Event{
		Event: event.TraceLost, Time: l.To, BootNS: int64(l.Boot),
		Lost: &event.Lost{Count: l.Count, From: l.From, To: l.To, AtMost: errors.Is(l, tracer.ErrSkipped)},
	}
	return s.own(e)
}

// Start is the first event of the stream.
func (s *Stream) Start(at time.Time, boot time.Duration, start *event.Start) *event.Event {
	return s.own(&event.Event{Event: event.TraceStart, Time: at, BootNS: int64(boot), Start: start})
}

// Stop is the last event of the stream. It fills in what the stream counted.
func (s *Stream) Stop(at time.Time, boot time.Duration, reason string, stats tracer.Stats) *event.Event {
	stop := &event.Stop{
		Reason: reason, Produced: stats.Produced, Delivered: stats.Delivered, Lost: stats.Lost,
		Skipped: stats.Skipped, Filtered: s.filtered, Written: s.written,
	}
	return s.own(&event.Event{Event: event.TraceStop, Time: at, BootNS: int64(boot), Stop: stop})
}

func (s *Stream) own(e *event.Event) *event.Event {
	s.number(e)
	return e
}

func (s *Stream) number(e *event.Event) {
	s.seq++
	e.V, e.Seq = event.Version, s.seq
}

var types = map[tracer.Verdict]event.Type{
	tracer.VerdictCreate: event.ObjectCreate,
	tracer.VerdictOpen:   event.ObjectOpen,
	tracer.VerdictGet:    event.ObjectGet,
	tracer.VerdictFail:   event.ObjectFail,
}

func (s *Stream) event(t *tracer.Event) *event.Event {
	cgroup, _ := s.resolver.Cgroup(t.CgroupID, int(t.PID))
	e := &event.Event{
		Time:    t.Time,
		BootNS:  int64(t.Boot),
		Event:   types[t.Verdict],
		NS:      s.namespace(t),
		Object:  object(t),
		Process: process(t, cgroup),
		Syscall: t.Syscall(),
		ABI:     t.ABI.String(),
	}
	if t.Verdict == tracer.VerdictFail {
		e.Errno = event.ErrnoName(t.Errno)
	}
	if c, ok := nsresolve.ParseCgroup(cgroup); ok {
		e.Container = &event.Container{ID: c.ID, Runtime: c.Runtime}
	}
	return e
}

// namespace tells generations of an inode number apart by the kernel's id. A
// kernel without ids gives every namespace of an inode number the generation 1;
// but when another process than before calls, the name is looked at again.
func (s *Stream) namespace(t *tracer.Event) *event.Namespace {
	inode := uint64(t.Namespace)
	g, known := s.generations[t.Namespace]
	if !known || g.id != t.NamespaceID {
		if known {
			s.resolver.Forget(inode)
		}
		g = generation{id: t.NamespaceID, gen: g.gen + 1, pid: t.PID}
		s.generations[t.Namespace] = g
	}
	if g.id == 0 && g.pid != t.PID {
		g.pid = t.PID
		s.generations[t.Namespace] = g
		s.resolver.Recheck(inode)
	}
	return &event.Namespace{
		Inode: inode, Gen: g.gen, ID: g.id, Initial: inode == nsresolve.InitialInode,
		Label: s.resolver.Label(inode, nsresolve.Maker{PID: int(t.PID), Comm: t.Comm, CgroupID: t.CgroupID}),
	}
}

func object(t *tracer.Event) *event.Object {
	kind := t.Kind.String()
	o := &event.Object{
		Kind: kind, Key: event.Key(t.Key), Mode: event.ModeOf(t.Flags), Flags: event.FlagNames(kind, t.Flags),
	}
	if t.Verdict != tracer.VerdictFail {
		o.ID = ref(t.ID)
	}
	if t.Verdict == tracer.VerdictCreate {
		o.UID, o.GID = ref(t.EUID), ref(t.EGID)
	}
	switch t.Kind {
	case tracer.Shm:
		o.Size = ref(t.Size)
	case tracer.Sem:
		o.NSems = ref(t.Sems)
	}
	return o
}

// ref keeps a value of an event that the caller may use again.
func ref[T any](v T) *T { return &v }

func process(t *tracer.Event, cgroup string) *event.Process {
	return &event.Process{
		PID: t.PID, TID: t.TID, NSPID: t.NSPID, PPID: t.PPID, UID: t.UID, GID: t.GID,
		Comm: t.Comm, ParentComm: t.ParentComm, CgroupID: t.CgroupID, Cgroup: cgroup,
	}
}
