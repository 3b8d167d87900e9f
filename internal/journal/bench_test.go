package journal_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
)

// BenchmarkWrite is an event numbered, encoded, sealed and written to a file.
func BenchmarkWrite(b *testing.B) {
	cfg := config(b)
	j := begin(b, cfg)
	write(b, j, start())
	e := create(1)
	b.ResetTimer()
	for range b.N {
		if err := j.Write(e); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	if n := j.Stop(); n != nil && n.Dropped > 0 {
		b.Fatal("events were dropped")
	}
	events := journal.Verify([]string{cfg.File}, journal.Check{}).Events
	if events != uint64(b.N) {
		b.Fatalf("%d events in the file, want %d", events, b.N)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// These have the fields of an event's parts, and not the methods that write them.
type (
	namespace event.Namespace
	object    event.Object
	process   event.Process
)

// reflected is such an event.
type reflected struct {
	V       int        `json:"v"`
	Seq     uint64     `json:"seq"`
	Time    time.Time  `json:"time"`
	BootNS  int64      `json:"boot_ns"`
	Event   event.Type `json:"event"`
	NS      *namespace `json:"ns"`
	Object  *object    `json:"object"`
	Process *process   `json:"process"`
	Syscall string     `json:"syscall"`
	ABI     string     `json:"abi"`
}

// BenchmarkEncodingJSON is the same record encoded by encoding/json, and written
// without a seal, many at a time.
func BenchmarkEncodingJSON(b *testing.B) {
	f, err := os.CreateTemp(b.TempDir(), "")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	e := create(1)
	record := &reflected{
		V: 1, Seq: 1, Time: e.Time, BootNS: e.BootNS, Event: e.Event, NS: (*namespace)(e.NS), Object: (*object)(e.Object),
		Process: (*process)(e.Process), Syscall: e.Syscall, ABI: e.ABI,
	}
	var buffer []byte
	for b.Loop() {
		line, err := json.Marshal(record)
		if err != nil {
			b.Fatal(err)
		}
		if buffer = append(append(buffer, line...), '\n'); len(buffer) > 64<<10 {
			if _, err := f.Write(buffer); err != nil {
				b.Fatal(err)
			}
			buffer = buffer[:0]
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkVerify is how fast a log is checked.
func BenchmarkVerify(b *testing.B) {
	cfg := config(b)
	record(b, cfg, 100_000)
	info, err := os.Stat(cfg.File)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		whole(b, cfg.File)
	}
}
