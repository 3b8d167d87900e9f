// Package inventory is the model: which IPC namespaces were seen, and which
// objects in them. It is the only long-lived state of a session and knows
// nothing of how it is shown. Its size is bounded: beyond the limits, what was
// touched longest ago is forgotten, and counted.
package inventory

import (
	"container/list"
	"slices"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Limits bound the inventory. Where one is zero its default holds.
type Limits struct {
	Namespaces int // 4096
	Objects    int // in all namespaces together: 65536
	Recent     int // events: 64
}

func (l Limits) orDefault() Limits {
	or := func(n, otherwise int) int {
		if n > 0 {
			return n
		}
		return otherwise
	}
	return Limits{or(l.Namespaces, 4096), or(l.Objects, 65536), or(l.Recent, 64)}
}

// Totals count all that was applied, also to what is forgotten by now.
type Totals struct {
	Events  uint64 // = Created + Opened + Got + Failed
	Created uint64
	Opened  uint64
	Got     uint64 // made or found: the hooks could not tell
	Failed  uint64
	Lost    uint64 // never reached this program
	Skipped uint64 // runs of hooks the kernel skipped: at most so many more

	ForgottenObjects    uint64
	ForgottenNamespaces uint64
}

// Inventory is for one goroutine.
type Inventory struct {
	limits     Limits
	totals     Totals
	recent     recent
	namespaces map[identity]*Namespace
	order      *list.List // of *Namespace: first seen at the front
	touched    *list.List // of *Namespace: touched longest ago at the front
	objects    *list.List // of *Object in all namespaces, likewise
}

// identity of a namespace. Inode numbers come back at once, so the number alone
// would merge different namespaces.
type identity struct {
	inode uint64
	gen   uint32
	id    uint64
}

// New is an empty inventory.
func New(l Limits) *Inventory {
	l = l.orDefault()
	return &Inventory{
		limits:     l,
		recent:     newRecent(l.Recent),
		namespaces: make(map[identity]*Namespace),
		order:      list.New(),
		touched:    list.New(),
		objects:    list.New(),
	}
}

// Apply takes an event in. What e points at is kept: leave it as it is
// afterwards.
func (v *Inventory) Apply(e *event.Event) {
	switch e.Event {
	case event.ObjectCreate:
		v.totals.Created++
	case event.ObjectOpen:
		v.totals.Opened++
	case event.ObjectGet:
		v.totals.Got++
	case event.ObjectFail:
		v.totals.Failed++
	case event.TraceLost:
		if e.Lost != nil {
			v.lose(e.Lost)
		}
		v.recent.add(e)
		return
	default:
		return
	}
	v.totals.Events++
	v.recent.add(e)
	// A log may come from anywhere: an event need not have all its parts.
	if e.NS == nil {
		return
	}
	n := v.namespace(e)
	n.called(e)
	if e.Object != nil && e.Object.ID != nil && e.Event != event.ObjectFail {
		v.applyObject(n, e)
	}
}

// namespace is the one the event is of, as touched now.
func (v *Inventory) namespace(e *event.Event) *Namespace {
	id := identity{e.NS.Inode, e.NS.Gen, e.NS.ID}
	n, ok := v.namespaces[id]
	if ok {
		v.touched.MoveToBack(n.inTouched)
		return n
	}
	if len(v.namespaces) >= v.limits.Namespaces {
		v.forgetNamespace(v.touched.Front().Value.(*Namespace))
	}
	n = newNamespace(e)
	n.inOrder = v.order.PushBack(n)
	n.inTouched = v.touched.PushBack(n)
	v.namespaces[id] = n
	return n
}

// applyObject notes the object that the call made or found.
func (v *Inventory) applyObject(n *Namespace, e *event.Event) {
	o, ok := n.objects[objectID{e.Object.Kind, *e.Object.ID}]
	if ok && o.replacedBy(e) {
		v.drop(o)
		ok = false
	}
	if !ok {
		o = v.addObject(n, e)
	}
	v.objects.MoveToBack(o.inTouched)
	o.apply(e)
}

func (v *Inventory) addObject(n *Namespace, e *event.Event) *Object {
	if v.objects.Len() >= v.limits.Objects {
		v.drop(v.objects.Front().Value.(*Object))
		v.totals.ForgottenObjects++
	}
	o := newObject(n, e)
	o.inTouched = v.objects.PushBack(o)
	o.inOrder = n.order.PushBack(o)
	n.objects[o.id()] = o
	return o
}

func (v *Inventory) drop(o *Object) {
	v.objects.Remove(o.inTouched)
	o.home.order.Remove(o.inOrder)
	delete(o.home.objects, o.id())
}

func (v *Inventory) forgetNamespace(n *Namespace) {
	for _, o := range n.Objects() {
		v.drop(o)
		v.totals.ForgottenObjects++
	}
	v.touched.Remove(n.inTouched)
	v.order.Remove(n.inOrder)
	delete(v.namespaces, identity{n.Inode, n.Gen, n.ID})
	v.totals.ForgottenNamespaces++
}

// Namespaces are those known: the initial one first, then in the order in which
// they were first seen.
func (v *Inventory) Namespaces() []*Namespace {
	all := make([]*Namespace, 0, v.order.Len())
	for el := v.order.Front(); el != nil; el = el.Next() {
		all = append(all, el.Value.(*Namespace))
	}
	slices.SortStableFunc(all, func(a, b *Namespace) int {
		switch {
		case a.Initial && !b.Initial:
			return -1
		case b.Initial && !a.Initial:
			return 1
		}
		return 0
	})
	return all
}

// Recent are the newest events, the newest last.
func (v *Inventory) Recent() []event.Event { return v.recent.all() }

// Totals so far.
func (v *Inventory) Totals() Totals { return v.totals }

func (v *Inventory) lose(l *event.Lost) {
	if l.AtMost {
		v.totals.Skipped += l.Count
	} else {
		v.totals.Lost += l.Count
	}
}

// Relabel asks for the present name of each namespace: who is in it may have
// become known since its last event. An empty answer changes nothing. Only the
// newest namespace of an inode number is asked for: the name is today's.
func (v *Inventory) Relabel(label func(inode uint64) string) {
	newest := make(map[uint64]*Namespace, len(v.namespaces))
	for _, n := range v.namespaces {
		if other, ok := newest[n.Inode]; !ok || n.Gen > other.Gen {
			newest[n.Inode] = n
		}
	}
	for inode, n := range newest {
		if name := label(inode); name != "" {
			n.Label = name
		}
	}
}
