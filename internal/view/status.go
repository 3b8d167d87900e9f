package view

import (
	"fmt"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// Status is what the screen says of the session itself.
type Status struct {
	Tier    string // of hooks
	Started time.Time
	Now     time.Time

	rate float64 // events a second
}

func statusText(st Status, t inventory.Totals) string {
	return fmt.Sprintf("%s · %.1f events/s · %s · %s elapsed · Ctrl-C ends",
		Safe(st.Tier, maxWord), st.rate, losses(t.Lost, t.Skipped), ageText(st.Now.Sub(st.Started)))
}

// rateSpan is what events a second are taken over: long enough to be read.
const rateSpan = 2 * time.Second

// rate measures events a second.
type rate struct{ samples []sample }

type sample struct {
	at     time.Time
	events uint64
}

// at notes how many events there were by then, and returns the rate since about
// rateSpan before.
func (r *rate) at(now time.Time, events uint64) float64 {
	if n := len(r.samples); n > 0 && (events < r.samples[n-1].events || now.Before(r.samples[n-1].at)) {
		r.samples = nil // another trace of a log, or a clock that was set
	}
	r.samples = append(r.samples, sample{now, events})
	for len(r.samples) > 2 && now.Sub(r.samples[1].at) >= rateSpan {
		r.samples = r.samples[1:]
	}
	first := r.samples[0]
	seconds := now.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(events-first.events) / seconds
}
