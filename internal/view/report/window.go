package report

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// record is what the page tells of an event.
type record struct {
	at        time.Duration
	seq       uint64
	typ       event.Type
	lane      *lane
	number    uint64 // of its object; 0: none that is known
	from      *lane
	object    *event.Object
	process   *event.Process
	container *event.Container
	syscall   string
	abi       string
	word      string // errno or cause
	observed  event.Observed
}

// window keeps the first and the last of many records.
type window struct {
	most  int // of both together
	first []record
	last  []record // a ring, once it is full
	next  int
	total uint64
}

func (w *window) add(r record) {
	w.total++
	switch half := w.most / 2; {
	case len(w.first) < w.most-half:
		w.first = append(w.first, r)
	case len(w.last) < half:
		w.last = append(w.last, r)
	case half > 0:
		w.last[w.next] = r
		w.next = (w.next + 1) % half
	}
}

// all are those kept, in their order, and how many of them come before those that are not.
func (w *window) all() (kept []record, before int) {
	kept = append(append(append(kept, w.first...), w.last[w.next:]...), w.last[:w.next]...)
	return kept, len(w.first)
}

// omitted is how many are not kept.
func (w *window) omitted() uint64 { return w.total - uint64(len(w.first)+len(w.last)) }
