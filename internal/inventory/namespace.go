package inventory

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// MaxProcesses is how many different callers of one namespace are told apart. A
// namespace whose Processes says so had at least as many.
const MaxProcesses = 1024

// MaxContainers is how many of the containers are told apart whose processes call in one
// namespace.
const MaxContainers = 64

// Namespace is what is known of an IPC namespace.
type Namespace struct {
	event.Namespace
	First, Last time.Time          // events seen
	Processes   int                // different pids seen calling; see MaxProcesses
	Containers  []*event.Container // whose processes were seen calling, the first one first; see MaxContainers

	Existing  bool             // it was there, and its birth was not seen
	Born      time.Time        // zero: not seen
	Maker     *event.Process   // who called; with clone the parent
	Container *event.Container // the maker's
	From      *event.Namespace // where the maker was; nil: not known
	Joiner    *event.Process   // who moved here last
	Freed     time.Time
	Observed  event.Observed // how its end came to be known

	Created, Opened, Got, Failed, Marked, Joined uint64

	// Removed is how many objects are gone, with those that went without an event of
	// their own: with the namespace, or unseen.
	Removed uint64

	Forgotten   uint64 // objects that were there, for want of room
	LastFailure string // errno name; "" when nothing failed

	ended              bool
	removed            byCause
	callers            map[uint32]struct{}
	objects            index
	queues             queues
	order              list[Object] // first seen at the front
	gone               list[Object] // gone longest at the front
	inOrder, inTouched node[Namespace]
	alike              *Namespace // another one in numbers
}

func newNamespace(e *event.Event) *Namespace {
	return &Namespace{Namespace: *e.NS, First: e.Time}
}

// seen notes an event, whatever comes of it.
func (n *Namespace) seen(e *event.Event) {
	n.Last = e.Time
	if e.NS.Label != "" {
		n.Label = e.NS.Label
	}
	n.Initial = n.Initial || e.NS.Initial
}

// count counts it.
func (n *Namespace) count(e *event.Event) {
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
	case event.ObjectMark:
		n.Marked++
		return // these need not be calls from within
	default:
		return
	}
	n.contain(e)
	if e.Process != nil && n.Processes < MaxProcesses {
		if n.callers == nil {
			n.callers = make(map[uint32]struct{})
		}
		n.callers[e.Process.PID] = struct{}{}
		n.Processes = len(n.callers)
	}
}

// contain notes which container a call came from. A queue that was made as a file need
// not be of the caller's namespace.
func (n *Namespace) contain(e *event.Event) {
	if e.Container == nil || e.Object != nil && e.Object.Kind == mq && e.Syscall != "mq_open" {
		return
	}
	for i, c := range n.Containers {
		if c.ID == e.Container.ID {
			n.Containers[i] = e.Container // it may have got a name
			return
		}
	}
	if len(n.Containers) < MaxContainers {
		n.Containers = append(n.Containers, e.Container)
	}
}

// byCause counts what is gone.
type byCause [6]uint64

// of is the count of a cause; all that are none share one.
func (b *byCause) of(c event.Cause) *uint64 {
	switch c {
	case event.CauseRMID:
		return &b[1]
	case event.CauseDetach:
		return &b[2]
	case event.CauseExit:
		return &b[3]
	case event.CauseNamespace:
		return &b[4]
	case event.CauseUnlink:
		return &b[5]
	}
	return &b[0]
}

// Ended says whether the namespace is gone.
func (n *Namespace) Ended() bool { return n.ended }

// RemovedBy is how many objects went by a cause; "" is by one that nobody knows.
func (n *Namespace) RemovedBy(c event.Cause) uint64 { return *n.removed.of(c) }

// Len is how many objects there are.
func (n *Namespace) Len() int { return n.order.len }

// Objects that are there, in the order in which they were first seen.
func (n *Namespace) Objects() []*Object { return n.Newest(n.Len()) }

// Newest are the limit objects seen for the first time last, in that order.
func (n *Namespace) Newest(limit int) []*Object { return newest(&n.order, limit) }

// Gone are the objects that are gone and not yet forgotten, the newest last.
func (n *Namespace) Gone() []*Object { return newest(&n.gone, n.gone.len) }

// NewestGone are those gone last, the newest last.
func (n *Namespace) NewestGone(limit int) []*Object { return newest(&n.gone, limit) }

func newest(l *list[Object], limit int) []*Object {
	objects := make([]*Object, max(0, min(limit, l.len)))
	n := l.root.prev
	for i := len(objects) - 1; i >= 0; i-- {
		objects[i] = n.of
		n = n.prev
	}
	return objects
}

// Object is the one that is meant, if it is there, else nil.
func (n *Namespace) Object(o *event.Object) *Object {
	switch {
	case !identified(o):
		return nil
	case o.Kind == mq:
		return n.queues.find(o)
	}
	return n.objects.find(objectID{o.Kind, *o.ID})
}

// find is the object that an event is about.
func (n *Namespace) find(e *event.Event) *Object {
	if e.Event == event.ObjectRemove && e.Object.Kind == mq {
		return n.removedQueue(e.Object)
	}
	return n.Object(e.Object)
}

// outdated says whether a list is older than what is known of an object: it was
// made or removed since.
func (n *Namespace) outdated(o *Object, found *event.Event) bool {
	if o != nil {
		return found.BootNS < o.made
	}
	for o := range n.gone.backward() {
		if o.ended <= found.BootNS {
			return false
		}
		if o.is(found.Object) && o.made <= found.BootNS {
			return true
		}
	}
	return false
}

// ReplacedBy are the objects that cannot be there any more after a call that got
// another one: one with the same id, or queues of the same name.
func (n *Namespace) ReplacedBy(e *event.Event) []*Object {
	switch e.Event {
	case event.ObjectCreate, event.ObjectOpen, event.ObjectGet:
	default:
		return nil
	}
	o := n.Object(e.Object)
	switch {
	case !identified(e.Object), o != nil && !o.replacedBy(e):
		return nil
	case o != nil:
		return []*Object{o}
	case e.Object.Kind == mq && e.Object.Inode != nil:
		return n.queues.rivals(newObject(n, e))
	}
	return nil
}

func (n *Namespace) index(o *Object) {
	if o.Kind == mq {
		n.queues.index(o)
	} else {
		n.objects.add(o)
	}
}

func (n *Namespace) unindex(o *Object) {
	if o.Kind == mq {
		n.queues.unindex(o)
	} else if n.objects.find(o.id()) == o {
		n.objects.remove(o)
	}
}
