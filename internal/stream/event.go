package stream

import (
	"cmp"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

var types = map[tracer.Action]event.Type{
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

var causes = map[tracer.Cause]event.Cause{
	tracer.CauseRMID:      event.CauseRMID,
	tracer.CauseDetach:    event.CauseDetach,
	tracer.CauseExit:      event.CauseExit,
	tracer.CauseNamespace: event.CauseNamespace,
	tracer.CauseUnlink:    event.CauseUnlink,
}

// event is t in the words of the contract. It is not numbered.
func (s *Stream) event(t *tracer.Event) *event.Event {
	e := &event.Event{
		Time:    t.Time,
		BootNS:  int64(t.Boot),
		Event:   types[t.Action],
		Cause:   causes[t.Cause],
		NS:      s.namespace(t),
		From:    s.from(t),
		Syscall: t.Syscall(),
	}
	if t.Action == tracer.ActionFail {
		e.Errno = event.ErrnoName(t.Errno)
	}
	if !t.Action.OfNamespace() {
		e.Object = object(t)
		s.complete(e, t)
	}
	if t.ByKernel {
		return e
	}
	cgroup, _ := s.resolver.Cgroup(t.CgroupID, int(t.PID))
	e.Process = process(t, cgroup)
	if t.Nr >= 0 {
		e.ABI = t.ABI.String()
	}
	if c, ok := nsresolve.ParseCgroup(cgroup); ok {
		e.Container = &event.Container{ID: c.ID, Runtime: c.Runtime}
	}
	return e
}

func object(t *tracer.Event) *event.Object {
	kind := t.Kind.String()
	o := &event.Object{Kind: kind, Key: event.Key(t.Key), Mode: event.ModeOf(t.Flags), Flags: []string{}}
	if fromWithin(t) {
		o.Flags = event.FlagNames(kind, t.Flags)
	}
	readable := t.Kind != tracer.MQ || t.Queue.Mode >= 0
	if readable && (t.Action == tracer.ActionCreate || !t.Action.Call() && t.Known) {
		o.UID, o.GID = ref(t.Owner), ref(t.Group)
	}
	o.Bare = !t.Action.Call() && !t.Known
	switch {
	case t.Kind == tracer.MQ:
		queue(o, &t.Queue)
		return o
	case t.Action != tracer.ActionFail:
		o.ID = ref(t.ID)
	}
	switch {
	case !t.Action.Call():
	case t.Kind == tracer.Shm:
		o.Size = ref(t.Size)
	case t.Kind == tracer.Sem:
		o.NSems = ref(t.Sems)
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
func queue(o *event.Object, q *tracer.Queue) {
	o.Name = q.Name
	if q.Inode != 0 {
		o.Inode = ref(q.Inode)
	}
	if q.MaxMsg >= 0 {
		o.MaxMsg, o.MsgSize = ref(q.MaxMsg), ref(q.MsgSize)
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

// ref keeps a value of an event that the caller may use again.
func ref[T any](v T) *T { return &v }

func process(t *tracer.Event, cgroup string) *event.Process {
	return &event.Process{
		PID: t.PID, TID: t.TID, NSPID: t.NSPID, PPID: t.PPID, UID: t.UID, GID: t.GID,
		Comm: t.Comm, ParentComm: t.ParentComm, CgroupID: t.CgroupID, Cgroup: cgroup, Followed: t.Followed,
	}
}
