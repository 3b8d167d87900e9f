package inventory

import (
	"container/list"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Object is a queue, segment or semaphore set.
type Object struct {
	Kind string
	ID   int32
	Key  event.Key

	// Known: its creation was seen, so the fields of this block are facts. Else
	// they are empty: what a caller that found it asked for is not what it has.
	Known     bool
	Size      *uint64
	NSems     *int32
	Mode      event.Mode
	UID, GID  *uint32
	Maker     *event.Process
	Container *event.Container // the maker's

	First, Last time.Time
	Opens       uint64         // calls that opened it, or got it where the hooks cannot tell
	LastUser    *event.Process // who made, opened or got it last

	home               *Namespace
	inOrder, inTouched *list.Element
}

// objectID tells the objects of a namespace apart: each kind has ids of its own.
type objectID struct {
	kind string
	id   int32
}

func newObject(home *Namespace, e *event.Event) *Object {
	return &Object{
		Kind:  e.Object.Kind,
		ID:    *e.Object.ID,
		Key:   e.Object.Key,
		First: e.Time,
		home:  home,
	}
}

func (o *Object) id() objectID { return objectID{o.Kind, o.ID} }

// replacedBy says whether the event is of another object under the same id: ids
// come back through next_id. Besides a creation, another key tells: a key leads
// to one object alone, and no object can ever be found by a second one.
func (o *Object) replacedBy(e *event.Event) bool {
	return e.Event == event.ObjectCreate || e.Object.Key != o.Key
}

func (o *Object) apply(e *event.Event) {
	o.Last = e.Time
	o.LastUser = e.Process
	if e.Event != event.ObjectCreate {
		o.Opens++
		return
	}
	o.Known = true
	o.Size = e.Object.Size
	o.NSems = e.Object.NSems
	o.Mode = e.Object.Mode
	o.UID, o.GID = e.Object.UID, e.Object.GID
	o.Maker = e.Process
	o.Container = e.Container
}
