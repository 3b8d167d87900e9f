package view

import (
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
)

// nobodyText stands for the name of a process where there is none.
func nobodyText(e *event.Event) string {
	switch {
	case e.Event != event.ObjectRemove && e.Event != event.NamespaceFree:
		return None
	case e.Observed == event.ObservedHook:
		return "nobody (kernel)"
	}
	return Unknown
}

// noteText is what there is to say behind the columns: why, where from, and how
// it was found out.
func noteText(e *event.Event, opts Options) string {
	var notes []string
	add := func(text string) {
		if text != "" {
			notes = append(notes, text)
		}
	}
	switch e.Event {
	case event.ObjectMark:
		add(markText(e.Object))
	case event.ObjectRemove:
		add(CauseText(e.Cause))
	case event.ObjectFound, event.NamespaceFound:
		add("there before")
	}
	if e.From != nil {
		add("from " + NamespaceText(e.From))
	}
	if e.Object != nil && e.Object.State != nil {
		add(UsedText(e.Object.State))
		if e.Object.State.Dest {
			add("marked")
		}
	}
	if e.Event != event.ObjectFound && e.Event != event.NamespaceFound {
		add(Late(e.Observed))
	}
	if len(notes) == 0 {
		return ""
	}
	return " · " + strings.Join(notes, ", ")
}

// markText: a segment is marked because it is attached. A queue is unlinked whether
// or not anybody has it open.
func markText(o *event.Object) string {
	if o != nil && o.Kind == kindMQ {
		return "unlinked"
	}
	return "still in use"
}

// CauseText is the contract's word for why an object is gone.
func CauseText(c event.Cause) string {
	if c == "" {
		return "cause not known"
	}
	return Safe(string(c), MaxWord)
}

// Late says that nobody saw it happen.
func Late(o event.Observed) string {
	switch o {
	case event.ObservedHook:
		return ""
	case event.ObservedSnapshot:
		return "found out late"
	case event.ObservedReuse:
		return "found out as its number was reused"
	}
	return "found out: " + Safe(string(o), MaxWord)
}
