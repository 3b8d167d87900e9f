package main

import (
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
)

// renewal is what the next stream of a trace is of.
type renewal struct {
	filter stream.Filter
	words  []string
}

// renew has the stream end soon, and another begin with other filters. The hooks stay:
// what happens belongs to the one or the other. For any goroutine.
func (t *trace) renew(r *renewal) { t.renewal.Store(r) }

// renewNow does, if it was asked for.
func (t *trace) renewNow(out sink) error {
	r := t.renewal.Swap(nil)
	if r == nil {
		return nil
	}
	so := t.taken()
	var clock tracer.Clock
	now := clock.Boot()
	if err := t.write(out, t.stream.Stop(clock.Wall(now), now, endReload, since(so, t.base))); err != nil {
		return err
	}
	t.base = so
	t.mu.Lock()
	t.inventory = t.inventory.Renew()
	t.stream = t.stream.Renew(r.filter, t.inventory)
	t.begun = false
	t.mu.Unlock()
	t.start.Filters = r.words
	start := t.start
	if err := t.write(out, t.stream.Start(clock.Wall(now), now, &start)); err != nil {
		return err
	}
	t.stream.BeginLook()
	t.looks.restart()
	return nil
}

// taken is the account of what has come out of the ring, and of the losses that were
// told. What is still in it is the next stream's.
func (t *trace) taken() tracer.Stats {
	now := t.tracer.Stats()
	s := tracer.Stats{Delivered: now.Delivered, Lost: t.toldLost, Skipped: t.toldSkipped, CgroupsLost: now.CgroupsLost}
	s.Produced = s.Delivered + s.Lost
	return s
}

// since is what came after a moment.
func since(s, base tracer.Stats) tracer.Stats {
	s.Produced -= base.Produced
	s.Delivered -= base.Delivered
	s.Lost -= base.Lost
	s.Skipped -= base.Skipped
	s.CgroupsLost -= base.CgroupsLost
	return s
}
