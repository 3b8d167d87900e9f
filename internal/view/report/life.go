package report

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

const kindMQ = "mq"

// objectID tells the System V objects of a namespace apart.
type objectID struct {
	kind string
	id   int32
}

// life is that of one object.
type life struct {
	lane      *lane
	number    int          // in the order in which they came
	index     int          // on the page
	object    event.Object // as far as it is known
	facts     bool         // its size and owner are its own, and not what a caller asked for
	born      time.Duration
	before    bool // its creation was not seen
	unclear   bool // a call made or found it
	marked    bool
	markedAt  time.Duration
	gone      bool
	cleared   bool // it went with its namespace, without an event of its own
	end       time.Duration
	cause     event.Cause
	late      event.Observed
	maker     *event.Process
	container *event.Container
	remover   *event.Process
	opens     uint64
	dropped   bool // it has no line of its own
}

// identified says whether o has what tells it from others.
func identified(o *event.Object) bool {
	if o.Kind == kindMQ {
		return o.Name != "" || o.Inode != nil
	}
	return o.ID != nil
}

// find is the object that is meant, if it is there.
func (l *lane) find(o *event.Object) *life {
	if o.Kind != kindMQ {
		return l.ids[objectID{o.Kind, *o.ID}]
	}
	if o.Inode != nil {
		if found := l.inodes[*o.Inode]; found != nil {
			return found
		}
	}
	found := l.names[o.Name]
	if found != nil && o.Inode != nil && found.object.Inode != nil && *found.object.Inode != *o.Inode {
		return nil
	}
	return found
}

// object notes what became of an object.
func (t *Trace) object(l *lane, e *event.Event) *life {
	at := t.at(e.Time)
	o := l.find(e.Object)
	if o == nil && e.Event == event.ObjectRemove && l.gone {
		o = t.outlived(l, e)
	}
	if o != nil && !o.gone && o.replacedBy(e) {
		t.end(o, at, "", nil, event.ObservedReuse)
		o = nil
	}
	if o == nil {
		o = t.begin(l, e)
	}
	t.learn(o, e)
	switch e.Event {
	case event.ObjectOpen, event.ObjectGet:
		o.opens++
	case event.ObjectMark:
		o.marked, o.markedAt = true, at
		t.unlinked(o, e)
	case event.ObjectRemove:
		t.end(o, at, e.Cause, e.Process, e.Observed)
	}
	return o
}

// unlinked notes that a queue's name is free again. With the hooks that do not tell
// when such a queue ends, that is the last that is known of it.
func (t *Trace) unlinked(o *life, e *event.Event) {
	if o.object.Kind != kindMQ {
		return
	}
	if t.blind || o.object.Inode == nil {
		t.end(o, o.markedAt, event.CauseUnlink, e.Process, e.Observed)
	} else if o.lane.names[o.object.Name] == o {
		delete(o.lane.names, o.object.Name)
	}
}

// outlived is a queue that was taken to have gone with its namespace: one that somebody
// has open outlives it.
func (t *Trace) outlived(l *lane, e *event.Event) *life {
	const back = 4096
	for i := len(t.lives) - 1; i >= max(0, len(t.lives)-back); i-- {
		o := t.lives[i]
		if o.lane == l && o.cleared && same(&o.object, e.Object) {
			o.cleared = false
			return o
		}
	}
	return nil
}

func same(a, b *event.Object) bool {
	switch {
	case a.Kind != b.Kind:
		return false
	case a.Kind != kindMQ:
		return *a.ID == *b.ID
	case a.Inode != nil && b.Inode != nil:
		return *a.Inode == *b.Inode
	}
	return a.Name == b.Name
}

// replacedBy says whether an event is of another object under the same id or name. A
// creation is; and so is another key, as no object can be found by two.
func (o *life) replacedBy(e *event.Event) bool {
	switch e.Event {
	case event.ObjectCreate:
		return !o.before || e.Object.Key != o.object.Key || e.Object.Kind == kindMQ
	case event.ObjectMark, event.ObjectRemove:
		return false
	}
	return e.Object.Kind != kindMQ && !o.marked && !e.Object.Bare && !o.object.Bare && e.Object.Key != o.object.Key &&
		(e.Object.State == nil || !e.Object.State.Dest)
}

// begin makes room for an object that an event is the first of.
func (t *Trace) begin(l *lane, e *event.Event) *life {
	o := &life{lane: l, number: t.objects, object: *e.Object, born: t.at(e.Time)}
	o.before = e.Event != event.ObjectCreate && e.Event != event.ObjectGet
	o.unclear = e.Event == event.ObjectGet
	if e.Event == event.ObjectFound && e.Object.State != nil && e.Object.State.Dest {
		o.marked, o.markedAt = true, o.born
	}
	if h := e.History; h != nil {
		o.before, o.opens = h.First != event.ObjectCreate, h.Opens
		o.born = t.at(h.Time)
		if !h.Marked.IsZero() {
			o.marked, o.markedAt = true, t.at(h.Marked)
		}
	}
	t.objects++
	t.hold(o, t.at(e.Time))
	l.there[o.object.Kind]++
	if len(t.lives) >= t.limits.Objects {
		t.thin()
	}
	if len(t.lives) < t.limits.Objects {
		t.lives = append(t.lives, o)
	} else {
		t.omit(o)
	}
	return o
}

// omit takes the line of its own from an object.
func (t *Trace) omit(o *life) {
	o.dropped = true
	o.lane.omitted++
	t.omitted++
}

// thin makes room where there are too many objects: of those that are gone some of the
// first are kept. What was left behind is told.
func (t *Trace) thin() {
	quarter := t.limits.Objects / 4
	if t.ended <= 2*quarter {
		return
	}
	kept := t.lives[:0]
	t.ended = 0
	for _, o := range t.lives {
		if o.gone && t.ended == quarter {
			t.omit(o)
			continue
		}
		if o.gone {
			t.ended++
		}
		kept = append(kept, o)
	}
	clear(t.lives[len(kept):])
	t.lives = kept
}

// hold makes an object the one that its id or name leads to. A queue that had the name
// before was unlinked, unseen.
func (t *Trace) hold(o *life, at time.Duration) {
	l := o.lane
	switch {
	case o.object.Kind != kindMQ:
		l.ids[objectID{o.object.Kind, *o.object.ID}] = o
		return
	case o.object.Inode != nil:
		l.inodes[*o.object.Inode] = o
	}
	if o.object.Name == "" || o.marked {
		return
	}
	if other := l.names[o.object.Name]; other != nil && other != o {
		t.end(other, at, "", nil, event.ObservedReuse)
	}
	l.names[o.object.Name] = o
}

// learn takes what an event says of the object itself. What a caller that found it
// asked for is not what it has.
func (t *Trace) learn(o *life, e *event.Event) {
	told := e.Event == event.ObjectCreate || e.Event == event.ObjectFound || e.Event == event.ObjectState || e.Event == event.ObjectMark
	if told && !e.Object.Bare {
		key := o.object.Key
		o.object, o.facts = *e.Object, true
		if o.marked && e.Object.Key == 0 {
			o.object.Key = key
		}
	}
	if o.object.Inode == nil && e.Object.Inode != nil {
		o.object.Inode = e.Object.Inode
	}
	if o.object.Name == "" {
		o.object.Name = e.Object.Name
	}
	if !o.gone && e.Event != event.ObjectRemove {
		t.hold(o, t.at(e.Time))
	}
	if e.Event == event.ObjectCreate || e.Event == event.ObjectState && o.maker == nil {
		o.maker, o.container = e.Process, e.Container
	}
	if e.Event == event.ObjectGet && o.unclear && o.maker == nil {
		o.maker, o.container = e.Process, e.Container
	}
}

// end notes that an object is gone.
func (t *Trace) end(o *life, at time.Duration, cause event.Cause, by *event.Process, late event.Observed) {
	if !o.gone {
		o.lane.there[o.object.Kind]--
		if !o.dropped {
			t.ended++
		}
	}
	o.gone, o.end, o.cause, o.remover, o.late = true, at, cause, by, late
	l := o.lane
	if o.object.Kind != kindMQ {
		if id := (objectID{o.object.Kind, *o.object.ID}); l.ids[id] == o {
			delete(l.ids, id)
		}
		return
	}
	if l.names[o.object.Name] == o {
		delete(l.names, o.object.Name)
	}
	if o.object.Inode != nil && l.inodes[*o.object.Inode] == o {
		delete(l.inodes, *o.object.Inode)
	}
}

// left says whether the trace saw the object made and not removed.
func (o *life) left() bool { return !o.gone && !o.before }
