package stream_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestSession: numbers without gaps whatever is left out or lost, and totals that
// add up.
func TestSession(t *testing.T) {
	s := begin(stream.Filter{Events: []event.Type{event.ObjectCreate, event.ObjectFail, event.ObjectFound}})
	start := &event.Start{Tier: "fentry", Gaps: []string{"a"}, Filters: []string{}}
	s.apply([]*event.Event{s.Start(noon, time.Hour, start)})
	s.looks(time.Minute, holding(9, 9, msg(1)), holding(8, 8))
	var delivered uint64
	for range 3 {
		for _, a := range []tracer.Action{tracer.ActionOpen, tracer.ActionCreate, tracer.ActionGet, tracer.ActionFail} {
			delivered++
			s.takes(call(tracer.Shm, a))
		}
		s.apply([]*event.Event{s.Lost(&tracer.Loss{Count: 7, Cause: tracer.ErrRingFull})})
	}
	delivered += 2
	s.Skip()
	s.Skip()
	stats := tracer.Stats{Produced: delivered + 21, Delivered: delivered, Lost: 21, Skipped: 4}
	s.apply([]*event.Event{s.Stop(noon.Add(time.Minute), time.Hour+time.Minute, "signal", stats)})

	var types []event.Type
	for i, e := range s.told {
		if e.Seq != uint64(i+1) || e.V != event.Version {
			t.Errorf("event %d has seq %d, version %d", i, e.Seq, e.V)
		}
		types = append(types, e.Event)
		back, err := event.Parse(e.AppendJSON(nil))
		if err != nil {
			t.Fatal(err)
		}
		check(t, e, back)
	}
	check(t, []event.Type{
		"trace.start", "object.found",
		"object.create", "object.fail", "trace.lost",
		"object.create", "object.fail", "trace.lost",
		"object.create", "object.fail", "trace.lost",
		"trace.stop",
	}, types)
	check(t, &event.Event{
		V: event.Version, Seq: 1, Time: noon, BootNS: int64(time.Hour), Event: event.TraceStart, Start: start,
	}, s.told[0])
	check(t, &event.Event{
		V: event.Version, Seq: 12, Time: noon.Add(time.Minute), BootNS: int64(time.Hour + time.Minute), Event: event.TraceStop,
		Stop: &event.Stop{Reason: "signal", Produced: 35, Delivered: 14, Lost: 21, Skipped: 4, Filtered: 8, Written: 6, Found: 1},
	}, s.told[11])
}

func TestLost(t *testing.T) {
	later := noon.Add(time.Second)
	for _, test := range []struct {
		name   string
		cause  error
		atMost bool
	}{
		{"ring full", tracer.ErrRingFull, false},
		{"hooks skipped", tracer.ErrSkipped, true},
		{"hooks skipped, wrapped", fmt.Errorf("on this kernel: %w", tracer.ErrSkipped), true},
		{"of another cause", errors.New("other"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(stream.Filter{})
			check(t, &event.Event{
				V: event.Version, Seq: 1, Time: later, BootNS: 5, Event: event.TraceLost,
				Lost: &event.Lost{Count: 3, From: noon, To: later, AtMost: test.atMost},
			}, s.Lost(&tracer.Loss{Count: 3, From: noon, To: later, Boot: 5, Cause: test.cause}))
			check(t, [2]uint64{}, [2]uint64{s.Written(), s.Filtered()})
		})
	}
}
