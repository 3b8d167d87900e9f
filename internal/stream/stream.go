// Package stream makes the events of the contract: from what the tracer yields,
// and from looks at what is there. It numbers them, tells namespaces that share
// an inode number apart, and adds what is known of who called.
package stream

import (
	"errors"
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
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

// Stream is one numbered sequence of events. It asks the inventory what is known
// and never changes it: who takes the events applies them, before the next call.
// Not for concurrent use.
type Stream struct {
	resolver  Resolver
	filter    Filter
	inventory *inventory.Inventory
	spaces    map[uint32]space // by inode number: at most as many as namespaces lived at once
	look      look
	clock     tracer.Clock
	told      []*event.Event // by the last call of Events
	room      event.Room     // of the last of them
	parts     parts
	alive     func(id, inode uint64) (bool, error)
	names     *container.Names

	seq, written, filtered, found uint64
	late                          uint64 // of found: not of what is there, but of what happened
}

// New returns an empty Stream.
func New(r Resolver, f Filter, known *inventory.Inventory) *Stream {
	return &Stream{resolver: r, filter: f, inventory: known, spaces: map[uint32]space{}, alive: nsresolve.Alive}
}

// Renew returns a Stream with another filter, which goes on where this one ends: it
// is numbered from 1, and told anew what is there, but knows which namespaces had an
// inode number before. The inventory is to be empty, and a look to begin at once.
func (s *Stream) Renew(f Filter, known *inventory.Inventory) *Stream {
	next := &Stream{resolver: s.resolver, filter: f, inventory: known, spaces: s.spaces, clock: s.clock, alive: s.alive, names: s.names}
	for inode, p := range next.spaces {
		p.born, p.found = 0, false // what the first look shows is told
		next.spaces[inode] = p
	}
	return next
}

// NameContainers has containers be called what these names say, from when they do.
func (s *Stream) NameContainers(n *container.Names) { s.names = n }

// Written is how many events of the kernel the stream has let through.
func (s *Stream) Written() uint64 { return s.written }

// Told is how many events there were of what happened: written, or found out late.
func (s *Stream) Told() uint64 { return s.written + s.late }

// Filtered is how many of them its filter has left out.
func (s *Stream) Filtered() uint64 { return s.filtered }

// Skip counts an event that is left out for another reason than the filter.
func (s *Stream) Skip() { s.filtered++ }

// Events are those for t: none where the filter leaves it out; more than one
// where it shows that a namespace has ended unseen. Those of a type that was not
// asked for have no number: they are for the inventory alone, without which looks
// would not know what to look for.
//
// They are there until the next call, which uses their room again: who keeps one
// keeps a [event.Event.Clone].
func (s *Stream) Events(t *tracer.Event) []*event.Event {
	events := s.succession(s.told[:0], t, t.From, t.FromID, false)
	p := s.spaces[t.Namespace]
	events = s.succession(events, t, t.Namespace, t.NamespaceID, another(&p, t))
	e := s.event(t)
	events = s.replaced(events, e)
	s.look.note(e)
	wanted := s.filter.Wants(e, s.inventory) && !s.marked(e)
	if !wanted || !s.filter.Names(e.Event) {
		s.filtered++
	}
	if !wanted && s.filter.foreign(e) {
		events = append(events, e)
	} else {
		events = s.pass(events, e, &s.written, wanted)
	}
	s.told = events
	return events
}

// pass numbers an event that is wanted, and counts it.
func (s *Stream) pass(events []*event.Event, e *event.Event, counter *uint64, wanted bool) []*event.Event {
	if !wanted {
		return events
	}
	if s.filter.Names(e.Event) {
		*counter++
		s.number(e)
	}
	return append(events, e)
}

// Lost is the event for events that are missing at this place.
func (s *Stream) Lost(l *tracer.Loss) *event.Event {
	return s.number(&event.Event{
		Event: event.TraceLost, Time: l.To, BootNS: int64(l.Boot),
		Lost: &event.Lost{Count: l.Count, From: l.From, To: l.To, AtMost: errors.Is(l, tracer.ErrSkipped)},
	})
}

// Start is the first event of the stream.
func (s *Stream) Start(at time.Time, boot time.Duration, start *event.Start) *event.Event {
	return s.number(&event.Event{Event: event.TraceStart, Time: at, BootNS: int64(boot), Start: start})
}

// Stop is the last event of the stream. It fills in what the stream counted.
func (s *Stream) Stop(at time.Time, boot time.Duration, reason string, stats tracer.Stats) *event.Event {
	stop := &event.Stop{
		Reason: reason, Produced: stats.Produced, Delivered: stats.Delivered, Lost: stats.Lost,
		Skipped: stats.Skipped, Filtered: s.filtered, Written: s.written, Found: s.found,
		CgroupsLost: stats.CgroupsLost,
	}
	return s.number(&event.Event{Event: event.TraceStop, Time: at, BootNS: int64(boot), Stop: stop})
}

func (s *Stream) number(e *event.Event) *event.Event {
	s.seq++
	e.V, e.Seq = event.Version, s.seq
	return e
}

// observed numbers an event that nobody told, if the filter wants it.
func (s *Stream) observed(events []*event.Event, e *event.Event) []*event.Event {
	before := s.found
	events = s.pass(events, e, &s.found, s.filter.Wants(e, s.inventory))
	if e.Event != event.ObjectFound && e.Event != event.NamespaceFound {
		s.late += s.found - before
	}
	return events
}
