package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// TestAllocatesNothing: to write an event costs no memory, whatever is in it.
func TestAllocatesNothing(t *testing.T) {
	b := make([]byte, 0, 4096)
	var encoder event.Encoder
	for _, x := range append(session, elsewhere...) {
		if n := testing.AllocsPerRun(100, func() { b = x.event.AppendJSON(b[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations", x.name, n)
		}
		if n := testing.AllocsPerRun(100, func() { b = encoder.AppendJSON(b[:0], &x.event) }); n != 0 {
			t.Errorf("%s: %v allocations by an Encoder", x.name, n)
		}
	}
}

// BenchmarkAppendJSON writes the events of the session in docs/events.md.
func BenchmarkAppendJSON(b *testing.B) {
	line := make([]byte, 0, 4096)
	for i := 0; b.Loop(); i++ {
		line = session[i%len(session)].event.AppendJSON(line[:0])
	}
}

// BenchmarkEncode is one event, object.create, by itself, by an Encoder and by
// encoding/json.
func BenchmarkEncode(b *testing.B) {
	e := &session[4].event
	b.Run("AppendJSON", func(b *testing.B) {
		line := make([]byte, 0, 4096)
		for b.Loop() {
			line = e.AppendJSON(line[:0])
		}
		b.SetBytes(int64(len(line)))
	})
	b.Run("Encoder", func(b *testing.B) {
		var encoder event.Encoder
		line := make([]byte, 0, 4096)
		for b.Loop() {
			line = encoder.AppendJSON(line[:0], e)
		}
		b.SetBytes(int64(len(line)))
	})
	b.Run("encoding", func(b *testing.B) {
		record := reflected{
			V: e.V, Seq: e.Seq, Time: e.Time, BootNS: e.BootNS, Event: e.Event, NS: (*bareNamespace)(e.NS), Object: (*bareObject)(e.Object),
			Process: (*bareProcess)(e.Process), Syscall: e.Syscall, ABI: e.ABI,
		}
		for b.Loop() {
			line, err := json.Marshal(&record)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(line)))
		}
	})
}

// These have the fields of an event's parts, and not the methods that write them.
type (
	bareNamespace event.Namespace
	bareObject    event.Object
	bareProcess   event.Process
)

// reflected is an event made ready for encoding/json.
type reflected struct {
	V       int            `json:"v"`
	Seq     uint64         `json:"seq"`
	Time    time.Time      `json:"time"`
	BootNS  int64          `json:"boot_ns"`
	Event   event.Type     `json:"event"`
	NS      *bareNamespace `json:"ns"`
	Object  *bareObject    `json:"object"`
	Process *bareProcess   `json:"process"`
	Syscall string         `json:"syscall"`
	ABI     string         `json:"abi"`
}

// BenchmarkParse reads them.
func BenchmarkParse(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		if _, err := event.Parse([]byte(session[i%len(session)].line)); err != nil {
			b.Fatal(err)
		}
	}
}
