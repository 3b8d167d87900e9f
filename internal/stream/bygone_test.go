package stream_test

import (
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestBygone: a queue that outlived its namespace, and more successors of that
// than are remembered, ends none of them.
func TestBygone(t *testing.T) {
	s := begin(stream.Filter{})
	const number, last = 77, 40
	for id := uint64(1); id <= last; id++ {
		s.takes(&tracer.Event{Action: tracer.ActionNamespaceCreate, Namespace: number, NamespaceID: id})
		if id < last {
			s.takes(&tracer.Event{Action: tracer.ActionNamespaceFree, Namespace: number, NamespaceID: id, ByKernel: true})
		}
	}
	late := &tracer.Event{Action: tracer.ActionRemove, Kind: tracer.MQ, Namespace: number, NamespaceID: 1}
	if e := s.one(t, late); e.Event != event.ObjectRemove || e.NS != nil {
		t.Errorf("%v in %+v, want a removal in a namespace that is not known", e.Event, e.NS)
	}
	within := &tracer.Event{Action: tracer.ActionCreate, Kind: tracer.Msg, Namespace: number, NamespaceID: last}
	if e := s.one(t, within); e.NS.Gen != last {
		t.Errorf("generation %d, want %d", e.NS.Gen, last)
	}
}
