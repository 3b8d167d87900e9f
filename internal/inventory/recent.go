package inventory

import "github.com/ipctrace/ipctrace/internal/event"

// recent is a ring of the newest events.
type recent struct {
	ring []event.Room
	next int // where the next one goes, once the ring is full
}

func newRecent(limit int) recent {
	return recent{ring: make([]event.Room, 0, limit)}
}

func (r *recent) add(e *event.Event) {
	if len(r.ring) < cap(r.ring) {
		r.ring = r.ring[:len(r.ring)+1]
		r.ring[len(r.ring)-1].Keep(e)
		return
	}
	r.ring[r.next].Keep(e)
	if r.next++; r.next == len(r.ring) {
		r.next = 0
	}
}

// all are the events, the newest last.
func (r *recent) all() []event.Event {
	all := make([]event.Event, 0, len(r.ring))
	for i := range r.ring {
		all = append(all, *r.ring[(r.next+i)%len(r.ring)].Event.Clone())
	}
	return all
}
