package report

import (
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// lane is one IPC namespace.
type lane struct {
	*inventory.Namespace
	index   int // in the order of the page
	depth   int // below the namespace that it was born in
	parent  *lane
	born    bool   // in this trace
	removed uint64 // events that told of it
	bins    bins
	lives   []*life // of its objects
	before  int     // objects that were gone before what is shown begins
}

// admits says whether an event is of a namespace that has a lane, or may get one.
func (t *Trace) admits(e *event.Event) bool {
	if e.NS == nil || !(e.Event.IsObject() || e.Event.IsNamespace()) {
		return false
	}
	if len(t.order) < t.limits.Namespaces || t.known.Find(e.NS) != nil {
		return true
	}
	t.pass(e.NS)
	return false
}

// mostBeyond bounds how many namespaces past the limit are told apart.
const mostBeyond = 1 << 16

func (t *Trace) pass(ns *event.Namespace) {
	if t.beyond == nil {
		t.beyond = map[event.Namespace]bool{}
	}
	if len(t.beyond) < mostBeyond {
		t.beyond[event.Namespace{Inode: ns.Inode, Gen: ns.Gen, ID: ns.ID}] = true
	}
}

// lane is that of a namespace, nil where it has none.
func (t *Trace) lane(ns *event.Namespace) *lane { return t.lanes[t.known.Find(ns)] }

// enter is the lane of an event's namespace, made where that is known since now. nil:
// nothing is known of it.
func (t *Trace) enter(e *event.Event) *lane {
	n := t.known.Find(e.NS)
	if n == nil {
		return nil
	}
	l := t.lanes[n]
	if l == nil {
		l = &lane{Namespace: n, index: -1}
		t.lanes[n] = l
		t.order = append(t.order, l)
	}
	l.born = l.born || e.Event == event.NamespaceCreate
	return l
}

// birth says when, where that was seen in this trace.
func (t *Trace) birth(l *lane) (at time.Duration, seen bool) { return t.at(l.Born), l.born }

// objects is how many there were.
func (l *lane) objects() int { return l.Len() + int(l.Removed+l.Forgotten) - l.before }

// there is how many objects of a kind are there, as far as it is known.
func (l *lane) there(kind string) (n int) {
	for _, o := range l.Objects() {
		if o.Kind == kind {
			n++
		}
	}
	return n
}

// arrange puts lanes into the order of the page: the host's first, children under the
// namespace that they were born in, otherwise as they came.
func (t *Trace) arrange() []*lane {
	for _, l := range t.order {
		l.parent = t.lane(l.From)
	}
	children := map[*lane][]*lane{}
	for _, l := range t.order {
		if l.descends() {
			l.parent = nil
		}
		children[l.parent] = append(children[l.parent], l)
	}
	slices.SortStableFunc(children[nil], func(a, b *lane) int { return initialFirst(b) - initialFirst(a) })
	arranged := make([]*lane, 0, len(t.order))
	var place func(l *lane, depth int)
	place = func(l *lane, depth int) {
		l.index, l.depth = len(arranged), depth
		arranged = append(arranged, l)
		for _, child := range children[l] {
			place(child, depth+1)
		}
	}
	for _, l := range children[nil] {
		place(l, 0)
	}
	return arranged
}

// descends says whether a namespace is among its own ancestors: a log may hold anything.
func (l *lane) descends() bool {
	for up, steps := l.parent, 0; up != nil; up, steps = up.parent, steps+1 {
		if up == l || steps > 1000 {
			return true
		}
	}
	return false
}

func initialFirst(l *lane) int {
	if l.Initial {
		return 1
	}
	return 0
}
