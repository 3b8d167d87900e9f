package stream

import (
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// space is the newest namespace of an inode number.
type space struct {
	id    uint64 // the kernel's; 0: it has none
	gen   uint32
	born  time.Duration // boot time; 0: not seen
	died  time.Duration // boot time; 0: it has not, as far as is known
	gone  bool          // died is when looks found it gone: the hooks may tell yet
	found bool          // told to be there
	pid   uint32        // who called last
	past  []uint64      // ids of those before it, the latest last
}

// maxPast is how many namespaces back a late event can be of: an unlinked queue
// can outlive its namespace, and the number go to others meanwhile.
const maxPast = 16

// before reports whether a namespace with this id came after p: one that is not
// p and did not come before it. Ids do not tell which is older: each CPU gives
// them from a range of its own (ns_tree_gen_id, kernel/nstree.c). Where the
// kernel has none the caller must know whether it is another one.
func (p *space) before(id uint64, another bool) bool {
	if id == 0 {
		return p.id == 0 && another
	}
	_, past := p.earlier(id)
	return id != p.id && !past
}

// earlier is the generation that an id was, of those before p.
func (p *space) earlier(id uint64) (gen uint32, ok bool) {
	i := slices.Index(p.past, id)
	if id == 0 || i < 0 {
		return 0, false
	}
	return p.gen - uint32(len(p.past)-i), true
}

// after is the next namespace of the inode number.
func (p *space) after(id uint64) space {
	next := space{id: id, gen: p.gen + 1}
	if p.gen > 0 {
		past := p.past[max(0, len(p.past)-maxPast+1):]
		next.past = append(slices.Clone(past), p.id)
	}
	return next
}

// another reports whether t is of another namespace than p, the newest of its inode
// number, ids aside: it tells of a birth, or that one has ended. Queues outlive
// their namespace while they are open, or their filesystem is mounted.
func another(p *space, t *tracer.Event) bool {
	switch t.Action {
	case tracer.ActionNamespaceCreate:
		return true
	case tracer.ActionNamespaceFree, tracer.ActionMark, tracer.ActionRemove:
		return p.died != 0 && !p.gone && t.Kind != tracer.MQ
	}
	return p.died != 0 && (t.Kind != tracer.MQ || fromWithin(t))
}

// bygone reports whether t is the end of a queue of a namespace that is not known:
// one that ended before those in past. Nothing shows that the present one did.
func (s *Stream) bygone(t *tracer.Event) bool {
	if t.Kind != tracer.MQ || t.Action != tracer.ActionRemove {
		return false
	}
	p, seen := s.spaces[t.Namespace]
	_, past := p.earlier(t.NamespaceID)
	return seen && !past && p.id != t.NamespaceID
}

// succession tells the end of a namespace that was not seen to end, when t shows
// that another one has its inode number. What was in it is gone too.
func (s *Stream) succession(told []*event.Event, t *tracer.Event, inode uint32, id uint64, another bool) []*event.Event {
	if inode == 0 {
		return told
	}
	old, known := s.spaces[inode]
	if !known || old.died != 0 || !old.before(id, another) || s.bygone(t) && inode == t.Namespace {
		return told
	}
	return append(told, s.end(s.named(inode, old), event.ObservedReuse, t.Time, t.Boot)...)
}

// next is the namespace that has taken over an inode number.
func (s *Stream) next(inode uint32, id uint64) space {
	p, seen := s.spaces[inode]
	if seen {
		s.resolver.Forget(uint64(inode))
	}
	p = p.after(id)
	s.spaces[inode] = p
	return p
}

// end tells that a namespace is gone with all that was in it.
func (s *Stream) end(ns *event.Namespace, how event.Observed, at time.Time, boot time.Duration) []*event.Event {
	var events []*event.Event
	if n := s.inventory.Find(ns); n != nil {
		for _, o := range n.Objects() {
			events = s.observed(events, &event.Event{
				Event: event.ObjectRemove, Cause: endOf(o), Observed: how,
				Time: at, BootNS: int64(boot), NS: ns, Object: describe(o),
			})
		}
	}
	return s.observed(events, &event.Event{
		Event: event.NamespaceFree, Observed: how, Time: at, BootNS: int64(boot), NS: ns,
	})
}

// replaced tells of objects that e shows to be gone: another one has their id, or
// their name.
func (s *Stream) replaced(told []*event.Event, e *event.Event) []*event.Event {
	n := s.inventory.Find(e.NS)
	if n == nil {
		return told
	}
	for _, o := range n.ReplacedBy(e) {
		told = s.observed(told, &event.Event{
			Event: endOfListed(o), Observed: event.ObservedReuse, Time: e.Time, BootNS: e.BootNS, NS: e.NS, Object: describe(o),
		})
	}
	return told
}

// marked says whether e marks a segment once more: IPC_RMID of one that is marked
// changes nothing.
func (s *Stream) marked(e *event.Event) bool {
	if e.Event != event.ObjectMark || e.Object.Kind != tracer.Shm.String() {
		return false
	}
	n := s.inventory.Find(e.NS)
	if n == nil {
		return false
	}
	known := n.Object(e.Object)
	return known != nil && !known.Marked.IsZero()
}

// endOf is why an object is gone that its namespace was not seen to take along. A
// marked one was gone before, or lives on: a segment that is attached holds its
// namespace, and a queue that is open needs none. Another segment may have gone
// before, with its maker: shm_rmid_forced.
func endOf(o *inventory.Object) event.Cause {
	if !o.Marked.IsZero() || o.Kind == tracer.Shm.String() {
		return ""
	}
	return event.CauseNamespace
}

// describe is an object in the words of the contract.
func describe(o *inventory.Object) *event.Object {
	e := &event.Object{Kind: o.Kind, Key: o.Key, Name: o.Name, Inode: o.Inode, Flags: []string{}, Bare: true}
	if o.Kind != tracer.MQ.String() {
		e.ID = ref(o.ID)
	}
	fillIn(e, o)
	new(event.Numbers).Hold(e) // the inventory may use those of o again
	return e
}

// namespace is that of an event, as the newest of its inode number, or as one
// before if the event says so.
func (s *Stream) namespace(t *tracer.Event) *event.Namespace {
	if t.Namespace == 0 {
		return nil // not readable
	}
	p, seen := s.spaces[t.Namespace]
	if gen, late := p.earlier(t.NamespaceID); late {
		return s.named(t.Namespace, space{id: t.NamespaceID, gen: gen, died: 1})
	}
	switch {
	case s.bygone(t):
		return nil
	case !seen || p.before(t.NamespaceID, another(&p, t)):
		p = s.next(t.Namespace, t.NamespaceID)
		p.pid = t.PID
		s.spaces[t.Namespace] = p
	}
	switch {
	case t.Action == tracer.ActionNamespaceCreate:
		p.born = t.Boot
		s.spaces[t.Namespace] = p
	case t.Action == tracer.ActionNamespaceFree:
		p.died, p.gone = t.Boot, false
		s.spaces[t.Namespace] = p
	case p.id == 0 && p.pid != t.PID && fromWithin(t):
		p.pid = t.PID
		s.spaces[t.Namespace] = p
		s.resolver.Recheck(uint64(t.Namespace))
	}
	if t.Action != tracer.ActionNamespaceCreate && !fromWithin(t) {
		return s.named(t.Namespace, p) // who did it need not be in it
	}
	return s.labelled(t.Namespace, p, nsresolve.Maker{PID: int(t.PID), Comm: t.Comm, CgroupID: t.CgroupID, Boot: t.Boot})
}

// from is where a namespace was born, or a thread was before; nil: not known. It
// may have ended: a thread is told to have moved after it has.
func (s *Stream) from(t *tracer.Event) *event.Namespace {
	if t.From == 0 {
		return nil
	}
	p, seen := s.spaces[t.From]
	if gen, late := p.earlier(t.FromID); late {
		return s.named(t.From, space{id: t.FromID, gen: gen, died: 1})
	}
	if !seen || p.before(t.FromID, false) {
		p = s.next(t.From, t.FromID)
	}
	return s.named(t.From, p)
}

// named is a namespace by the name it has, if any.
func (s *Stream) named(inode uint32, p space) *event.Namespace {
	ns := identified(inode, p)
	if n := s.inventory.Find(&ns); n != nil && n.Label != "" {
		ns.Label = n.Label
		return s.parts.namespace(ns)
	}
	if p.died != 0 {
		return s.parts.namespace(ns)
	}
	return s.labelled(inode, p, nsresolve.Maker{})
}

func (s *Stream) labelled(inode uint32, p space, m nsresolve.Maker) *event.Namespace {
	ns := identified(inode, p)
	setLabel(&ns, s.resolver.Label(ns.Inode, m))
	return s.parts.namespace(ns)
}

// setLabel names a namespace, unless the label says nothing.
func setLabel(ns *event.Namespace, label string) {
	if label != "?" {
		ns.Label = label
	}
}

func identified(inode uint32, p space) event.Namespace {
	return event.Namespace{
		Inode: uint64(inode), Gen: p.gen, ID: p.id, Initial: uint64(inode) == nsresolve.InitialInode,
	}
}
