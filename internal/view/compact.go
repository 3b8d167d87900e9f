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
	at := e.Time.In(opts.Location).Format("15:04:05")
	if e.Event == event.TraceLost {
		return row{align(compactColumns, at, "lost", lostText(e.Lost, opts)), alarm}
	}
	namespace, kind, key, size, who := none, none, none, none, none
	if e.NS != nil {
		namespace = e.NS.String()
	}
	if e.Object != nil {
		kind, key, size = Safe(e.Object.Kind, maxWord), e.Object.Key.String(), sizeText(e.Object.Size, e.Object.NSems)
	}
	if e.Process != nil {
		who = callerText(e.Process) + abiText(e, opts)
	}
	what := Safe(strings.TrimPrefix(string(e.Event), "object."), maxWord)
	return row{align(compactColumns, at, what, namespace, kind, idText(e), who, key, size), eventStyle(e)}
}
