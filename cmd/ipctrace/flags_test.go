package main

import (
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
)

// TestFiltersTooLong: trace.start has to tell them, in one line.
func TestFiltersTooLong(t *testing.T) {
	s := selection{hooks: "auto"}
	for len(strings.Join(s.words(), "")) <= maxFilters {
		s.Comms = append(s.Comms, strings.Repeat("\x01", 1000)) // each byte is escaped as six
		if _, _, err := s.config(); (err != nil) != (len(strings.Join(s.words(), "")) > maxFilters) {
			t.Errorf("%d: %v", len(s.Comms), err)
		}
	}
	e := event.Event{Start: &event.Start{Filters: s.words()}}
	if n := len(e.AppendJSON(nil)); n > journal.MaxLine/2 {
		t.Errorf("a line of %d bytes", n)
	}
}

func TestRingBytes(t *testing.T) {
	for text, want := range map[string]int{"": 0, "64K": 64 << 10, "65K": 128 << 10, "16M": 16 << 20, "17M": 32 << 20, "1G": 1 << 30} {
		if got, err := ringBytes(text); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"63K", "1025M", "-1M", "x", "0"} {
		if got, err := ringBytes(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
