package report

import (
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Trace is one trace of a log.
type Trace struct {
	number   int // of those in the log, from 0
	start    event.Start
	stop     *event.Stop // nil: the log ends before it did
	headless bool
	origin   time.Time     // that all times of a trace are counted from
	from, to time.Duration // what is shown of it
	missing  uint64        // lines, at least

	limits  Limits
	lanes   map[laneID]*lane
	order   []*lane
	beyond  map[laneID]bool // namespaces past the limit, as far as they are told apart
	lives   []*life
	objects int // that there were
	ended   int // of lives, those that are gone
	omitted int // objects that have no line of their own
	kept    window
	bins    bins // of all events
	counts  counts
	reached map[reach]*limit
	losses  []loss
	lost    lostTotals
	unseen  unseen
	blind   bool // the hooks do not tell the end of unlinked queues
}

// unseen are events that no lane shows.
type unseen struct {
	unplaced uint64 // of a namespace that was not readable
	beyond   uint64 // of namespaces past the limit
	unheard  uint64 // of types that this program does not know
}

// counts of what happened in a trace or in a namespace, as it was told.
type counts struct {
	Events, Created, Opened, Got, Failed, Marked, Removed, Joined, Found uint64
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
	l, o := t.follow(e)
	if l == nil {
		t.unseen.add(e)
		return
	}
	t.counts.add(e)
	l.counts.add(e)
	at := t.at(e.Time)
	failed := e.Event == event.ObjectFail
	t.bins.add(at, failed)
	l.bins.add(at, failed)
	if failed {
		t.fail(l, e)
	}
	if e.Event.IsState() {
		return
	}
	from := t.known(e.From)
	t.kept.add(record{
		at: at, seq: e.Seq, typ: e.Event, lane: l, life: o, from: from, object: e.Object, process: e.Process,
		container: e.Container, syscall: e.Syscall, abi: e.ABI, word: word(e), observed: e.Observed,
	})
}

func (u *unseen) add(e *event.Event) {
	switch {
	case e.Event.IsState() || strings.HasPrefix(string(e.Event), "trace."):
	case !e.Event.IsObject() && !e.Event.IsNamespace():
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
func (t *Trace) Note(e *event.Event) { t.follow(e) }

// End ends the trace. It is shown from a time to another; lines are missing, at least so many.
func (t *Trace) End(from, to time.Time, missing uint64) {
	t.from, t.to, t.missing = t.at(from), max(t.at(to), t.at(from)), missing
	t.leaveOut()
}

// leaveOut lets go of what was gone before what is shown begins.
func (t *Trace) leaveOut() {
	known := len(t.lives)
	inhabited := map[*lane]bool{}
	t.lives = slices.DeleteFunc(t.lives, func(o *life) bool { return o.gone && o.end < t.from })
	for _, o := range t.lives {
		inhabited[o.lane] = true
	}
	t.objects -= known - len(t.lives)
	past := func(l *lane) bool { return l != nil && l.gone && l.freed < t.from && !inhabited[l] }
	for _, l := range t.order {
		if past(l.parent) {
			l.parent = nil
		}
	}
	t.order = slices.DeleteFunc(t.order, past)
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

func (c *counts) add(e *event.Event) {
	c.Events++
	switch e.Event {
	case event.ObjectCreate:
		c.Created++
	case event.ObjectOpen:
		c.Opened++
	case event.ObjectGet:
		c.Got++
	case event.ObjectFail:
		c.Failed++
	case event.ObjectMark:
		c.Marked++
	case event.ObjectRemove:
		c.Removed++
	case event.NamespaceJoin:
		c.Joined++
	case event.ObjectFound:
		c.Found++
	}
}

// follow notes what an event says of its namespace and its object. Without a namespace,
// or past the limit of namespaces, there is neither.
func (t *Trace) follow(e *event.Event) (*lane, *life) {
	if e.NS == nil || !(e.Event.IsObject() || e.Event.IsNamespace()) {
		return nil, nil
	}
	l := t.lane(e.NS, t.at(e.Time))
	if l == nil {
		return nil, nil
	}
	if e.NS.Label != "" {
		l.ns.Label = e.NS.Label
	}
	if e.Event != event.NamespaceFree && e.Event != event.ObjectRemove {
		l.gone = false // it was taken to have ended, and something happens in it
	}
	if e.Event.IsNamespace() {
		t.namespace(l, e)
		return l, nil
	}
	if e.Object == nil || e.Event == event.ObjectFail || !identified(e.Object) {
		return l, nil
	}
	return l, t.object(l, e)
}
