package stream_test

import (
	"testing"

	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// BenchmarkEvents is what the stream makes of what two threads do by turns: find
// their queues; make queues and remove them, which the inventory takes in.
func BenchmarkEvents(b *testing.B) {
	opens, cycle := make([]*tracer.Event, 2), make([]*tracer.Event, 4)
	for i := range cycle {
		thread := i % 2
		action := tracer.ActionCreate
		if i >= 2 {
			action = tracer.ActionRemove
		}
		cycle[i] = by(thread, call(tracer.Msg, action))
		opens[thread] = by(thread, call(tracer.Msg, tracer.ActionOpen))
	}
	b.Run("open", func(b *testing.B) { benchEvents(b, opens) })
	b.Run("cycle", func(b *testing.B) { benchEvents(b, cycle) })
}

// by is what happened in the nth thread, to an object of its own.
func by(thread int, t *tracer.Event) *tracer.Event {
	t.CgroupID = 1 // the root: nsresolve knows it
	t.PID, t.TID = t.PID+uint32(thread), t.TID+uint32(thread)
	t.Namespace, t.NamespaceID = nsresolve.InitialInode, 4098
	return of(t, int32(32768*thread))
}

func benchEvents(b *testing.B, happened []*tracer.Event) {
	b.ReportAllocs()
	known := inventory.New(inventory.Limits{})
	s := stream.New(nsresolve.New(nsresolve.Options{}), stream.Filter{}, known)
	for i := 0; b.Loop(); i++ {
		for _, e := range s.Events(happened[i%len(happened)]) {
			known.Apply(e)
		}
	}
}
