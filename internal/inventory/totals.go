package inventory

import "github.com/ipctrace/ipctrace/internal/event"

// Totals count all that was applied, also to what is forgotten by now. It always
// holds that
//
//	Events + Found = Created + Opened + Got + Failed + Marked + Removed + ObjectsFound +
//	                 Born + Joined + Freed + NamespacesFound
type Totals struct {
	Events uint64 // told by the kernel as they happened
	Found  uint64 // found out afterwards

	Created      uint64
	Opened       uint64
	Got          uint64 // made or found: the hooks could not tell
	Failed       uint64
	Marked       uint64 // removed while in use
	Removed      uint64
	ObjectsFound uint64 // were there, made unseen

	Born            uint64
	Joined          uint64 // threads that moved into a namespace
	Freed           uint64
	NamespacesFound uint64 // were there, born unseen

	Cleared uint64 // objects that went without an event of their own: with their namespace, unlinked, or unseen

	Lost    uint64 // never reached this program
	Skipped uint64 // runs of hooks the kernel skipped: at most so many more

	ForgottenObjects    uint64 // that were there, as far as is known
	ForgottenNamespaces uint64
	ForgottenGone       uint64 // objects that were gone
	ForgottenFreed      uint64 // namespaces that were
}

// of is the counter of a type, nil where nothing is counted.
func (t *Totals) of(typ event.Type) *uint64 {
	switch typ {
	case event.ObjectCreate:
		return &t.Created
	case event.ObjectOpen:
		return &t.Opened
	case event.ObjectGet:
		return &t.Got
	case event.ObjectFail:
		return &t.Failed
	case event.ObjectMark:
		return &t.Marked
	case event.ObjectRemove:
		return &t.Removed
	case event.ObjectFound:
		return &t.ObjectsFound
	case event.NamespaceCreate:
		return &t.Born
	case event.NamespaceJoin:
		return &t.Joined
	case event.NamespaceFree:
		return &t.Freed
	case event.NamespaceFound:
		return &t.NamespacesFound
	}
	return nil
}

// count notes an event, and says whether it is of a type that is counted.
func (t *Totals) count(e *event.Event) bool {
	kind := t.of(e.Event)
	if kind == nil {
		return false
	}
	*kind++
	if e.Observed == event.ObservedHook {
		t.Events++
	} else {
		t.Found++
	}
	return true
}

func (t *Totals) lose(l *event.Lost) {
	if l.AtMost {
		t.Skipped += l.Count
	} else {
		t.Lost += l.Count
	}
}
