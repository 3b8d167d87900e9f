// Package inventory is the model: which IPC namespaces there are and were, and
// which objects in them, from what was found and what happened. It is the only
// long-lived state of a session and knows nothing of how it is shown. Its size
// is bounded: beyond the limits, what is gone is forgotten first, then what was
// touched longest ago, and both are counted. BenchmarkNamespaces says how much a
// namespace takes.
package inventory

import (
	"iter"
	"slices"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Limits bound the inventory. Where one is zero its default holds.
type Limits struct {
	Namespaces int // with those that ended: 65536
	Ended      int // of them: 4096
	Objects    int // in all namespaces together: 65536
	Gone       int // objects that are gone, besides: 4096
	Uses       int // of each object: 0
}

func (l Limits) orDefault() Limits {
	or := func(n, otherwise int) int {
		if n > 0 {
			return n
		}
		return otherwise
	}
	return Limits{or(l.Namespaces, 65536), or(l.Ended, 4096), or(l.Objects, 65536), or(l.Gone, 4096), l.Uses}
}

// Inventory is for one goroutine.
type Inventory struct {
	limits     Limits
	totals     Totals
	namespaces map[identity]*Namespace
	numbers    numbers         // those that have not ended
	last       *Namespace      // that was asked for
	order      list[Namespace] // first seen at the front
	touched    list[Namespace] // those that have not ended: touched longest ago at the front
	freed      list[Namespace] // those that have: longest ago at the front
	objects    list[Object]    // in all namespaces, as touched
	gone       list[Object]    // as freed
	spare      []*Object       // some of those forgotten: room for the next ones
	number     uint64          // of the object that came last
	blind      bool            // the end of unlinked queues is not told
}

// syscallTier is the word of trace.start for the hooks that do not tell it.
const syscallTier = "syscall"

// identity of a namespace. Inode numbers come back at once, so the number alone
// would merge different namespaces.
type identity struct {
	inode uint64
	gen   uint32
	id    uint64
}

func identityOf(n *event.Namespace) identity { return identity{n.Inode, n.Gen, n.ID} }

// New is an empty inventory.
func New(l Limits) *Inventory {
	l = l.orDefault()
	return &Inventory{
		limits:     l,
		namespaces: make(map[identity]*Namespace),
		numbers:    make(numbers),
	}
}

// Renew is an empty inventory that has the limits of this one, and goes on counting
// what was forgotten for them.
func (v *Inventory) Renew() *Inventory {
	next := New(v.limits)
	next.totals.ForgottenObjects, next.totals.ForgottenNamespaces = v.totals.ForgottenObjects, v.totals.ForgottenNamespaces
	next.totals.ForgottenGone, next.totals.ForgottenFreed = v.totals.ForgottenGone, v.totals.ForgottenFreed
	return next
}

// KeepUses keeps so many of the calls that opened an object, from now on.
func (v *Inventory) KeepUses(most int) { v.limits.Uses = most }

// Apply takes an event in, and answers which object it is of; nil: of none that is
// known. Of what it points at, all that [event.Event.Clone] does not copy is kept: leave
// that as it is afterwards. The object may be used again.
func (v *Inventory) Apply(e *event.Event) *Object {
	if e.Event == event.TraceLost {
		if e.Lost != nil {
			v.totals.lose(e.Lost)
		}
		return nil
	}
	if e.Start != nil {
		v.blind = e.Start.Tier == syscallTier
	}
	if e.Event.IsState() {
		v.restore(e, true)
		return nil
	}
	// A log may come from anywhere: an event need not have all its parts.
	if !v.totals.count(e) || e.NS == nil {
		return nil
	}
	n, o := v.take(e)
	n.count(e)
	return o
}

// Note takes in an event that nobody asked to be told: it counts as none.
func (v *Inventory) Note(e *event.Event) {
	if e.Event.IsState() {
		v.restore(e, false)
	}
	if e.NS != nil && v.totals.of(e.Event) != nil {
		v.take(e)
	}
}

func (v *Inventory) take(e *event.Event) (*Namespace, *Object) {
	n := v.namespace(e)
	n.seen(e)
	switch {
	case e.Event.IsNamespace():
		v.applyNamespace(n, e)
	case identified(e.Object) && e.Event != event.ObjectFail:
		return n, v.applyObject(n, e)
	}
	return n, nil
}

// Refresh takes in what the kernel's list says now of an object that is known.
// That is no event, and counts as none.
func (v *Inventory) Refresh(found *event.Event) {
	if n := v.Find(found.NS); n != nil {
		if o := n.Object(found.Object); o != nil {
			o.found(found)
		}
	}
}

// namespace is the one the event is of, as touched now.
func (v *Inventory) namespace(e *event.Event) *Namespace {
	n := v.Find(e.NS)
	switch {
	case n == nil:
		if len(v.namespaces) >= v.limits.Namespaces {
			v.forgetNamespace()
		}
		n = newNamespace(e)
		v.order.pushBack(&n.inOrder, n)
		v.namespaces[identityOf(e.NS)] = n
		v.stand(n)
	case n.ended && shows(e.Event):
		v.revive(n)
	case !n.ended:
		v.touched.moveToBack(&n.inTouched)
	}
	return n
}

// stand puts a namespace to those that have not ended.
func (v *Inventory) stand(n *Namespace) {
	v.touched.pushBack(&n.inTouched, n)
	v.numbers.add(n)
}

// fall takes it out of them.
func (v *Inventory) fall(n *Namespace) {
	v.touched.remove(&n.inTouched)
	v.numbers.remove(n)
}

// shows says whether an event of the type shows that its namespace is there.
func shows(t event.Type) bool {
	return t != event.NamespaceFree && t != event.ObjectRemove
}

func (v *Inventory) applyNamespace(n *Namespace, e *event.Event) {
	switch e.Event {
	case event.NamespaceCreate:
		v.supersede(n, e)
		n.Born, n.Maker, n.Container, n.From, n.Existing = e.Time, e.Process, e.Container, e.From, false
	case event.NamespaceFound:
		v.supersede(n, e)
		n.Existing = n.Born.IsZero()
	case event.NamespaceJoin:
		n.Joined++
		n.Joiner = e.Process
	case event.NamespaceFree:
		v.free(n, e)
	}
}

// supersede ends those that had the inode number before: no two namespaces have
// one at once.
func (v *Inventory) supersede(n *Namespace, e *event.Event) {
	for other := v.numbers[n.Inode]; other != nil; {
		next := other.alike
		if other != n {
			v.free(other, &event.Event{Time: e.Time, BootNS: e.BootNS, Observed: event.ObservedReuse})
		}
		other = next
	}
}

// free ends a namespace, and all that is in it.
func (v *Inventory) free(n *Namespace, e *event.Event) {
	if n.ended {
		return
	}
	n.ended = true
	n.Freed, n.Observed = e.Time, e.Observed
	for _, o := range n.Objects() {
		v.drop(o)
		end := &event.Event{Time: e.Time, BootNS: e.BootNS, Observed: e.Observed}
		if !o.marked { // a marked one was gone before: attached, it would hold its namespace
			end.Cause = event.CauseNamespace
		}
		v.bury(o, end)
		o.cleared = true
		v.totals.Cleared++
	}
	v.fall(n)
	v.freed.pushBack(&n.inTouched, n)
	if v.freed.len > v.limits.Ended {
		v.forgetFreed()
	}
}

// revive takes back that a namespace ended: something happened in it since.
func (v *Inventory) revive(n *Namespace) {
	n.ended = false
	n.Freed, n.Observed = event.Event{}.Time, event.ObservedHook
	v.freed.remove(&n.inTouched)
	v.stand(n)
}

// applyObject notes what became of an object.
func (v *Inventory) applyObject(n *Namespace, e *event.Event) *Object {
	o := n.find(e)
	switch {
	case e.Event == event.ObjectRemove:
		return v.removed(n, o, e)
	case e.Event == event.ObjectFound && n.outdated(o, e):
		return nil
	case o != nil && o.replacedBy(e):
		v.replace(o, e)
		o = nil
	}
	if o == nil {
		o = v.add(n, e)
		if o.Kind != mq {
			v.index(o, e)
		}
	}
	v.objects.moveToBack(&o.inTouched)
	o.used(e, v.limits.Uses)
	if o.Kind != mq { // its id tells it from others, and stays
		o.apply(e)
		return o
	}
	n.unindex(o)
	o.apply(e)
	v.index(o, e)
	if v.blind && e.Event == event.ObjectMark {
		v.vanish(o, e)
	}
	return o
}

// removed takes in the end of an object. One that is not known counts too, and is
// known from its end alone.
func (v *Inventory) removed(n *Namespace, o *Object, e *event.Event) *Object {
	if o == nil {
		if o = v.confirm(n, e); o != nil {
			return o
		}
		o = v.newObject(n, e)
	} else {
		v.drop(o)
	}
	o.learn(e.Object)
	v.bury(o, e)
	return o
}

// index makes an object the one that its id or name leads to.
func (v *Inventory) index(o *Object, e *event.Event) {
	if o.Kind == mq {
		v.oust(o, e)
	}
	o.home.index(o)
}

// oust makes room for a queue: what had its number is gone, and what had its name and
// another number was unlinked, and is there as long as somebody has it open.
func (v *Inventory) oust(o *Object, e *event.Event) {
	for _, other := range o.home.queues.rivals(o) {
		unseen := &event.Event{Time: e.Time, BootNS: e.BootNS, Observed: event.ObservedReuse}
		switch {
		case other.Inode == nil || o.Inode == nil || *other.Inode == *o.Inode:
			v.replace(other, e)
		case other.made > e.BootNS: // and what a list had before that
			o.mark(unseen)
		case v.blind:
			v.vanish(other, unseen)
		default:
			o.home.unindex(other)
			other.mark(unseen)
			o.home.index(other)
		}
	}
}

// replace puts an object to those that are gone whose end was not seen: an event shows
// that its id or number is another one's. That may be from a list which is older than
// the newest end.
func (v *Inventory) replace(o *Object, e *event.Event) {
	v.drop(o)
	end := &event.Event{Time: e.Time, BootNS: e.BootNS, Observed: event.ObservedReuse}
	if gone := &o.home.gone; gone.len > 0 {
		end.BootNS = max(end.BootNS, gone.back().ended)
	}
	v.bury(o, end)
	o.cleared = true
	v.totals.Cleared++
}

// vanish puts an unlinked queue to those that are gone where its end will not be
// told: no list has it any more.
func (v *Inventory) vanish(o *Object, e *event.Event) {
	v.drop(o)
	v.bury(o, &event.Event{Time: e.Time, BootNS: e.BootNS, Observed: e.Observed, Cause: event.CauseUnlink, Process: e.Process})
	o.cleared = true
	v.totals.Cleared++
}

func (v *Inventory) add(n *Namespace, e *event.Event) *Object {
	if v.objects.len >= v.limits.Objects {
		oldest := v.objects.front()
		v.drop(oldest)
		oldest.home.Forgotten++
		v.totals.ForgottenObjects++
		v.recycle(oldest)
	}
	o := v.newObject(n, e)
	v.objects.pushBack(&o.inTouched, o)
	n.order.pushBack(&o.inOrder, o)
	return o
}

func (v *Inventory) newObject(n *Namespace, e *event.Event) *Object {
	var o *Object
	if last := len(v.spare) - 1; last >= 0 {
		o, v.spare = v.spare[last], v.spare[:last]
	} else {
		o = new(Object)
	}
	o.begin(n, e)
	v.number++
	o.Number = v.number
	return o
}

// recycle takes the room of an object that is forgotten.
func (v *Inventory) recycle(o *Object) {
	const most = 64
	if len(v.spare) < most {
		v.spare = append(v.spare, o)
	}
}

// drop takes an object out of those that are there.
func (v *Inventory) drop(o *Object) {
	v.objects.remove(&o.inTouched)
	o.home.order.remove(&o.inOrder)
	o.home.unindex(o)
}

// bury puts an object, dropped or never there, to those that are gone.
func (v *Inventory) bury(o *Object, e *event.Event) {
	if v.gone.len >= v.limits.Gone {
		oldest := v.gone.front()
		v.exhume(oldest)
		v.recycle(oldest)
		v.totals.ForgottenGone++
	}
	o.remove(e)
	o.home.Removed++
	*o.home.removed.of(o.Cause)++
	v.gone.pushBack(&o.inTouched, o)
	o.home.gone.pushBack(&o.inOrder, o)
}

// mostLooked is how many of the objects that are gone are looked at for one.
const mostLooked = 4096

// confirm takes in the end of an object that was taken to have gone with its
// namespace: a queue that somebody has open outlives it.
func (v *Inventory) confirm(n *Namespace, e *event.Event) *Object {
	if v.totals.Cleared == 0 {
		return nil
	}
	looked := 0
	for o := range n.gone.backward() {
		if looked++; looked > mostLooked {
			break
		}
		if !o.cleared || !o.is(e.Object) {
			continue
		}
		o.cleared = false
		v.totals.Cleared--
		*n.removed.of(o.Cause)--
		o.remove(e)
		*n.removed.of(o.Cause)++
		return o
	}
	return nil
}

// exhume takes an object out of those that are gone.
func (v *Inventory) exhume(o *Object) {
	v.gone.remove(&o.inTouched)
	o.home.gone.remove(&o.inOrder)
}

// forgetNamespace makes room: the one that ended longest ago goes, and where
// none did, the one touched longest ago.
func (v *Inventory) forgetNamespace() {
	if v.freed.len > 0 {
		v.forgetFreed()
		return
	}
	n := v.touched.front()
	v.forget(n)
	v.fall(n)
	v.totals.ForgottenNamespaces++
}

// forgetFreed forgets the namespace that ended longest ago.
func (v *Inventory) forgetFreed() {
	n := v.freed.front()
	v.forget(n)
	v.freed.remove(&n.inTouched)
	v.totals.ForgottenFreed++
}

// forget forgets a namespace, but for the list that it is in.
func (v *Inventory) forget(n *Namespace) {
	for _, o := range n.Objects() {
		v.drop(o)
		v.totals.ForgottenObjects++
	}
	for _, o := range n.Gone() {
		v.exhume(o)
		v.totals.ForgottenGone++
	}
	v.order.remove(&n.inOrder)
	delete(v.namespaces, identityOf(&n.Namespace))
	v.last = nil
}

// Namespaces are those known, also those that ended: the initial one first, then
// in the order in which they were first seen.
func (v *Inventory) Namespaces() []*Namespace {
	all := slices.AppendSeq(make([]*Namespace, 0, v.order.len), v.order.all())
	slices.SortStableFunc(all, func(a, b *Namespace) int {
		switch {
		case a.Initial && !b.Initial:
			return -1
		case b.Initial && !a.Initial:
			return 1
		}
		return 0
	})
	return all
}

// Find is the namespace if it is known, ended or not, else nil.
func (v *Inventory) Find(ns *event.Namespace) *Namespace {
	if ns == nil {
		return nil
	}
	id := identityOf(ns)
	if v.last == nil || identityOf(&v.last.Namespace) != id {
		n := v.namespaces[id]
		if n == nil {
			return nil
		}
		v.last = n
	}
	return v.last
}

// Has says whether what the event is about is known: its object, among those that
// are there, or where it has none, its namespace.
func (v *Inventory) Has(e *event.Event) bool {
	n := v.Find(e.NS)
	if n == nil || e.Object == nil {
		return n != nil
	}
	return identified(e.Object) && n.find(e) != nil
}

// Object is the one that the event is about: among those that are there, else the one
// gone last; nil where neither is known.
func (v *Inventory) Object(e *event.Event) *Object {
	n := v.Find(e.NS)
	if n == nil || !identified(e.Object) {
		return nil
	}
	if o := n.find(e); o != nil {
		return o
	}
	for o := range n.gone.backward() {
		if o.is(e.Object) {
			return o
		}
	}
	return nil
}

// Objects are those known in all namespaces, and whether they are gone: first those that
// are, as they went, then those that are there, touched longest ago first.
func (v *Inventory) Objects() iter.Seq2[*Object, bool] {
	return func(yield func(*Object, bool) bool) {
		for o := range v.gone.all() {
			if !yield(o, true) {
				return
			}
		}
		for o := range v.objects.all() {
			if !yield(o, false) {
				return
			}
		}
	}
}

// Live is how many namespaces have not ended, and how many objects are there.
func (v *Inventory) Live() (namespaces, objects int) { return v.touched.len, v.objects.len }

// Totals so far.
func (v *Inventory) Totals() Totals { return v.totals }

// Relabel asks for the present name of each namespace: who is in it may have
// become known since its last event. An empty answer changes nothing. Only the
// newest namespace of an inode number is asked for, and no one that ended: the
// name is today's.
func (v *Inventory) Relabel(label func(inode uint64) string) {
	newest := make(map[uint64]*Namespace, len(v.namespaces))
	for _, n := range v.namespaces {
		if other, ok := newest[n.Inode]; !ok || n.Gen > other.Gen {
			newest[n.Inode] = n
		}
	}
	for inode, n := range newest {
		if n.ended {
			continue
		}
		if name := label(inode); name != "" {
			n.Label = name
		}
	}
}
