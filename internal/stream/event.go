package stream

import (
	"cmp"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/tracer"
)

var types = [...]event.Type{
	tracer.ActionCreate:          event.ObjectCreate,
	tracer.ActionOpen:            event.ObjectOpen,
	tracer.ActionGet:             event.ObjectGet,
	tracer.ActionFail:            event.ObjectFail,
	tracer.ActionMark:            event.ObjectMark,
	tracer.ActionRemove:          event.ObjectRemove,
	tracer.ActionNamespaceCreate: event.NamespaceCreate,
	tracer.ActionNamespaceJoin:   event.NamespaceJoin,
	tracer.ActionNamespaceFree:   event.NamespaceFree,
}

var causes = [...]event.Cause{
	tracer.CauseUnknown:   "",
	tracer.CauseRMID:      event.CauseRMID,
	tracer.CauseDetach:    event.CauseDetach,
	tracer.CauseExit:      event.CauseExit,
	tracer.CauseNamespace: event.CauseNamespace,
	tracer.CauseUnlink:    event.CauseUnlink,
}

// event is t in the words of the contract. It is not numbered, and in the room of
// the one before.
func (s *Stream) event(t *tracer.Event) *event.Event {
	e := &s.room.Event
	*e = event.Event{}
	e.Time, e.BootNS = t.Time, int64(t.Boot)
	e.Event, e.Cause, e.Syscall = types[t.Action], causes[t.Cause], t.Syscall()
	e.NS, e.From = s.namespace(t), s.from(t)
	if t.Action == tracer.ActionFail {
		e.Errno = event.ErrnoName(t.Errno)
	}
	if !t.Action.OfNamespace() {
		e.Object = object(&s.room, t)
		s.complete(e, t)
	}
	if t.ByKernel {
		return e
	}
	if t.Nr >= 0 {
		e.ABI = t.ABI.String()
	}
	c := s.cgroup(t)
	e.Process, e.Container = s.parts.process(t, c.path), c.container
	return e
}

// noFlags are those where no call asked for any.
var noFlags = []string{}

func object(room *event.Room, t *tracer.Event) *event.Object {
	kind := t.Kind.String()
	o, n := &room.Object, &room.Numbers
	*o = event.Object{}
	o.Kind, o.Key, o.Mode, o.Flags = kind, event.Key(t.Key), event.ModeOf(t.Flags), noFlags
	if fromWithin(t) {
		o.Flags = event.FlagNames(kind, t.Flags)
	}
	readable := t.Kind != tracer.MQ || t.Queue.Mode >= 0
	if readable && (t.Action == tracer.ActionCreate || !t.Action.Call() && t.Known) {
		o.UID, o.GID = event.Hold(&n.UID, &t.Owner), event.Hold(&n.GID, &t.Group)
	}
	o.Bare = !t.Action.Call() && !t.Known
	switch {
	case t.Kind == tracer.MQ:
		queue(o, n, &t.Queue)
		return o
	case t.Action != tracer.ActionFail:
		o.ID = event.Hold(&n.ID, &t.ID)
	}
	switch {
	case !t.Action.Call():
	case t.Kind == tracer.Shm:
		o.Size = event.Hold(&n.Size, &t.Size)
	case t.Kind == tracer.Sem:
		o.NSems = event.Hold(&n.NSems, &t.Sems)
	}
	return o
}

// fromWithin reports whether t is a call that works in the caller's own
// namespace. Through a mounted mqueue filesystem queues are made in another one,
// and by no flags.
func fromWithin(t *tracer.Event) bool {
	return t.Action.Call() && (t.Kind != tracer.MQ || t.Syscall() == "mq_open")
}

// queue adds what POSIX queues have. What could not be read is not told.
func queue(o *event.Object, n *event.Numbers, q *tracer.Queue) {
	o.Name = q.Name
	if q.Inode != 0 {
		o.Inode = event.Hold(&n.Inode, &q.Inode)
	}
	if q.MaxMsg >= 0 {
		o.MaxMsg, o.MsgSize = event.Hold(&n.MaxMsg, &q.MaxMsg), event.Hold(&n.MsgSize, &q.MsgSize)
	}
	if q.Mode >= 0 {
		o.Mode = event.Mode(q.Mode)
	} else {
		o.Mode, o.Bare = 0, true
	}
}

// complete adds what is known of an object that ends: the hooks say little more
// than which it was.
func (s *Stream) complete(e *event.Event, t *tracer.Event) {
	if t.Action.Call() {
		return
	}
	n := s.inventory.Find(e.NS)
	if n == nil {
		return
	}
	if known := n.Object(e.Object); known != nil {
		fillIn(e.Object, known)
		s.room.Numbers.Hold(e.Object)
	}
}

// fillIn adds what is known to what o says itself.
func fillIn(o *event.Object, known *inventory.Object) {
	o.Name, o.Inode = cmp.Or(o.Name, known.Name), cmp.Or(o.Inode, known.Inode)
	if o.Bare && o.Key == 0 {
		o.Key = known.Key // whoever used it said it
	}
	if !known.Known {
		return
	}
	o.Size, o.NSems = cmp.Or(o.Size, known.Size), cmp.Or(o.NSems, known.NSems)
	o.MaxMsg, o.MsgSize = cmp.Or(o.MaxMsg, known.MaxMsg), cmp.Or(o.MsgSize, known.MsgSize)
	if !o.Bare {
		return
	}
	o.Bare = false
	o.Key, o.Mode, o.UID, o.GID = known.Key, known.Mode, known.UID, known.GID
	if !known.Marked.IsZero() {
		o.Key = 0 // ipc_set_key_private
	}
}

// ref is a value in room of its own.
func ref[T any](v T) *T { return &v }
