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
	mu      sync.Mutex
	speed   float64   // 0: without pauses
	clock   time.Time // of the log; zero: nothing has been shown
	set     time.Time // when it was that, here
	next    time.Time // it goes no farther before what is waited for
	paused  bool
	steps   int           // events that are let through nevertheless
	skip    target        // all up to there is
	passed  uint64        // events
	changed chan struct{} // closed when any of that changes; nil: nobody waits
}

// target is a place in a log that is gone to without pauses: a moment, or behind so
// many events, which is at about that moment. The zero one is where the log begins.
type target struct {
	at     time.Time
	events uint64 // 0: all up to the moment
}

// behind says whether the target is behind an event of this time, before which so many
// have passed.
func (t target) behind(at time.Time, passed uint64) bool {
	if t.events > 0 {
		return passed < t.events
	}
	return !at.After(t.at)
}

// betweenTraces is the longest pause between a trace and the next one.
const betweenTraces = 2 * time.Second

// wait waits until an event of this time is to be shown. A clock that was set back
// makes no pause. Before an event of another trace the clock stands, and the pause is
// a short one: nobody knows what was between them, and it may be a year.
func (p *pace) wait(ctx context.Context, at time.Time, another bool) error {
	for {
		due, changed, arrived := p.approach(at, another)
		if arrived {
			return ctx.Err()
		}
		var timer <-chan time.Time
		if !due.IsZero() {
			pause := time.NewTimer(time.Until(due))
			defer pause.Stop()
			timer = pause.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer:
			p.arrive(at, due)
			return nil
		case <-changed:
		}
	}
}

// approach says when an event is due, zero for not before something changes, or that it
// is let through at once.
func (p *pace) approach(at time.Time, another bool) (due time.Time, changed <-chan struct{}, arrived bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.clock.IsZero(): // the first one
		p.through(at, time.Now())
		return due, nil, true
	case p.skip.behind(at, p.passed):
		p.through(at, time.Now())
		return due, nil, true
	case p.steps > 0:
		p.steps--
		p.through(at, time.Now())
		return due, nil, true
	}
	if p.skip.events == 0 && p.skip.at.After(p.clock) { // it is there
		p.clock, p.set = p.skip.at, time.Now()
	}
	p.skip = target{}
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	p.next = p.clock
	long := min(p.here(at.Sub(p.clock).Abs()), betweenTraces)
	if !another {
		p.next = later(at, p.clock)
		long = p.here(p.next.Sub(p.clock))
	}
	if p.paused {
		return due, p.changed, false
	}
	return p.set.Add(long), p.changed, false
}

// arrive lets an event through that was due, so that those behind it come no later.
func (p *pace) arrive(at, due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.through(at, due)
}

func (p *pace) through(at, here time.Time) {
	p.clock, p.next, p.set = at, at, here
	p.passed++
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
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

// at is what the log's clock says; zero: nothing has been shown.
func (p *pace) at() time.Time {
	left := p.next.Sub(p.clock)
	if p.paused {
		return p.clock
	}
	if passed := float64(time.Since(p.set)) * p.speed; passed < float64(left) {
		left = time.Duration(max(0, passed))
	}
	return p.clock.Add(left)
}

// state is that, and whether it is on the way to a place.
func (p *pace) state() (now time.Time, seeking bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.skip.at.After(p.clock) {
		return p.skip.at, true
	}
	return p.at(), p.skip != (target{})
}

// goal is where it is on the way to, or else where it is.
func (p *pace) goal() (to target, going bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.skip != (target{}) {
		return p.skip, true
	}
	return target{p.at(), p.passed}, false
}

// leads says whether it comes to a place if it goes on.
func (p *pace) leads(to target) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return to.behind(p.clock, p.passed)
}

// setting is how fast it goes, and whether it stands.
func (p *pace) setting() (speed float64, paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.speed, p.paused
}

// change changes it, from the moment that the clock shows.
func (p *pace) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.clock.IsZero() {
		p.clock, p.set = p.at(), time.Now()
	}
	do()
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// again begins at the beginning, and goes to a place without pauses.
func (p *pace) again(to target) {
	p.change(func() {
		p.clock, p.next, p.passed, p.steps, p.skip = time.Time{}, time.Time{}, 0, 0, to
	})
}
