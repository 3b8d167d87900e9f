package view

import (
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

// compactRow is the line of an event on a narrow screen.
func compactRow(e *event.Event, opts Options) row {
	at := e.Time.In(opts.Location).Format(shortClock)
	if e.Event == event.TraceLost {
		return row{align(compactColumns, at, "lost", lostText(e.Lost, opts)), alarm}
	}
	namespace, kind, key, size := none, none, none, none
	if e.NS != nil {
		namespace = e.NS.String()
	}
	if o := e.Object; o != nil {
		kind, key = Safe(o.Kind, maxWord), keyTold(o, maxCompactName)
		size = ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize)
	}
	if e.Event == event.ObjectRemove {
		size = unknown
		if e.Cause != "" {
			size = causeText(e.Cause)
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
		who = callerText(e.Process) + abiText(e, opts)
	}
	what := compactEvent(e.Event)
	return row{align(compactColumns, at, what, namespace, kind, idText(e), who, key, size), eventStyle(e)}
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
	return orNone(Safe(word, maxWord))
}
