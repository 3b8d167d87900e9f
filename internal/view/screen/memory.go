package screen

import (
	"sync"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// remembered is how many of the newest events are kept.
const remembered = 512

// memory has the newest events, and with a filter also the newest of those that it
// means: among all others they would soon be forgotten.
type memory struct {
	mu     sync.Mutex
	filter Filter // nil: all are meant
	all    ring
	meant  ring
	pulses pulses
}

// ring has the newest events.
type ring struct {
	rooms []event.Room
	next  int    // where the next one goes, once it is full
	count uint64 // of all that ever were in it
}

func (r *ring) add(e *event.Event) {
	r.count++
	if len(r.rooms) < remembered {
		r.rooms = append(r.rooms, event.Room{})
		r.rooms[len(r.rooms)-1].Keep(e)
		return
	}
	r.rooms[r.next].Keep(e)
	r.next = (r.next + 1) % remembered
}

// clone is a copy for good.
func (r *ring) clone() (c ring) {
	r.each(c.add)
	c.count = r.count
	return c
}

// each is every event, the newest last.
func (r *ring) each(do func(*event.Event)) { r.last(len(r.rooms), do) }

// last are the newest ones, the newest last.
func (r *ring) last(count int, do func(*event.Event)) {
	for i := max(0, len(r.rooms)-count); i < len(r.rooms); i++ {
		do(&r.rooms[(r.next+i)%len(r.rooms)].Event)
	}
}

// add keeps an event. What was there before is no news.
func (m *memory) add(e *event.Event, in *inventory.Inventory) {
	switch {
	case e.Event == event.TraceLost:
	case !e.Event.IsObject() && !e.Event.IsNamespace(), e.Event.IsState(), e.Event == event.ObjectFound, e.Event == event.NamespaceFound:
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all.add(e)
	if e.Event != event.TraceLost {
		m.pulses.beat(e)
	}
	if m.filter != nil && matches(m.filter, e, in) {
		m.meant.add(e)
	}
}

// forget empties it, for another trace.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all, m.meant, m.pulses = ring{}, ring{}, pulses{}
}

// choose begins to sift, with what is still there.
func (m *memory) choose(f Filter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filter, m.meant = f, ring{}
	if f == nil {
		return
	}
	m.all.each(func(e *event.Event) {
		if matches(f, e, nothing) {
			m.meant.add(e)
		}
	})
}

// remembrance is what a memory had at a moment.
type remembrance struct {
	events []*event.Event // the newest last
	count  uint64         // of all that there ever were
	pulses map[identity]pulse
	all    pulse
}

// shown is the ring that is to be shown.
func (m *memory) shown() *ring {
	if m.filter != nil {
		return &m.meant
	}
	return &m.all
}

// newest are so many events at most: each is copied.
func (m *memory) newest(most int) remembrance {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.shown()
	events := make([]*event.Event, 0, min(most, len(r.rooms)))
	r.last(most, func(e *event.Event) { events = append(events, e.Clone()) })
	all := remembrance{events: events, count: r.count, pulses: make(map[identity]pulse, len(m.pulses.of)), all: m.pulses.all}
	for id, p := range m.pulses.of {
		all.pulses[id] = *p
	}
	return all
}

// total is how many events there ever were, whatever the filter means.
func (m *memory) total() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all.count
}

// clone is a copy for good.
func (m *memory) clone() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &memory{filter: m.filter, all: m.all.clone(), meant: m.meant.clone()}
	c.pulses.all, c.pulses.of = m.pulses.all, make(map[identity]*pulse, len(m.pulses.of))
	for id, p := range m.pulses.of {
		of := *p
		c.pulses.of[id] = &of
	}
	return c
}

// nothing is known in it.
var nothing = inventory.New(inventory.Limits{})

// matches says whether an event is to be shown. What becomes of an object is shown by
// who made it, whoever did it.
func matches(f Filter, e *event.Event, in *inventory.Inventory) bool {
	switch {
	case e.Event == event.TraceLost:
		return true
	case !f.Names(e.Event):
		return false
	case f.Wants(e, nothing):
		return true
	case e.Event != event.ObjectMark && e.Event != event.ObjectRemove:
		return false
	}
	o := in.Object(e)
	return o != nil && f.Wants(asMade(e.NS, o), nothing)
}

// asMade is the event of an object's making, as far as it is known.
func asMade(ns *event.Namespace, o *inventory.Object) *event.Event {
	return &event.Event{
		Event: event.ObjectCreate, NS: ns, Process: o.MadeBy(), Container: o.Container,
		Object: &event.Object{Kind: o.Kind, ID: &o.ID, Key: o.Key, Name: o.Name},
	}
}
