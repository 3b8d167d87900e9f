package inventory

import (
	"container/list"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// MaxProcesses is how many different callers of one namespace are told apart. A
// namespace whose Processes says so had at least as many.
const MaxProcesses = 1024

// Namespace is what was seen in an IPC namespace.
type Namespace struct {
	event.Namespace
	First, Last time.Time // events seen
	Processes   int       // different pids seen calling; see MaxProcesses

	Created, Opened, Got, Failed uint64

	LastFailure string // errno name; "" when nothing failed

	callers            map[uint32]struct{}
	objects            map[objectID]*Object
	order              *list.List // of *Object: first seen at the front
	inOrder, inTouched *list.Element
}

func newNamespace(e *event.Event) *Namespace {
	return &Namespace{
		Namespace: *e.NS,
		First:     e.Time,
		callers:   make(map[uint32]struct{}),
		objects:   make(map[objectID]*Object),
		order:     list.New(),
	}
}

// called notes a call, whatever came of it.
func (n *Namespace) called(e *event.Event) {
	n.Last = e.Time
	if e.NS.Label != "" {
		n.Label = e.NS.Label
	}
	n.Initial = n.Initial || e.NS.Initial
	if e.Process != nil && n.Processes < MaxProcesses {
		n.callers[e.Process.PID] = struct{}{}
		n.Processes = len(n.callers)
	}
	switch e.Event {
	case event.ObjectCreate:
		n.Created++
	case event.ObjectOpen:
		n.Opened++
	case event.ObjectGet:
		n.Got++
	case event.ObjectFail:
		n.Failed++
		n.LastFailure = e.Errno
	}
}

// Len is how many objects there are.
func (n *Namespace) Len() int { return n.order.Len() }

// Objects in the order in which they were first seen.
func (n *Namespace) Objects() []*Object { return n.Newest(n.Len()) }

// Newest are the limit objects seen for the first time last, in that order.
func (n *Namespace) Newest(limit int) []*Object {
	objects := make([]*Object, max(0, min(limit, n.Len())))
	el := n.order.Back()
	for i := len(objects) - 1; i >= 0; i-- {
		objects[i] = el.Value.(*Object)
		el = el.Prev()
	}
	return objects
}
