package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// laneID tells namespaces apart: inode numbers come back at once.
type laneID struct {
	inode uint64
	gen   uint32
	id    uint64
}

// lane is one IPC namespace.
type lane struct {
	ns        event.Namespace
	index     int // in the order of the page
	depth     int // below the namespace that it was born in
	parent    *lane
	first     time.Duration // seen
	born      bool          // seen; then first is when
	freed     time.Duration
	gone      bool
	late      event.Observed // how its end came to be known
	maker     *event.Process
	container *event.Container // the maker's
	counts    counts
	bins      bins

	ids     map[objectID]*life // System V objects that are there
	names   map[string]*life   // POSIX queues by name
	inodes  map[uint64]*life   // and by inode number
	there   map[string]int     // objects that are there, by kind
	omitted int                // objects without a line of their own
}

func (l *lane) String() string { return l.ns.String() }

// lane is that of a namespace, made where it is a new one. nil: there are too many.
func (t *Trace) lane(ns *event.Namespace, at time.Duration) *lane {
	if l := t.known(ns); l != nil {
		return l
	}
	id := laneID{ns.Inode, ns.Gen, ns.ID}
	if len(t.order) >= t.limits.Namespaces {
		t.pass(id)
		return nil
	}
	l := &lane{ns: *ns, index: -1, first: at, ids: map[objectID]*life{}, names: map[string]*life{}, inodes: map[uint64]*life{}, there: map[string]int{}}
	t.lanes[id] = l
	t.order = append(t.order, l)
	return l
}

// mostBeyond bounds how many namespaces past the limit are told apart.
const mostBeyond = 1 << 16

func (t *Trace) pass(id laneID) {
	if t.beyond == nil {
		t.beyond = map[laneID]bool{}
	}
	if len(t.beyond) < mostBeyond {
		t.beyond[id] = true
	}
}

// known is the lane of a namespace that has one.
func (t *Trace) known(ns *event.Namespace) *lane {
	if ns == nil {
		return nil
	}
	return t.lanes[laneID{ns.Inode, ns.Gen, ns.ID}]
}

// namespace notes an event of a namespace as such.
func (t *Trace) namespace(l *lane, e *event.Event) {
	at := t.at(e.Time)
	switch e.Event {
	case event.NamespaceCreate:
		l.born, l.first, l.maker, l.container, l.parent = true, at, e.Process, e.Container, t.known(e.From)
	case event.NamespaceState:
		if l.parent == nil {
			l.maker, l.container, l.parent = e.Process, e.Container, t.known(e.From)
		}
	case event.NamespaceFree:
		if l.gone {
			return
		}
		l.gone, l.freed, l.late = true, at, e.Observed
		for _, o := range l.open() {
			t.end(o, at, event.CauseNamespace, nil, e.Observed)
			o.cleared = true
		}
	}
}

// open are the objects that are there, in the order in which they came.
func (l *lane) open() []*life {
	there := make([]*life, 0, len(l.ids)+len(l.names)+len(l.inodes))
	for _, o := range l.ids {
		there = append(there, o)
	}
	for _, o := range l.names {
		there = append(there, o)
	}
	for _, o := range l.inodes {
		if l.names[o.object.Name] != o {
			there = append(there, o)
		}
	}
	slices.SortFunc(there, func(a, b *life) int { return cmp.Compare(a.number, b.number) })
	return there
}

// arrange puts lanes into the order of the page: the host's first, children under the
// namespace that they were born in, otherwise as they came.
func (t *Trace) arrange() []*lane {
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
	if l.ns.Initial {
		return 1
	}
	return 0
}
