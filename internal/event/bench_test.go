package event_test

import (
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
)

// TestAllocatesNothing: to write an event costs no memory, whatever is in it.
func TestAllocatesNothing(t *testing.T) {
	b := make([]byte, 0, 4096)
	for _, x := range append(session, elsewhere...) {
		if n := testing.AllocsPerRun(100, func() { b = x.event.AppendJSON(b[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations", x.name, n)
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

// BenchmarkParse reads them.
func BenchmarkParse(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		if _, err := event.Parse([]byte(session[i%len(session)].line)); err != nil {
			b.Fatal(err)
		}
	}
}
