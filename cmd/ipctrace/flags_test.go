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
		s.comms = append(s.comms, strings.Repeat("\x01", 1000)) // each byte is escaped as six
		if _, _, err := s.config(); (err != nil) != (len(strings.Join(s.words(), "")) > maxFilters) {
			t.Errorf("%d: %v", len(s.comms), err)
		}
	}
	e := event.Event{Start: &event.Start{Filters: s.words()}}
	if n := len(e.AppendJSON(nil)); n > journal.MaxLine/2 {
		t.Errorf("a line of %d bytes", n)
	}
}
