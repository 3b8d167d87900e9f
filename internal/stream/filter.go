package stream

import (
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// Filter is what is let through. All fields must match, values within a field
// are alternatives; an empty field lets everything through. What the kernel's
// filters have left out does not come here; what they cannot judge does.
type Filter struct {
	Events     []event.Type
	Kinds      []string // of objects; then of namespaces only the end of known ones is told, and what Events names
	Namespaces []Place
	Except     uint64   // inode number of a namespace to leave out; 0: none
	PIDs, UIDs []uint32 // of who did it
	Comms      []string // of the thread that did it, exactly
	Containers []string // beginnings of container ids
	Followed   bool     // only what processes do that are followed
}

// Place is a namespace of an inode number: one generation of it or, where Gen is
// 0, any.
type Place struct {
	Inode uint64
	Gen   uint32
}

// Empty says whether everything is let through.
func (f *Filter) Empty() bool {
	return len(f.Events)+len(f.Kinds)+len(f.Namespaces) == 0 && f.Except == 0 && !f.judges()
}

// Wants says whether e is about something that is to be shown. What happens to
// something that was shown is shown too, whoever does it.
func (f *Filter) Wants(e *event.Event, known *inventory.Inventory) bool {
	return f.place(e) && f.kind(e, known) && (f.doer(e) || followsUp(e.Event) && known.Has(e))
}

// Covers says whether objects of a kind in a namespace are meant, whoever made them;
// kind "": whether the namespace is.
func (f *Filter) Covers(ns *event.Namespace, kind string) bool {
	return f.place(&event.Event{NS: ns}) && (kind == "" || len(f.Kinds) == 0 || slices.Contains(f.Kinds, kind))
}

// Names says whether events of the type are to be told.
func (f *Filter) Names(t event.Type) bool { return len(f.Events) == 0 || slices.Contains(f.Events, t) }

// foreign says whether e is what strangers did while others are followed. It is
// not told, but who weighs what those who are followed made needs to know.
func (f *Filter) foreign(e *event.Event) bool {
	return f.Followed && e.NS != nil && (e.Process == nil || !e.Process.Followed)
}

func (f *Filter) place(e *event.Event) bool {
	if e.NS == nil {
		return len(f.Namespaces) == 0 && f.Except == 0
	}
	here := func(p Place) bool { return p.Inode == e.NS.Inode && (p.Gen == 0 || p.Gen == e.NS.Gen) }
	if len(f.Namespaces) > 0 && !slices.ContainsFunc(f.Namespaces, here) {
		return false
	}
	return f.Except == 0 || e.NS.Inode != f.Except
}

func (f *Filter) kind(e *event.Event, known *inventory.Inventory) bool {
	switch {
	case len(f.Kinds) == 0:
		return true
	case e.Object == nil:
		return slices.Contains(f.Events, e.Event) || e.Event == event.NamespaceFree && known.Has(e)
	}
	return slices.Contains(f.Kinds, e.Object.Kind)
}

// doer judges who did it. Nobody is known to have done what was found.
func (f *Filter) doer(e *event.Event) bool {
	if !f.judges() {
		return true
	}
	p := e.Process
	if p == nil || f.Followed && !p.Followed {
		return false
	}
	if len(f.PIDs) > 0 && !slices.Contains(f.PIDs, p.PID) || len(f.UIDs) > 0 && !slices.Contains(f.UIDs, p.UID) ||
		len(f.Comms) > 0 && !slices.Contains(f.Comms, p.Comm) {
		return false
	}
	return len(f.Containers) == 0 || e.Container != nil &&
		slices.ContainsFunc(f.Containers, func(id string) bool { return strings.HasPrefix(e.Container.ID, id) })
}

// judges says whether it matters who did it.
func (f *Filter) judges() bool {
	return len(f.PIDs)+len(f.UIDs)+len(f.Comms)+len(f.Containers) > 0 || f.Followed
}

func followsUp(t event.Type) bool {
	return t == event.ObjectMark || t == event.ObjectRemove || t == event.NamespaceFree
}
