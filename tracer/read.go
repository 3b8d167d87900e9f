package tracer

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

// poll is how often the ring is looked into while it is empty: the programs do
// not wake the reader, see submit in bpf/ipctrace.bpf.c.
const poll = 10 * time.Millisecond

// audit is how often losses are looked for that no later event has told of.
const audit = time.Second

// Events yields what the kernel records, in the order of the ring buffer, until
// Stop or Close; then what is left in the ring, and ends. A [*Loss] stands where
// events are missing and does not end it; any other error does. One Events at a
// time; after a break it may be called again.
func (t *Tracer) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		t.reading.Lock()
		defer t.reading.Unlock()
		if t.last.Load() != nil {
			return
		}
		var record ringbuf.Record
		var raw ipctraceMqEvent
		if held := t.held; held != nil {
			t.held = nil
			if !t.deliver(held, &raw, yield) {
				return
			}
		}
		var now time.Duration
		for {
			// Before the ring is looked into: what comes after Stop is nothing.
			over := t.stopped.Load()
			if record.Remaining == 0 { // else there is no need to wait, and to know since when
				now = t.clock.Boot()
				t.reader.SetDeadline(time.Now().Add(poll))
			}
			err := t.reader.ReadInto(&record)
			empty := err != nil && (errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ringbuf.ErrFlushed))
			if empty {
				record.Remaining = 0 // what the last one said of the ring is no more so
			}
			switch {
			case empty && over:
				t.tellLosses(yield)
				return
			case empty:
				if t.idle != nil {
					t.idle(now)
				}
				if now-t.looked >= audit && !t.tellLosses(yield) {
					return
				}
			case err != nil:
				yield(Event{}, fmt.Errorf("read ring buffer: %w", err))
				return
			case !t.deliver(record.RawSample, &raw, yield):
				return
			}
		}
	}
}

func (t *Tracer) deliver(sample []byte, raw *ipctraceMqEvent, yield func(Event, error) bool) bool {
	if err := decode(sample, raw); err != nil {
		yield(Event{}, err)
		return false
	}
	if int(raw.Event.Cpu) >= len(t.seen) {
		yield(Event{}, fmt.Errorf("%w: cpu %d", errRecord, raw.Event.Cpu))
		return false
	}
	boot := time.Duration(raw.Event.BootNs)
	if lost := raw.Event.Lost; lost > t.seen[raw.Event.Cpu] && !t.tellLoss(int(raw.Event.Cpu), lost, boot, yield) {
		t.held = slices.Clone(sample) // it is out of the ring: the next Events begins with it
		return false
	}
	t.heard[raw.Event.Cpu] = boot
	t.delivered.Add(1)
	if !yield(newEvent(raw, &t.clock, &t.comms), nil) {
		return false
	}
	return boot-t.looked < audit || t.tellSkipped(boot, yield)
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
	for cpu, c := range counters {
		if c.Lost > t.seen[cpu] && !t.tellLoss(cpu, c.Lost, now, yield) {
			return false
		}
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

func (t *Tracer) tellLoss(cpu int, lost uint64, until time.Duration, yield func(Event, error) bool) bool {
	since := max(t.heard[cpu], t.start)
	loss := &Loss{Count: lost - t.seen[cpu], From: t.clock.Wall(since), To: t.clock.Wall(until), Boot: until, Cause: ErrRingFull}
	t.seen[cpu], t.heard[cpu] = lost, until
	return yield(Event{}, loss)
}
