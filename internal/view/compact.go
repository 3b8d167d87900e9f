package view

import (
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
)

// compactColumns are a line's for narrow screens, the dispensable ones at the
// right, where they are cut. The label of the namespace is in its title.
var compactColumns = []column{
	{"TIME", 8},
	{"EVENT", 6},
	{"NAMESPACE", 10},
	{"KIND", 4},
	{"ID", 7},
	{"CALLER", 20},
	{"KEY", 10},
	{"SIZE", 8},
}

// Events is how events are shown on a screen of so many columns.
type Events struct {
	columns []column
	row     func([]column, *event.Event, Options) Row
	opts    Options
}

// NewEvents picks all columns where there is room for them, else the compact ones.
func NewEvents(columns int, opts Options) Events {
	full := 0
	for _, c := range lineColumns {
		full += c.width + 1
	}
	if columns >= full {
		line := func(_ []column, e *event.Event, opts Options) Row { return lineRow(e, opts) }
		return Events{lineColumns, line, opts.Complete()}
	}
	return Events{compactColumns, compactRow, opts.Complete()}
}

// Fit makes room for the namespaces of some events: the later ones of a number have
// longer names.
func (e Events) Fit(events []*event.Event) Events {
	e.columns = slices.Clone(e.columns)
	namespace := &e.columns[slices.IndexFunc(e.columns, func(c column) bool { return c.name == "NAMESPACE" })]
	for _, of := range events {
		if of.NS != nil {
			namespace.width = max(namespace.width, Width(of.NS.String()))
		}
	}
	return e
}

// Header has the names of the columns.
func (e Events) Header() Row { return header(e.columns) }

// Row is that of an event.
func (e Events) Row(of *event.Event) Row { return e.row(e.columns, of, e.opts) }

// compactRow is the line of an event on a narrow screen.
func compactRow(columns []column, e *event.Event, opts Options) Row {
	at := e.Time.In(opts.Location).Format(ShortClock)
	if e.Event == event.TraceLost {
		return Row{align(columns, at, "lost", lostText(e.Lost, opts)), Alarm}
	}
	namespace, kind, key, size := None, None, None, None
	if e.NS != nil {
		namespace = e.NS.String()
	}
	if o := e.Object; o != nil {
		kind, key = Safe(o.Kind, MaxWord), keyTold(o, maxCompactName)
		size = ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize)
	}
	if e.Event == event.ObjectRemove {
		size = Unknown
		if e.Cause != "" {
			size = CauseText(e.Cause)
		}
	}
	if e.From != nil {
		key = "← " + e.From.String()
	}
	if e.Event.IsNamespace() {
		kind = "ns"
	}
	who := nobodyText(e)
	if e.Process != nil {
		who = Caller(e.Process) + abiText(e, opts)
	}
	what := compactEvent(e.Event)
	return Row{align(columns, at, what, namespace, kind, idText(e), who, key, size), eventStyle(e)}
}

// compactEvent is the type in a word.
func compactEvent(t event.Type) string {
	switch t {
	case event.NamespaceCreate:
		return "born"
	case event.NamespaceFree:
		return "ended"
	}
	_, word, dotted := strings.Cut(string(t), ".")
	if !dotted {
		word = string(t)
	}
	return orNone(Safe(word, MaxWord))
}
