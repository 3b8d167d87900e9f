package tracer_test

import (
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// workloads are what the benchmarks of user space are about: records, one after
// the other, again and again.
var workloads = []struct {
	name    string
	records [][]byte
}{
	{"open", tracer.Records(false)},
	{"cycle", tracer.Records(true)},
}

// BenchmarkDecode is a record of the ring buffer made an event.
func BenchmarkDecode(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name, func(b *testing.B) {
			b.ReportAllocs()
			var d tracer.Decoder
			for i := 0; b.Loop(); i++ {
				if _, err := d.Decode(w.records[i%len(w.records)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPath is the way of an event from the ring buffer to the line: decoded,
// told by the stream, taken in by the inventory, and written as JSON into memory,
// or sealed into a file. With -cpu=1 it is what one core does.
func BenchmarkPath(b *testing.B) {
	for _, w := range workloads {
		b.Run(w.name+"/json", func(b *testing.B) {
			var encoder event.Encoder
			var line []byte
			benchPath(b, w.records, func(e *event.Event) { line = append(encoder.AppendJSON(line[:0], e), '\n') })
		})
		b.Run(w.name+"/journal", func(b *testing.B) {
			var clock tracer.Clock
			j, err := journal.Open(journal.Config{
				File: filepath.Join(b.TempDir(), "trace.jsonl"), Fsync: journal.FsyncNone,
				Now:  func() (time.Time, time.Duration) { return time.Now(), clock.Boot() },
				Warn: func(text string) { b.Error(text) },
			})
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			if err := j.Write(&event.Event{Seq: 1, Event: event.TraceStart, Start: &event.Start{}}); err != nil {
				b.Fatal(err)
			}
			benchPath(b, w.records, func(e *event.Event) {
				if err := j.Write(e); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// scoped is a resolver of processes that are in a scope of systemd's.
type scoped struct{ *nsresolve.Resolver }

func (r scoped) Cgroup(uint64, int) (string, bool) {
	_, ok := r.Resolver.Cgroup(1, 0)
	return "/user.slice/user-0.slice/session-3.scope", ok
}

func benchPath(b *testing.B, records [][]byte, write func(*event.Event)) {
	b.ReportAllocs()
	var d tracer.Decoder
	known := inventory.New(inventory.Limits{})
	s := stream.New(scoped{nsresolve.New(nsresolve.Options{})}, stream.Filter{}, known)
	const first, apart = uint64(time.Hour), 500
	for i := 0; b.Loop(); i++ {
		record := records[i%len(records)]
		binary.NativeEndian.PutUint64(record, first+apart*uint64(i)) // boot_ns
		raw, err := d.Decode(record)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range s.Events(&raw) {
			known.Apply(e)
			write(e)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
