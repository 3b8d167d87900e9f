package tracer_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestKernelLoss: a reader that does not read loses events, and every one of
// them is counted and told.
func TestKernelLoss(t *testing.T) {
	const calls = 2000
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: os.Getpagesize()})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		time.Sleep(1100 * time.Millisecond) // so that an audit falls between the events
		for range 2 {                       // a ring that was full goes on
			run(t, nil, kerneltest.Maker64(t), "-unshare", "-repeat", fmt.Sprint(calls), "msgget:7:896")
		}
		tr.Stop()
		var told, delivered uint64
		var place time.Duration // of the last loss: what follows on its CPU is not older
		for e, err := range tr.Events() {
			var loss *tracer.Loss
			switch {
			case err == nil:
				delivered++
				if e.Boot < place {
					t.Errorf("a loss of %v is told before an event of %v", place, e.Boot)
				}
				place = 0
			case errors.Is(err, tracer.ErrSkipped):
			case errors.As(err, &loss) && errors.Is(err, tracer.ErrRingFull):
				told += loss.Count
				place = loss.Boot
				if loss.From.After(loss.To) {
					t.Errorf("loss from %v to %v", loss.From, loss.To)
				}
			default:
				t.Fatal(err)
			}
		}
		s := tr.Stats()
		if s.Produced+s.Skipped < 2*calls || s.Lost == 0 || s.Delivered == 0 ||
			s.Lost != told || s.Delivered != delivered || s.Lost+s.Delivered != s.Produced {
			t.Errorf("told %d lost and %d delivered, stats %+v", told, delivered, s)
		}
	})
}

// TestKernelStop: Stop ends Events once, and a closed tracer tells nothing.
func TestKernelStop(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		tr, err := tracer.Open(tracer.Config{Tier: tier})
		if err != nil {
			t.Fatal(err)
		}
		m := run(t, nil, kerneltest.Maker64(t), "msgget:0:384", "msgget:0:384", "msgget:0:384")
		for e, err := range tr.Events() { // leaving the loop loses nothing
			if err != nil && !errors.Is(err, tracer.ErrSkipped) {
				t.Fatal(err)
			}
			if int(e.PID) == m.pid {
				break
			}
		}
		tr.Stop()
		tr.Stop()
		run(t, nil, kerneltest.Maker64(t), "msgget:0:384") // after the end
		var rest []tracer.Event
		for e, err := range tr.Events() {
			if err != nil && !errors.Is(err, tracer.ErrSkipped) {
				t.Fatal(err)
			}
			rest = append(rest, e)
		}
		missing := 2 - len(of(rest, m.pid))
		if skipped := tr.Stats().Skipped; missing < 0 || missing > int(skipped) {
			t.Errorf("want the 2 events that were left (%d skipped), told %+v", skipped, rest)
		}
		tr.Close()
		tr.Close()
		for e, err := range tr.Events() {
			t.Errorf("closed tracer tells %+v, %v", e, err)
		}
	})
}

// TestKernelLeave: leaving the loop, be it at a loss, drops nothing, and Events
// after the end is a loop without a turn.
func TestKernelLeave(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: os.Getpagesize()})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		var delivered, lost uint64
		turn := func() bool {
			for _, err := range tr.Events() {
				var loss *tracer.Loss
				switch {
				case errors.Is(err, tracer.ErrSkipped):
				case errors.As(err, &loss):
					lost += loss.Count
				case err != nil:
					t.Fatal(err)
				default:
					delivered++
				}
				return true
			}
			return false
		}
		for range 3 {
			run(t, nil, kerneltest.Maker64(t), "-unshare", "-repeat", "100", "msgget:7:896")
			for range 20 { // makes room, so that the next events tell of the loss
				turn()
			}
		}
		tr.Stop()
		for turn() {
		}
		if turn() {
			t.Error("an event after the end")
		}
		if s := tr.Stats(); s.Delivered != delivered || s.Lost != lost || s.Pending != 0 || s.Lost == 0 {
			t.Errorf("%d delivered, %d lost; stats %+v", delivered, lost, s)
		}
	})
}
