package report

import (
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// Trace is one trace of a log.
type Trace struct {
	log      *Log
	number   int // of those in the log, from 0
	start    event.Start
	stop     *event.Stop // nil: the log ends before it did
	headless bool
	origin   time.Time     // that all times of a trace are counted from
	from, to time.Duration // what is shown of it
	missing  uint64        // lines, at least

	limits  Limits
	known   *inventory.Inventory // of what happened in the namespaces that have lanes
	lanes   map[*inventory.Namespace]*lane
	order   []*lane
	beyond  map[event.Namespace]bool // namespaces past the limit, as far as they are told apart
	lives   []*life                  // as they came; there are some when the trace has ended
	objects int                      // that there were
	omitted int                      // of them, those that have no line of their own
	kept    window
	events  uint64
	bins    bins // of all events
	reached map[reach]*limit
	losses  []loss
	lost    lostTotals
	unseen  unseen
}

// unseen are events that no lane shows.
type unseen struct {
	unplaced uint64 // of a namespace that was not readable
	beyond   uint64 // of namespaces past the limit
	unheard  uint64 // of types that this program does not know
}

// loss is a place where events are missing.
type loss struct {
	from, to time.Duration
	event.Lost
}

type lostTotals struct{ Kernel, AtMost, Output, Places uint64 }

// at is a time in the trace.
func (t *Trace) at(when time.Time) time.Duration { return when.Sub(t.origin) }

// Add takes in an event that is to be shown.
func (t *Trace) Add(e *event.Event) {
	switch {
	case e.Stop != nil:
		t.stop = e.Stop
	case e.Lost != nil:
		t.lose(e.Lost)
	}
	l, object := t.apply(e)
	if l == nil {
		t.unseen.add(e)
		return
	}
	t.count(l, e)
	if e.Event.IsState() {
		return
	}
	t.kept.add(record{
		at: t.at(e.Time), seq: e.Seq, typ: e.Event, lane: l, number: object, from: t.lane(e.From), object: e.Object, process: e.Process,
		container: e.Container, syscall: e.Syscall, abi: e.ABI, word: word(e), observed: e.Observed,
	})
}

// apply takes an event in, and says in which lane it is, nil for none, and the number of
// its object, 0 for none.
func (t *Trace) apply(e *event.Event) (l *lane, object uint64) {
	if !t.admits(e) {
		return nil, 0
	}
	if o := t.known.Apply(e); o != nil {
		object = o.Number
	}
	return t.enter(e), object
}

func (t *Trace) count(l *lane, e *event.Event) {
	at, failed := t.at(e.Time), e.Event == event.ObjectFail
	t.events++
	t.bins.add(at, failed)
	l.bins.add(at, failed)
	switch e.Event {
	case event.ObjectFail:
		t.fail(l, e)
	case event.ObjectRemove:
		l.removed++
	}
}

func (u *unseen) add(e *event.Event) {
	switch {
	case e.Event.IsState() || strings.HasPrefix(string(e.Event), "trace."):
	case !slices.Contains(event.Types, e.Event):
		u.unheard++
	case e.NS == nil:
		u.unplaced++
	default:
		u.beyond++
	}
}

// word is what says why.
func word(e *event.Event) string {
	if e.Event == event.ObjectFail {
		return e.Errno
	}
	return string(e.Cause)
}

// Note takes in an event that is not shown itself, for what it says of objects and
// namespaces that are.
func (t *Trace) Note(e *event.Event) {
	if t.admits(e) {
		t.known.Note(e)
		t.enter(e)
	}
}

// End ends the trace. It is shown from a time to another; lines are missing, at least so many.
func (t *Trace) End(from, to time.Time, missing uint64) {
	t.from, t.to, t.missing = t.at(from), max(t.at(to), t.at(from)), missing
	t.settle()
	t.leaveOut()
	for _, l := range t.order {
		t.objects += l.objects()
	}
	t.omitted = t.objects - len(t.lives)
	t.log.add(t)
}

// leaveOut lets go of the namespaces that ended before what is shown begins.
func (t *Trace) leaveOut() {
	t.order = slices.DeleteFunc(t.order, func(l *lane) bool {
		past := l.Ended() && t.at(l.Freed) < t.from && len(l.lives) == 0
		if past {
			delete(t.lanes, l.Namespace)
		}
		return past
	})
}

func (t *Trace) lose(l *event.Lost) {
	t.lost.Places++
	switch {
	case l.Stage == event.StageOutput:
		t.lost.Output += l.Count
	case l.AtMost:
		t.lost.AtMost += l.Count
	default:
		t.lost.Kernel += l.Count
	}
	if len(t.losses) < t.limits.Losses {
		t.losses = append(t.losses, loss{t.at(l.From), t.at(l.To), *l})
		return
	}
	if last := len(t.losses) - 1; last >= 0 && t.losses[last].AtMost == l.AtMost && t.losses[last].Stage == l.Stage {
		t.losses[last].to = t.at(l.To)
		t.losses[last].Count += l.Count
	}
}
