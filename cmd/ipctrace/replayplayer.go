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
	lines       uint64    // read
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

// has says whether it has read anything so far.
func (p *player) has() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.past != nil
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
	p.lines++
	if p.copies() {
		return p.stage.tell(nil, nil, e.Text)
	}
	read, err := event.Parse(e.Text)
	if err != nil {
		faults.unread(e.Line, err)
		return nil
	}
	if missing := faults.follow(e.Line, read); p.past != nil && !p.span.after(read.Time) {
		p.past.missing += missing
	}
	return p.take(ctx, read, e.Line)
}

// copies says whether all lines are to be shown at once, as they are.
func (p *player) copies() bool {
	_, asJSON := p.stage.(*jsonStage)
	return asJSON && p.filter.Empty() && p.since == nil && p.until == nil && p.count == 0 && p.pace == nil
}

// take takes an event in and shows it, if it is to be shown. Until then the screen
// shows what was there before it: also of the trace before.
func (p *player) take(ctx context.Context, e *event.Event, line journal.Line) error {
	begins := p.past == nil || !p.past.goesOn(e)
	if begins {
		if err := p.leave(e, line.File); err != nil {
			return err
		}
	}
	if p.pace != nil && p.span.has(e.Time) && e.Event != event.TraceSeal {
		if err := p.stage.flush(); err != nil {
			return err
		}
		if p.pace.wait(ctx, e.Time, begins) != nil {
			return nil // play sees it
		}
	}
	if begins {
		if err := p.enter(e, line.File); err != nil {
			return err
		}
	}
	return p.tell(e, line.Text)
}

// tell tells the stage of an event in the trace that the player is in.
func (p *player) tell(e *event.Event, text []byte) error {
	if e.Event != event.TraceSeal {
		p.last = e.Time
	}
	p.past.pass(e, p.span)
	if p.span.after(e.Time) {
		return nil
	}
	if told := p.apply(e); !told || p.span.before(e.Time) {
		if r, ok := p.stage.(rememberer); ok && (told || p.wants(e)) {
			r.remember(p.past, e)
		}
		return nil
	}
	if happened(e.Event) {
		p.told++
	}
	return p.stage.tell(p.past, e, text)
}

// leave ends the trace that the player is in, as an event of another one comes. When
// the first one comes, so does the log begin.
func (p *player) leave(e *event.Event, file string) error {
	if p.past == nil {
		return p.settle(e.Time)
	}
	if p.past.sameLog(e, file) {
		p.past.over = true
	}
	return p.finish()
}

// enter begins the trace that an event is the first of.
func (p *player) enter(e *event.Event, file string) error {
	p.mu.Lock()
	p.past = newPast(e, file)
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
		if !p.filter.Names(e.Event) {
			known.Note(e)
			return false
		}
		known.Apply(e)
		return true
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

// wants says whether an event is of what is to be shown, whether it is told or not.
func (p *player) wants(e *event.Event) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return e.NS != nil && p.filter.Wants(e, p.past.inventory)
}

// happened says whether events of the type are of what happened, and not of what
// was there.
func happened(t event.Type) bool {
	return slices.Contains(event.Types, t) && t != event.ObjectFound && t != event.NamespaceFound
}

// finish shows the end of the trace that the player is in, once.
func (p *player) finish() error {
	if p.past == nil || p.past.finished || !p.past.meets(p.span) {
		return nil
	}
	p.past.finished = true
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
	headless  bool        // it began before
	seq       uint64      // of its last line
	missing   uint64      // lines, at least
	file      string      // in which it begins
	from, to  time.Time   // of its events, as far as they are shown
	over      bool        // it was stopped, or another one followed it in its log
	reached   bool        // it went on after the beginning of what is shown
	beyond    bool        // and after its end
	finished  bool        // its end has been shown

	objects, namespaces int  // that were there at the start, and are still to come
	coming              bool // they have begun to
	there               bool // the present event is of one
}

func newPast(e *event.Event, file string) *past {
	t := &past{inventory: inventory.New(inventory.Limits{}), file: file, from: e.Time, to: e.Time}
	if e.Start != nil {
		t.start = *e.Start
	}
	t.headless = e.Start == nil || e.Seq != 1
	if !t.headless { // else they were told before
		t.objects, t.namespaces = e.Start.Objects, e.Start.Namespaces
	}
	return t
}

// goesOn says whether an event is of the trace. A log goes on with a trace.start in
// the next file. When lines are missing before that it begins anew, with what is
// there then: that may be another trace, and what was there before may be gone.
func (t *past) goesOn(e *event.Event) bool {
	if e.Event != event.TraceStart {
		return true
	}
	return e.Seq != 1 && e.Seq == t.seq+1 && logOf(&t.start).ID == logOf(e.Start).ID
}

// sameLog says whether the first event of another trace is in the same log. A file
// that says nothing of that is one of its own.
func (t *past) sameLog(e *event.Event, file string) bool {
	log := logOf(&t.start).ID
	return file == t.file || log != "" && log == logOf(e.Start).ID
}

// logOf is the place that a trace has in a log, empty where it is not kept as one.
func logOf(s *event.Start) event.Log {
	if s == nil || s.Log == nil {
		return event.Log{}
	}
	return *s.Log
}

// pass notes that there was an event, shown or not. When there is a seal says nothing
// of the trace: who continues a log seals what another one wrote.
func (t *past) pass(e *event.Event, s span) {
	t.there, t.seq = t.wasThere(e), e.Seq
	if e.Event == event.TraceSeal {
		return
	}
	t.over = t.over || e.Event == event.TraceStop
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

// meets says whether there was tracing at the time that is to be shown. Where a log
// is cut off in a trace, that may have gone on.
func (t *past) meets(s span) bool { return !s.after(t.from) && (t.reached || !t.over) }

// now is the moment that its table shows.
func (t *past) now(s span) time.Time {
	if t.beyond {
		return *s.until
	}
	return t.to
}
