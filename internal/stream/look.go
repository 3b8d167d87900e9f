package stream

import (
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/tracer"
)

// look is what is kept between and during looks at what is there.
type look struct {
	number      int            // of looks so far
	active      bool           // one is under way
	made, ended map[thing]bool // objects, since it began
	doubted     map[doubt]bool // what disagreed in the look before
	doubts      map[doubt]bool // what disagrees in this one
	unsettled   bool           // something disagreed for the first time
}

// thing is an object, or a namespace (kind "").
type thing struct {
	inode, ns uint64
	gen       uint32
	kind      string
	id        int32
	name      string
}

// doubt is what would have to be told of a thing. Names of queues come back, and
// whoever removes one need not say its inode number, but lists do.
type doubt struct {
	event.Type
	thing
	inode uint64
}

func thingOf(e *event.Event) thing {
	t := thing{inode: e.NS.Inode, ns: e.NS.ID, gen: e.NS.Gen}
	if e.Object == nil {
		return t
	}
	t.kind, t.name = e.Object.Kind, e.Object.Name
	if e.Object.ID != nil {
		t.id = *e.Object.ID
	}
	return t
}

func doubtOf(t event.Type, e *event.Event) doubt {
	d := doubt{Type: t, thing: thingOf(e)}
	if e.Object != nil && e.Object.Inode != nil {
		d.inode = *e.Object.Inode
	}
	return d
}

// BeginLook says that a snapshot begins to be taken; the first one before any
// event, since it is believed at once.
func (s *Stream) BeginLook() {
	s.look.active = true
	s.look.made, s.look.ended = make(map[thing]bool), make(map[thing]bool)
}

// note takes in what the hooks tell: that is in doubt no more. What comes and goes
// while a snapshot is taken may be in it or not.
func (l *look) note(e *event.Event) {
	if e.NS == nil || e.Object == nil || e.Event == event.ObjectFail {
		return
	}
	if len(l.doubted) > 0 {
		for _, t := range []event.Type{event.ObjectFound, event.ObjectMark, event.ObjectRemove} {
			delete(l.doubted, doubtOf(t, e))
		}
	}
	switch {
	case !l.active:
	case e.Event == event.ObjectRemove, e.Event == event.ObjectMark && e.Object.Kind == tracer.MQ.String():
		l.ended[thingOf(e)] = true
	default:
		l.made[thingOf(e)] = true
	}
}

// again reports whether e would have had to be told in the look before as well.
// Once proves nothing: a thread can be held up between what it does and the hook
// that tells of it.
func (l *look) again(e *event.Event) bool {
	d := doubtOf(e.Event, e)
	l.doubts[d] = true
	if !l.doubted[d] {
		l.unsettled = true
	}
	return l.doubted[d]
}

// Unsettled reports whether the last look has shown something for the first time
// that only another look can confirm.
func (s *Stream) Unsettled() bool { return s.look.unsettled }

// Look compares a snapshot with what is known. It is to be called when all events
// up to the snapshot's end have been applied. Told are the events of what was
// missed: what is there and was not known, and what is gone. Fresh are events
// that tell nothing new but the present state of objects: they have no number,
// and are for the inventory alone.
func (s *Stream) Look(found *snapshot.Snapshot) (told, fresh []*event.Event) {
	l := &s.look
	l.doubts, l.unsettled = make(map[doubt]bool), false
	settled := make(map[*inventory.Namespace]bool, len(found.Namespaces))
	for i := range found.Namespaces {
		n := &found.Namespaces[i]
		ns, events := s.sight(n, settled)
		told = append(told, events...)
		if ns == nil {
			continue
		}
		known := s.inventory.Find(ns)
		settled[known] = true
		if n.Err == nil {
			more, state := s.compare(n, ns, known)
			told, fresh = append(told, more...), append(fresh, state...)
		}
	}
	told = append(told, s.missing(found, settled)...)
	l.active, l.made, l.ended = false, nil, nil
	l.doubted, l.doubts = l.doubts, nil
	l.number++
	return told, fresh
}

// sight finds out which namespace a snapshot shows, and tells of it if its birth
// was not seen. It is nil if it has ended since, if it was born since, when the
// hooks have told all that is in it, and as long as it is in doubt.
func (s *Stream) sight(n *snapshot.Namespace, settled map[*inventory.Namespace]bool) (*event.Namespace, []*event.Event) {
	inode := uint32(n.Inode)
	p, seen := s.spaces[inode]
	_, past := p.earlier(n.ID)
	same := p.id == n.ID
	var told []*event.Event
	switch {
	case past || !same && p.born > n.From || same && p.died > n.From || same && n.ID != 0 && p.died != 0:
		return nil, nil
	case !seen || p.before(n.ID, p.died != 0):
		next := p.after(n.ID)
		sure := s.look.number == 0 && !seen
		if !sure && !s.look.again(s.seen(n, s.parts.namespace(identified(inode, next)), event.NamespaceFound, nil)) {
			return nil, nil
		}
		if old := s.named(inode, p); seen && p.died == 0 {
			settled[s.inventory.Find(old)] = true
			told = s.end(old, event.ObservedReuse, s.wall(n.To), n.To)
		}
		p = next
	case p.born > n.From:
		return nil, nil
	}
	where := identified(inode, p)
	setLabel(&where, n.Label)
	ns := s.parts.namespace(where)
	if p.born == 0 && !p.found {
		p.found = true
		told = s.observed(told, s.seen(n, ns, event.NamespaceFound, nil))
	}
	s.spaces[inode] = p
	return ns, told
}

// seen is the event of something that a snapshot showed.
func (s *Stream) seen(n *snapshot.Namespace, ns *event.Namespace, t event.Type, o *event.Object) *event.Event {
	return &event.Event{
		Event: t, Observed: event.ObservedSnapshot, Time: s.wall(n.To), BootNS: int64(n.To), NS: ns, Object: o,
	}
}

func (s *Stream) wall(boot time.Duration) time.Time {
	return s.clock.Wall(boot)
}

// compare compares the objects of a namespace.
func (s *Stream) compare(n *snapshot.Namespace, ns *event.Namespace, known *inventory.Namespace) (told, fresh []*event.Event) {
	listed := make(map[*inventory.Object]bool, len(n.Objects))
	for i := range n.Objects {
		e := s.seen(n, ns, event.ObjectFound, n.Objects[i].Event())
		var old *inventory.Object
		if known != nil {
			old = known.Object(e.Object)
		}
		listed[old] = true
		switch {
		case old == nil:
			told = s.discover(told, e, known)
		case e.Object.State.Dest && old.Marked.IsZero():
			told = s.confirmed(told, s.seen(n, ns, event.ObjectMark, describe(old)))
		default:
			fresh = append(fresh, e)
		}
	}
	if known != nil && s.look.number > 0 {
		told = append(told, s.unlisted(n, ns, known, listed)...)
	}
	return told, fresh
}

// discover tells of an object that is not known. Where the inventory had to
// forget objects of its namespace it may be one of those, and no news.
func (s *Stream) discover(told []*event.Event, e *event.Event, known *inventory.Namespace) []*event.Event {
	switch {
	case s.look.ended[thingOf(e)]:
		return told
	case s.look.number == 0:
		return s.observed(told, e)
	case known != nil && known.Forgotten > 0, s.inventory.Totals().ForgottenNamespaces > 0:
		return told
	}
	return s.confirmed(told, e)
}

// confirmed tells e if it is wanted and the look before said so too.
func (s *Stream) confirmed(told []*event.Event, e *event.Event) []*event.Event {
	if !s.filter.Wants(e, s.inventory) || !s.look.again(e) {
		return told
	}
	delete(s.look.doubts, doubtOf(e.Event, e)) // to be told again it takes two more
	return s.observed(told, e)
}

// unlisted tells of objects that are known and not in the list. Queues are not
// in it when they are unlinked, which is not yet their end, or could not be listed.
func (s *Stream) unlisted(n *snapshot.Namespace, ns *event.Namespace, known *inventory.Namespace, listed map[*inventory.Object]bool) []*event.Event {
	var told []*event.Event
	for _, o := range known.Objects() {
		hidden := o.Kind == tracer.MQ.String() && (n.MQ != nil || !o.Marked.IsZero())
		if listed[o] || hidden {
			continue
		}
		e := s.seen(n, ns, endOfListed(o), describe(o))
		if !s.look.made[thingOf(e)] {
			told = s.confirmed(told, e)
		}
	}
	return told
}

// endOfListed is what it means that an object is in the list no more.
func endOfListed(o *inventory.Object) event.Type {
	if o.Kind == tracer.MQ.String() {
		return event.ObjectMark
	}
	return event.ObjectRemove
}

// missing tells of namespaces that are known and were not found.
func (s *Stream) missing(found *snapshot.Snapshot, settled map[*inventory.Namespace]bool) []*event.Event {
	var told []*event.Event
	for _, n := range s.inventory.Namespaces() {
		p := s.spaces[uint32(n.Inode)]
		newest := p.gen == n.Gen
		if settled[n] || n.Ended() || n.Initial || newest && p.born > found.From {
			continue
		}
		ns := n.Namespace
		if !s.look.again(&event.Event{Event: event.NamespaceFree, NS: &ns}) || !s.surelyGone(n, found) {
			continue
		}
		told = append(told, s.end(&ns, event.ObservedSnapshot, s.wall(found.To), found.To)...)
		if newest && p.died == 0 {
			p.died, p.gone = found.To, true
			s.spaces[uint32(n.Inode)] = p
		}
	}
	return told
}

// surelyGone judges a namespace that was not found twice. Where the kernel has
// ids it is asked. Before, an attached segment, a descriptor in flight, or a mount
// in a mount namespace without processes is all that could still hold one that no
// complete look finds.
func (s *Stream) surelyGone(n *inventory.Namespace, found *snapshot.Snapshot) bool {
	if n.ID != 0 {
		alive, err := s.alive(n.ID, n.Inode)
		return err == nil && !alive
	}
	attached := func(o *inventory.Object) bool {
		return o.State != nil && o.State.Attached != nil && *o.State.Attached > 0
	}
	return !found.Partial && found.Unreadable == 0 && found.UnreadableFDs == 0 && !slices.ContainsFunc(n.Objects(), attached)
}
