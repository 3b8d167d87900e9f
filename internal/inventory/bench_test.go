package inventory_test

import (
	"runtime"
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

// TestKeepsNoRoom: what happened is known as it was told, also when the room of the
// event's object is used again.
func TestKeepsNoRoom(t *testing.T) {
	v := inventory.New(inventory.Limits{})
	e := happened(0, event.ObjectCreate)
	e.Object.Size, e.Object.UID = new(uint64(4096)), new(uint32(7))
	v.Apply(e)
	*e.Object.ID, *e.Object.Size, *e.Object.UID, e.Object.Key, e.BootNS = 1, 2, 3, 4, 5
	o := v.Find(e.NS).Objects()[0]
	if o.ID != 0 || *o.Size != 4096 || *o.UID != 7 || o.Key != 1 {
		t.Errorf("object %d of %d bytes, owner %d, key %v", o.ID, *o.Size, *o.UID, o.Key)
	}
}

// BenchmarkNamespaces finds 10,000 namespaces, and then a queue in each. It says how
// many bytes a namespace takes, with nothing in it and with the queue.
func BenchmarkNamespaces(b *testing.B) {
	const count = 10_000
	for b.Loop() {
		v := inventory.New(inventory.Limits{Namespaces: count})
		before := live()
		for inode := range uint64(count) {
			v.Apply(&event.Event{
				Event: event.NamespaceFound, Observed: event.ObservedSnapshot,
				NS: &event.Namespace{Inode: inode, Gen: 1, ID: inode, Label: "maker[4711]"},
			})
		}
		empty := live()
		for inode := range uint64(count) {
			e := happened(0, event.ObjectCreate)
			e.NS = &event.Namespace{Inode: inode, Gen: 1, ID: inode}
			v.Apply(e)
		}
		b.ReportMetric(float64(empty-before)/count, "B/namespace")
		b.ReportMetric(float64(live()-empty)/count, "B/queue")
		runtime.KeepAlive(v)
	}
}

// live is how many bytes are in use.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
