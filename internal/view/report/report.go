// Package report makes one self-contained page of a log: a timeline with a lane for each
// IPC namespace, tables, what was left behind, which limits were reached, and what the
// seals say. Nothing on it is loaded from elsewhere.
//
// Text that other processes chose passes [view.Safe] before anything else, and is text
// wherever it stands: in HTML, in SVG and in the data that the page's script reads.
//
// A page is bounded by [Limits]. What it leaves out is counted, and said on it.
package report

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/journal"
)

// Limits bound a page. Where one is zero its default holds.
type Limits struct {
	Events     int // told one by one, in all traces: the first and the last; 120000
	Objects    int // of a trace, with a line of their own; 60000
	Namespaces int // of a trace; 4000
	Traces     int // 32
	Losses     int // of a trace, with a place of their own; 2000
}

func (l Limits) orDefault() Limits {
	or := func(n, otherwise int) int {
		if n > 0 {
			return n
		}
		return otherwise
	}
	return Limits{or(l.Events, 120000), or(l.Objects, 60000), or(l.Namespaces, 4000), or(l.Traces, 32), or(l.Losses, 2000)}
}

// inventory bounds the one of a trace: all its namespaces stay in it, and as many of the
// objects that are gone as can have lines. Of those that are there there are more, as one
// that is forgotten and met again is another one to it.
func (l Limits) inventory() inventory.Limits {
	return inventory.Limits{Namespaces: l.Namespaces, Ended: l.Namespaces, Objects: 16 * l.Objects, Gone: l.Objects}
}

// Log is what a page is made of. It is for one goroutine.
type Log struct {
	Verdict Verdict
	Filters []string // the flags that chose what is on it
	Notes   []string // what could not be read, or is missing

	limits Limits
	traces []*Trace
	more   int // traces beyond the limit
}

// Verdict is what was found out of the seals.
type Verdict struct {
	Report *journal.Report
	Asked  bool     // the seals had to be signed with a certain key
	Facts  []string // of the log, in words
	Grown  uint64   // lines that were read, and came after what was checked
}

// New is a log without traces.
func New(limits Limits) *Log { return &Log{limits: limits.orDefault()} }

// Begin begins a trace, at a time. Headless: it began before. It is on the page when it
// has ended. Beyond the limit of traces it is counted, and what it is told is let go of.
func (l *Log) Begin(start event.Start, headless bool, at time.Time) *Trace {
	limits := l.limits
	if len(l.traces) == limits.Traces {
		limits = Limits{Events: 0, Objects: 1, Namespaces: 1, Losses: 0}
	}
	t := &Trace{
		log: l, number: len(l.traces), start: start, headless: headless, origin: at, limits: limits,
		known: inventory.New(limits.inventory()), lanes: map[*inventory.Namespace]*lane{}, kept: window{most: limits.Events},
	}
	t.known.Apply(&event.Event{Event: event.TraceStart, Start: &start}) // which hooks it is of
	return t
}

// add adds a trace that has ended.
func (l *Log) add(t *Trace) {
	if len(l.traces) == l.limits.Traces {
		l.more++
		return
	}
	l.traces = append(l.traces, t)
}

// Traces is how many are on the page.
func (l *Log) Traces() int { return len(l.traces) }
