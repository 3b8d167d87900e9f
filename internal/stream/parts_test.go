package stream_test

import (
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestAllocatesNothing: to tell of what the same processes do again, and to take it
// in, costs no memory.
func TestAllocatesNothing(t *testing.T) {
	known := inventory.New(inventory.Limits{Gone: 10})
	s := stream.New(nsresolve.New(nsresolve.Options{}), stream.Filter{}, known)
	for _, kind := range []tracer.Kind{tracer.Msg, tracer.Shm, tracer.Sem} {
		happened := []*tracer.Event{
			by(0, call(kind, tracer.ActionCreate)), by(1, call(kind, tracer.ActionCreate)), by(0, call(kind, tracer.ActionOpen)),
			by(0, call(kind, tracer.ActionRemove)), by(1, call(kind, tracer.ActionRemove)), by(1, call(kind, tracer.ActionFail)),
		}
		again := func() {
			for _, raw := range happened {
				for _, e := range s.Events(raw) {
					known.Apply(e)
				}
			}
		}
		for range 20 {
			again()
		}
		if n := testing.AllocsPerRun(100, again); n != 0 {
			t.Errorf("%v: %v allocations", kind, n)
		}
	}
}

// TestClone: what is kept of an event stays as it is, whatever comes next.
func TestClone(t *testing.T) {
	s := begin(stream.Filter{})
	for _, kind := range []tracer.Kind{tracer.Msg, tracer.Shm, tracer.Sem, tracer.MQ} {
		made := call(kind, tracer.ActionCreate)
		kept := s.Events(made)[0].Clone()
		line := string(kept.AppendJSON(nil))
		next := of(call(kind, tracer.ActionCreate), 77)
		next.PID, next.TID, next.Owner, next.Group, next.Size, next.Sems, next.CgroupID = 1, 1, 2, 3, 4, 5, cgroup+1
		next.Queue = tracer.Queue{Name: "/next", Inode: 20, Mode: 0o777, MaxMsg: 1, MsgSize: 2}
		var told *event.Event
		for _, told = range s.Events(next) {
		}
		if again := string(kept.AppendJSON(nil)); again != line || string(told.AppendJSON(nil)) == line {
			t.Errorf("%v: %s, was %s", kind, again, line)
		}
	}
}
