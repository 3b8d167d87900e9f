package inventory_test

import (
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// BenchmarkApply takes in what two threads do by turns: find their queues; make
// queues and remove them.
func BenchmarkApply(b *testing.B) {
	for _, bench := range []struct {
		name  string
		types []event.Type
	}{
		{"open", []event.Type{event.ObjectOpen}},
		{"cycle", []event.Type{event.ObjectCreate, event.ObjectRemove}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var events []*event.Event
			for _, typ := range bench.types {
				events = append(events, happened(0, typ), happened(1, typ))
			}
			v := inventory.New(inventory.Limits{})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				v.Apply(events[i%len(events)])
			}
		})
	}
}

// happened is what one of two threads did to the queue that it has.
func happened(thread int, typ event.Type) *event.Event {
	e := &event.Event{
		Time: time.Date(2026, 7, 14, 4, 33, 17, 123, time.UTC), BootNS: 3600e9, Event: typ,
		NS:      &event.Namespace{Inode: 4026531839, Gen: 1, ID: 4098, Initial: true, Label: "host"},
		Object:  &event.Object{Kind: "msg", ID: new(int32(32768 * thread)), Key: event.Key(thread + 1), Mode: 0o600, Flags: []string{}},
		Process: &event.Process{PID: uint32(4711 + thread), TID: uint32(4711 + thread), PPID: 1, Comm: "maker", ParentComm: "bash", CgroupID: 1},
		Syscall: "msgget", ABI: "x86_64",
	}
	switch typ {
	case event.ObjectCreate:
		e.Object.UID, e.Object.GID = new(uint32), new(uint32)
	case event.ObjectRemove:
		e.Cause = event.CauseRMID
	}
	return e
}
