package inventory

import (
	"iter"

	"github.com/ipctrace/ipctrace/internal/event"
)

// State tells what is there, as events that another inventory can take in: first
// how much, then each namespace and what is in it. They have no times.
func (v *Inventory) State() iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		namespaces, objects := v.Live()
		extent := &event.Extent{Namespaces: namespaces, Objects: objects, Forgotten: v.totals.ForgottenObjects}
		if !yield(&event.Event{Event: event.TraceState, State: extent}) {
			return
		}
		for n := range v.order.all() {
			if !n.ended && !n.state(yield) {
				return
			}
		}
	}
}

// state tells of the namespace, and of what is in it.
func (n *Namespace) state(yield func(*event.Event) bool) bool {
	ns := n.Namespace
	told := &event.Event{
		Event: event.NamespaceState, NS: &ns, From: n.From, Process: n.Maker, Container: n.Container,
		History: &event.History{First: n.first(), Time: n.First},
	}
	if !yield(told) {
		return false
	}
	for o := range n.order.all() {
		if !yield(o.state(&ns)) {
			return false
		}
	}
	return true
}

// first is what told of the namespace first; of one that is only known as calls
// worked in it, none of its own events did.
func (n *Namespace) first() event.Type {
	switch {
	case !n.Born.IsZero():
		return event.NamespaceCreate
	case n.Existing:
		return event.NamespaceFound
	}
	return event.NamespaceState
}

func (o *Object) state(ns *event.Namespace) *event.Event {
	told := &event.Event{
		Event: event.ObjectState, NS: ns, Object: o.Told(), Process: o.Maker,
		History: &event.History{
			First: o.first(), Time: o.First, BootNS: o.made, Marked: o.Marked, Opens: o.Opens, LastUser: o.LastUser,
		},
	}
	if !o.Got {
		told.Container = o.Container
	}
	return told
}

// Told is the object as events tell it.
func (o *Object) Told() *event.Object {
	told := &event.Object{
		Kind: o.Kind, Key: o.Key, Name: o.Name, Inode: o.Inode, Size: o.Size, NSems: o.NSems,
		MaxMsg: o.MaxMsg, MsgSize: o.MsgSize, Mode: o.Mode, UID: o.UID, GID: o.GID, State: o.State, Bare: !o.Known,
	}
	if o.Kind != mq {
		told.ID = &o.ID
	}
	return told
}

// first is what told of the object first, as far as it is known by now.
func (o *Object) first() event.Type {
	switch {
	case o.Got:
		return event.ObjectGet
	case !o.Existing:
		return event.ObjectCreate
	case o.Known:
		return event.ObjectFound
	case o.Opens > 0:
		return event.ObjectOpen
	}
	return event.ObjectMark
}

// restore takes in what another inventory told. Of what is known, it may know more:
// what looks have told it since.
func (v *Inventory) restore(e *event.Event, counts bool) {
	count := func(t event.Type) {
		if counts {
			v.totals.count(&event.Event{Event: t, Observed: event.ObservedSnapshot})
		}
	}
	switch {
	case e.State != nil && len(v.namespaces) == 0:
		v.totals.ForgottenObjects += e.State.Forgotten
	case e.NS == nil || e.History == nil:
	case v.Has(e):
		if o := v.Find(e.NS).Object(e.Object); o != nil {
			o.learn(e.Object)
		}
	case e.Event == event.NamespaceState:
		count(event.NamespaceFound)
		v.namespace(e).restore(e)
	case identified(e.Object):
		count(event.ObjectFound)
		o := v.add(v.namespace(e), e)
		o.restore(e)
		v.index(o, e)
	}
}

func (n *Namespace) restore(e *event.Event) {
	h := e.History
	n.seen(e)
	n.First, n.Last = h.Time, h.Time
	n.From, n.Maker, n.Container = e.From, e.Process, e.Container
	switch h.First {
	case event.NamespaceCreate:
		n.Born = h.Time
	case event.NamespaceFound:
		n.Existing = true
	}
}

// learn takes in facts that are not known yet.
func (o *Object) learn(told *event.Object) {
	if !o.Known && !told.Bare {
		if told.Key != 0 { // else it may have had one, and been marked
			o.Key = told.Key
		}
		o.know(told)
	}
	if o.State == nil {
		o.State = told.State
	}
}

func (o *Object) restore(e *event.Event) {
	h := e.History
	o.First, o.Last, o.made = h.Time, h.Time, h.BootNS
	o.Got = h.First == event.ObjectGet
	o.Existing = !o.Got && h.First != event.ObjectCreate
	o.Maker, o.Container, o.LastUser, o.Opens = e.Process, e.Container, h.LastUser, h.Opens
	o.marked, o.Marked = !h.Marked.IsZero(), h.Marked
	if !e.Object.Bare {
		o.know(e.Object)
	}
	o.State = e.Object.State
}
