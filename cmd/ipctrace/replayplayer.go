package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/stream"
)

// player goes through a log: it keeps the inventory of the trace that it is in,
// and lets a stage show what is asked for.
type player struct {
	filter       stream.Filter
	since, until *moment
	count        uint64 // of events to be told; 0: all
	pace         *pace  // nil: at once
	stage        stage

	span        span      // since and until, in this log
	first, last time.Time // of all events in it
	told        uint64
	shown       int // traces

	mu   sync.Mutex // guards past, for who draws it
	past *past      // nil: nothing has been read
}

// show shows files on the stage, and clears it: also in a panic, as the terminal is
// the user's.
func (p *player) show(ctx context.Context, files []journal.File, faults *faults) (err error) {
	defer func() { err = errors.Join(err, p.stage.close()) }()
	return p.play(ctx, feed(ctx, files), faults)
}

// play shows the entries until there are no more, ctx ends, or there are enough.
func (p *player) play(ctx context.Context, entries <-chan entry, faults *faults) error {
	for !p.enough() {
		e, ok, err := p.next(ctx, entries)
		switch {
		case err != nil:
			return err
		case !ok:
			return p.finish()
		case e.err != nil:
			faults.unread(e.Line, e.err)
		case e.Torn:
			faults.torn(e.Line)
		default:
			err = p.line(ctx, e, faults)
		}
		if err != nil {
			return err
		}
	}
	return p.finish()
}

func (p *player) enough() bool { return p.count > 0 && p.told >= p.count }

// next is the next entry. Before it has to be waited for, all is shown.
func (p *player) next(ctx context.Context, entries <-chan entry) (e entry, ok bool, err error) {
	if ctx.Err() != nil {
		return e, false, nil
	}
	select {
	case e, ok = <-entries:
		return e, ok, nil
	default:
	}
	if err := p.stage.flush(); err != nil {
		return e, false, err
	}
	select {
	case e, ok = <-entries:
	case <-ctx.Done():
	}
	return e, ok, nil
}

// line shows a line. Where it does not matter what it says it is not read.
func (p *player) line(ctx context.Context, e entry, faults *faults) error {
	if p.copies() {
		return p.stage.tell(nil, nil, e.Text)
	}
	read, err := event.Parse(e.Text)
	if err != nil {
		faults.unread(e.Line, err)
		return nil
	}
	return p.take(ctx, read, e.Text)
}

// copies says whether all lines are to be shown at once, as they are.
func (p *player) copies() bool {
	_, asJSON := p.stage.(*jsonStage)
	return asJSON && p.filter.Empty() && p.since == nil && p.until == nil && p.count == 0 && p.pace == nil
}

// take takes an event in and shows it, if it is to be shown.
func (p *player) take(ctx context.Context, e *event.Event, text []byte) error {
	if err := p.enter(e); err != nil {
		return err
	}
	p.last = e.Time
	p.past.pass(e, p.span)
	if p.span.after(e.Time) {
		return nil
	}
	if !p.span.before(e.Time) && p.pace != nil {
		if err := p.stage.flush(); err != nil {
			return err
		}
		if p.pace.wait(ctx, e.Time) != nil {
			return nil // play sees it
		}
	}
	if !p.apply(e) || p.span.before(e.Time) {
		return nil
	}
	if happened(e.Event) {
		p.told++
	}
	return p.stage.tell(p.past, e, text)
}

// enter begins what begins with an event: the log, a trace.
func (p *player) enter(e *event.Event) error {
	if p.past == nil {
		if err := p.settle(e.Time); err != nil {
			return err
		}
	} else if p.past.goesOn(e) {
		return nil
	} else if err := p.finish(); err != nil {
		return err
	}
	p.mu.Lock()
	p.past = newPast(e)
	p.mu.Unlock()
	return p.stage.begin(p.past)
}

// settle finds out what the times of the command line are in a log that begins at
// a time.
func (p *player) settle(begin time.Time) error {
	p.first = begin
	if p.since != nil {
		at := p.since.on(begin)
		p.span.since = &at
	}
	if p.until != nil {
		at := p.until.on(begin)
		p.span.until = &at
	}
	if p.span.since != nil && p.span.after(*p.span.since) {
		return usagef("--since is after --until")
	}
	return nil
}

// apply takes an event into the inventory, and says whether it is to be told.
func (p *player) apply(e *event.Event) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.past.inventory
	switch {
	case e.NS != nil && e.Event.IsState():
		if !p.filter.Wants(e, known) {
			return false
		}
		known.Apply(e)
		return p.filter.Names(e.Event)
	case !slices.Contains(event.Types, e.Event):
		known.Apply(e)
		return e.Event == event.TraceStart || e.Event == event.TraceStop || e.Event == event.TraceLost || p.filter.Empty()
	case !p.filter.Wants(e, known):
		return false
	case !p.filter.Names(e.Event):
		known.Note(e)
		return false
	}
	known.Apply(e)
	return true
}

// happened says whether events of the type are of what happened, and not of what
// was there.
func happened(t event.Type) bool {
	return slices.Contains(event.Types, t) && t != event.ObjectFound && t != event.NamespaceFound
}

// finish ends the trace that the player is in.
func (p *player) finish() error {
	if p.past == nil || !p.past.meets(p.span) {
		return nil
	}
	p.shown++
	return p.stage.end(p.past, p.past.now(p.span))
}

// nothing says why nothing was shown, if so.
func (p *player) nothing() error {
	switch {
	case p.shown > 0 || p.copies():
		return nil
	case p.past == nil:
		return fmt.Errorf("no events in the log")
	}
	return fmt.Errorf("nothing was traced then: the log is from %s to %s", p.first.Local().Format(time.DateTime), p.last.Local().Format(time.DateTime))
}

// past is a trace that is in a log.
type past struct {
	inventory *inventory.Inventory
	start     event.Start // empty where the log does not say
	from, to  time.Time   // of its events, as far as they are shown
	stopped   bool
	reached   bool // it went on after the beginning of what is shown
	beyond    bool // and after its end

	objects, namespaces int  // that were there at the start, and are still to come
	coming              bool // they have begun to
	there               bool // the present event is of one
}

func newPast(e *event.Event) *past {
	t := &past{inventory: inventory.New(inventory.Limits{}), from: e.Time, to: e.Time}
	if e.Start != nil {
		t.start = *e.Start
	}
	if e.Start != nil && e.Seq == 1 { // else they were told in a part before
		t.objects, t.namespaces = e.Start.Objects, e.Start.Namespaces
	}
	return t
}

// goesOn says whether an event is of the trace. A log goes on with a trace.start
// in the next file.
func (t *past) goesOn(e *event.Event) bool {
	if e.Event != event.TraceStart {
		return true
	}
	return e.Seq != 1 && logOf(&t.start) == logOf(e.Start)
}

// logOf is the name of the log that a trace is kept in, "" where it has none.
func logOf(s *event.Start) string {
	if s == nil || s.Log == nil {
		return ""
	}
	return s.Log.ID
}

// pass notes that there was an event, shown or not.
func (t *past) pass(e *event.Event, s span) {
	t.there = t.wasThere(e)
	t.stopped = t.stopped || e.Event == event.TraceStop
	t.reached = t.reached || !s.before(e.Time)
	if s.after(e.Time) {
		t.beyond = true
	} else {
		t.to = e.Time
	}
}

// wasThere says whether an event tells of what was there when the trace began.
// These come in one piece, and are as many as trace.start says, at most.
func (t *past) wasThere(e *event.Event) bool {
	var left *int
	switch {
	case e.Event == event.NamespaceFound:
		left = &t.namespaces
	case e.Event == event.ObjectFound:
		left = &t.objects
	case t.coming && happened(e.Event) && e.Observed == event.ObservedHook:
		t.namespaces, t.objects = 0, 0
	}
	if left == nil || *left <= 0 {
		return false
	}
	*left--
	t.coming = true
	return true
}

// meets says whether there was tracing at the time that is to be shown. Who was
// killed did not say when.
func (t *past) meets(s span) bool { return !s.after(t.from) && (t.reached || !t.stopped) }

// now is the moment that its table shows.
func (t *past) now(s span) time.Time {
	if t.beyond {
		return *s.until
	}
	return t.to
}
