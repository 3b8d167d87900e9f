package main

import (
	"context"
	"math"
	"sync"
	"time"
)

// pace makes the pauses that were between events, and is the clock of a log that
// is played: between two events it goes on.
type pace struct {
	speed float64 // 0: without pauses

	mu   sync.Mutex
	from time.Time // of the last event
	next time.Time // of the one that is waited for
	due  time.Time // when from was, here
}

// betweenTraces is the longest pause between a trace and the next one.
const betweenTraces = 2 * time.Second

// wait waits until an event of this time is to be shown. A clock that was set back
// makes no pause. Before an event of another trace the clock stands, and the pause is
// a short one: nobody knows what was between them, and it may be a year.
func (p *pace) wait(ctx context.Context, at time.Time, another bool) error {
	p.mu.Lock()
	if p.due.IsZero() {
		p.from, p.due = at, time.Now()
	}
	ahead := max(0, at.Sub(p.from))
	long := p.here(ahead)
	if another {
		ahead, long = 0, min(p.here(at.Sub(p.from).Abs()), betweenTraces)
	}
	p.next = p.from.Add(ahead)
	due := p.due.Add(long)
	p.mu.Unlock()
	pause := time.NewTimer(time.Until(due))
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-pause.C:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.from, p.next, p.due = at, at, due
	return nil
}

// here is how long a part of the log takes.
func (p *pace) here(d time.Duration) time.Duration {
	if p.speed == 0 {
		return 0
	}
	if long := float64(d) / p.speed; long < math.MaxInt64 {
		return time.Duration(long)
	}
	return math.MaxInt64
}

// now is what the log's clock says; zero: nothing has been shown.
func (p *pace) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.next.Sub(p.from)
	if passed := float64(time.Since(p.due)) * p.speed; passed < float64(left) {
		left = time.Duration(max(0, passed))
	}
	return p.from.Add(left)
}
