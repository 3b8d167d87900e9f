package inventory

import "github.com/ipctrace/ipctrace/internal/event"

// recent is a ring of the newest events.
type recent struct {
	ring []event.Event
	next int // where the next one goes, once the ring is full
}

func newRecent(limit int) recent {
	return recent{ring: make([]event.Event, 0, limit)}
}

func (r *recent) add(e *event.Event) {
	if len(r.ring) < cap(r.ring) {
		r.ring = append(r.ring, *e)
		return
	}
	r.ring[r.next] = *e
	r.next = (r.next + 1) % len(r.ring)
}

// all are the events, the newest last.
func (r *recent) all() []event.Event {
	all := make([]event.Event, 0, len(r.ring))
	return append(append(all, r.ring[r.next:]...), r.ring[:r.next]...)
}
