package tracer

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often the ring is looked into while it is empty: the programs do
// not wake the reader, see submit in bpf/record.h. So an event is seen 2 ms after
// it happened in the middle. docs/performance.md has what that costs.
const poll = 4 * time.Millisecond

// moment is how long to wait for a record that is being written. Not by trying
// again and again: who writes it may have to run on this CPU to get on.
const moment = 50 * time.Microsecond

// audit is how often losses are looked for that no later event has told of.
const audit = time.Second

// spacing is how long after a loss on a CPU the next one there is told. In a flood
// there is a gap before every few events: to tell of each alone would cost more.
const spacing = 10 * time.Millisecond

// Events yields what the kernel records, in the order of the ring buffer, until
// Stop or Close; then what is left in the ring, and ends. A [*Loss] stands where
// events are missing and does not end it; any other error does. Where more are
// missing soon after, on the same CPU, one Loss stands for all of those, behind the
// last of them. One Events at a time; after a break it may be called again.
func (t *Tracer) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t.reading.Lock()
		defer t.reading.Unlock()
		if t.last.Load() != nil {
			return
		}
		var raw ipctraceMqEvent
		if held := t.held; held != nil {
			t.held = nil
			if !t.deliver(held, &raw, yield) {
				return
			}
		}
		for {
			sample, err := t.ring.next()
			switch {
			case err != nil:
				yield(Event{}, fmt.Errorf("read ring buffer: %w", err))
				return
			case sample != nil:
				if !t.deliver(sample, &raw, yield) {
					return
				}
			case !t.rest(yield):
				return
			}
		}
	}
}

// rest is when nothing is there to be read: it tells what had to wait for that, and
// waits until the ring is to be looked into again; false: all is over.
func (t *Tracer) rest(yield func(Event, error) bool) bool {
	t.ring.free()
	if err := t.tellCgroups(); err != nil {
		yield(Event{}, err)
		return false
	}
	// Before the ring is looked into: what comes after Stop is nothing, and what
	// happened before now is in it.
	over, now := t.stopped.Load(), t.clock.Boot()
	switch {
	case !t.ring.empty(): // it came just now, or is being written
		nap(moment)
		return true
	case over:
		t.tellLosses(yield)
		return false
	case !t.tellOwed(yield), now-t.looked >= audit && !t.tellLosses(yield), !t.tellIdle(now, yield):
		return false
	}
	nap(poll)
	return true
}

func (t *Tracer) tellIdle(now time.Duration, yield func(Event, error) bool) bool {
	if t.idle == nil {
		return true
	}
	err := t.idle(now)
	if err != nil {
		yield(Event{}, err)
	}
	return err == nil
}

// nap waits until the ring is to be looked into again: by one system call, where a
// timer of the runtime's takes several threads.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
}

func (t *Tracer) deliver(sample []byte, raw *ipctraceMqEvent, yield func(Event, error) bool) bool {
	if err := decode(sample, raw); err != nil {
		yield(Event{}, err)
		return false
	}
	if int(raw.Event.Cpu) >= len(t.cpus) {
		yield(Event{}, fmt.Errorf("%w: cpu %d", errRecord, raw.Event.Cpu))
		return false
	}
	if err := t.tellCgroups(); err != nil {
		yield(Event{}, err)
		return false
	}
	c, boot := &t.cpus[raw.Event.Cpu], time.Duration(raw.Event.BootNs)
	if lost := raw.Event.Lost; lost > c.told && !t.gap(c, lost, boot, yield) {
		t.held = slices.Clone(sample) // it is out of the ring: the next Events begins with it
		return false
	}
	c.heard = boot
	t.delivered.Add(1)
	if !yield(newEvent(raw, &t.clock, &t.comms), nil) {
		return false
	}
	return boot-t.looked < audit || t.tellSkipped(boot, yield)
}

// cpu is what is known of losses on one.
type cpu struct {
	told  uint64        // how many were
	at    time.Duration // boot time when the last ones were
	heard time.Duration // boot time of the last event

	// More of which events have told: after one since, and before one until.
	owed         uint64 // with those told; 0, or as many: none
	since, until time.Duration
}

// gap tells of what was lost before an event, or puts it off.
func (t *Tracer) gap(c *cpu, lost uint64, boot time.Duration, yield func(Event, error) bool) bool {
	c.owe(lost, max(c.heard, t.start), boot)
	if boot-c.at < spacing {
		t.owing = true
		return true
	}
	return t.pay(c, yield)
}

func (c *cpu) owe(lost uint64, since, until time.Duration) {
	if c.owed <= c.told {
		c.since = since
	}
	if lost > c.owed {
		c.owed, c.until = lost, until
	}
}

// pay tells of what is owed.
func (t *Tracer) pay(c *cpu, yield func(Event, error) bool) bool {
	loss := &Loss{
		Count: c.owed - c.told, From: t.clock.Wall(c.since), To: t.clock.Wall(c.until), Boot: c.until, Cause: ErrRingFull,
	}
	c.told, c.at = c.owed, c.until
	return yield(Event{}, loss)
}

// tellOwed tells of what was put off.
func (t *Tracer) tellOwed(yield func(Event, error) bool) bool {
	if !t.owing {
		return true
	}
	for i := range t.cpus {
		if c := &t.cpus[i]; c.owed > c.told && !t.pay(c, yield) {
			return false
		}
	}
	t.owing = false
	return true
}

// tellLosses tells what the kernel counted and no event has told, on CPUs that
// have been silent since, and skipped runs. Only when the ring is empty: what was
// lost after a record that is still in it has its place behind that.
func (t *Tracer) tellLosses(yield func(Event, error) bool) bool {
	counters, err := t.counters()
	if err != nil {
		return yield(Event{}, err)
	}
	now := t.clock.Boot()
	for i, counted := range counters {
		c := &t.cpus[i]
		c.owe(counted.Lost, max(c.heard, t.start), now)
		if c.owed > c.told && !t.pay(c, yield) {
			return false
		}
		c.heard = max(c.heard, c.until)
	}
	return t.tellSkipped(now, yield)
}

// tellSkipped tells of runs of hooks that the kernel skipped. When in the time
// since the last look nobody knows.
func (t *Tracer) tellSkipped(now time.Duration, yield func(Event, error) bool) bool {
	since := t.looked
	t.looked = now
	skipped := t.skipped()
	if skipped == t.missed {
		return true
	}
	loss := &Loss{
		Count: skipped - t.missed, From: t.clock.Wall(since), To: t.clock.Wall(now), Boot: now, Cause: ErrSkipped,
	}
	t.missed = skipped
	return yield(Event{}, loss)
}
