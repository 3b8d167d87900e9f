package inventory

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Object is a queue, segment or semaphore set, or a POSIX queue. It may be another
// one after the next event.
type Object struct {
	Number uint64 // in the order in which they came, from 1; no other one has it
	Kind   string
	ID     int32     // not of mq
	Key    event.Key // not of mq
	Name   string    // mq
	Inode  *uint64   // mq; nil: not known

	// Known: its creation was seen, the kernel's list had it, or its mark or end told
	// them, so the fields of this block are facts. Else they are empty: what a caller
	// that found it asked for is not what it has.
	Known           bool
	Size            *uint64
	NSems           *int32
	MaxMsg, MsgSize *int64
	Mode            event.Mode
	UID, GID        *uint32

	Existing  bool             // it was there, and its creation was not seen
	Got       bool             // a call made it or found it: the hooks could not tell
	State     *event.State     // what the kernel's list said last; nil: it was not asked
	Maker     *event.Process   // nil: not seen
	Getter    *event.Process   // of what is Got: whose call that was
	Container *event.Container // the maker's, or the getter's

	First, Last time.Time
	Opens       uint64         // calls that opened it, or got it where the hooks cannot tell
	LastUser    *event.Process // who made, opened or got it last
	Uses        []Use          // of those calls the newest ones, the newest last; see [Limits]

	Marked   time.Time // removed while in use; zero: it was not
	Marker   *event.Process
	Removed  time.Time // zero: it is there
	Cause    event.Cause
	Remover  *event.Process // nil: the kernel itself, or not known
	Observed event.Observed // how its end came to be known

	home               *Namespace
	inOrder, inTouched node[Object]
	numbers            event.Numbers // what Inode, Size, …, GID point at

	marked  bool
	cleared bool  // gone without an event of its own
	made    int64 // CLOCK_BOOTTIME ns of its creation; 0: not seen
	listed  int64 // of the kernel's list that had it last
	ended   int64 // of its end
}

// Use is a call that opened an object, or got it.
type Use struct {
	Time      time.Time
	Event     event.Type
	Process   *event.Process
	Container *event.Container
}

// objectID tells the System V objects of a namespace apart: each kind has ids of
// its own.
type objectID struct {
	kind string
	id   int32
}

// identified says whether o has what tells it from others.
func identified(o *event.Object) bool {
	switch {
	case o == nil:
		return false
	case o.Kind == mq:
		return o.Name != "" || o.Inode != nil
	}
	return o.ID != nil
}

func newObject(home *Namespace, e *event.Event) *Object {
	o := new(Object)
	o.begin(home, e)
	return o
}

// begin makes it the object that an event is about, of which nothing else is known.
func (o *Object) begin(home *Namespace, e *event.Event) {
	*o = Object{Kind: e.Object.Kind, Key: e.Object.Key, Name: e.Object.Name, First: e.Time, Last: e.Time, home: home}
	switch e.Event {
	case event.ObjectCreate:
	case event.ObjectGet:
		o.Got, o.Getter, o.Container = true, e.Process, e.Container
	default:
		o.Existing = true
	}
	o.Inode = event.Hold(&o.numbers.Inode, e.Object.Inode)
	if e.Object.ID != nil {
		o.ID = *e.Object.ID
	}
}

// MadeBy is who made it, or may have; nil: nobody saw.
func (o *Object) MadeBy() *event.Process {
	if o.Got {
		return o.Getter
	}
	return o.Maker
}

// Namespace is the one that it is in, or was.
func (o *Object) Namespace() *Namespace { return o.home }

func (o *Object) id() objectID { return objectID{o.Kind, o.ID} }

// is says whether eo has what tells o from others.
func (o *Object) is(eo *event.Object) bool {
	switch {
	case o.Kind != eo.Kind:
		return false
	case o.Kind != mq:
		return o.ID == *eo.ID
	case o.Inode != nil && eo.Inode != nil:
		return *o.Inode == *eo.Inode
	}
	return o.Name == eo.Name
}

// replacedBy says whether the event is of another object under the same id: ids
// come back through next_id. Besides a creation, another key tells: a key leads
// to one object alone, and no object can ever be found by a second one. But what
// is removed while in use has its key no more.
func (o *Object) replacedBy(e *event.Event) bool {
	switch e.Event {
	case event.ObjectCreate:
		return !o.Existing || e.BootNS > o.listed
	case event.ObjectMark:
		return false
	case event.ObjectFound:
		return e.Object.Key != o.Key && !o.marked && !dest(e.Object)
	}
	return e.Object.Key != o.Key && !(o.marked && e.Object.Key == 0)
}

func dest(o *event.Object) bool { return o.State != nil && o.State.Dest }

// apply notes an event other than its end.
func (o *Object) apply(e *event.Event) {
	o.Last = e.Time
	if o.Inode == nil {
		o.Inode = event.Hold(&o.numbers.Inode, e.Object.Inode)
	}
	if o.Name == "" {
		o.Name = e.Object.Name
	}
	switch e.Event {
	case event.ObjectFound:
		o.found(e)
	case event.ObjectMark:
		o.mark(e)
		o.learn(e.Object)
	case event.ObjectCreate:
		o.made, o.Existing, o.Got, o.Getter = e.BootNS, false, false, nil
		o.Key, o.First = e.Object.Key, e.Time
		o.Maker, o.Container = e.Process, e.Container
		o.LastUser = e.Process
		o.know(e.Object)
	default:
		o.LastUser = e.Process
		o.Opens++
	}
}

// used keeps a call that opened it, one of so many at most.
func (o *Object) used(e *event.Event, most int) {
	if most == 0 || e.Event != event.ObjectOpen && e.Event != event.ObjectGet {
		return
	}
	if len(o.Uses) >= most {
		copy(o.Uses, o.Uses[1:])
		o.Uses = o.Uses[:most-1]
	}
	o.Uses = append(o.Uses, Use{e.Time, e.Event, e.Process, e.Container})
}

// found notes what the kernel's list says. Owner and mode change (IPC_SET, fchown,
// fchmod), and no hook tells of that. A list from before it was made is of another.
func (o *Object) found(e *event.Event) {
	if e.BootNS < o.made {
		return
	}
	o.listed = e.BootNS
	o.State = e.Object.State
	if dest(e.Object) && !o.marked {
		o.mark(e)
	}
	switch {
	case e.Object.Bare:
	case !o.Known:
		o.know(e.Object)
	default:
		o.Mode = e.Object.Mode
		o.UID, o.GID = event.Hold(&o.numbers.UID, e.Object.UID), event.Hold(&o.numbers.GID, e.Object.GID)
	}
}

func (o *Object) mark(e *event.Event) { o.marked, o.Marked, o.Marker = true, e.Time, e.Process }

func (o *Object) know(facts *event.Object) {
	o.Known = true
	n := &o.numbers
	o.Size, o.NSems = event.Hold(&n.Size, facts.Size), event.Hold(&n.NSems, facts.NSems)
	o.MaxMsg, o.MsgSize = event.Hold(&n.MaxMsg, facts.MaxMsg), event.Hold(&n.MsgSize, facts.MsgSize)
	o.Mode = facts.Mode
	o.UID, o.GID = event.Hold(&n.UID, facts.UID), event.Hold(&n.GID, facts.GID)
}

// remove notes its end.
func (o *Object) remove(e *event.Event) {
	o.Removed, o.ended = e.Time, e.BootNS
	o.Cause, o.Remover, o.Observed = known(e.Cause), e.Process, e.Observed
}

// known is the cause if it is one, else that of which nothing is known: a log may
// hold anything.
func known(c event.Cause) event.Cause {
	switch c {
	case event.CauseRMID, event.CauseDetach, event.CauseExit, event.CauseNamespace, event.CauseUnlink:
		return c
	}
	return ""
}
