// Package ledger is the account of a command: what it and its descendants did to
// IPC objects, and what they left behind. It takes the events of a trace that
// follows them, and in the end a look at what is there.
package ledger

import (
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/tracer"
)

// Ledger is for one goroutine. It grows with the objects that are there at once,
// and with the namespaces that the command used.
type Ledger struct {
	before     map[thing]uint64   // there before the command began: inode numbers of queues
	rivals     map[thing]uint64   // strangers made them, or may have: likewise
	looked     map[space]lookedAt // namespaces of which it is known what was in them before
	hidden     []string           // kinds of which strangers may make some that no hook sees made
	marked     map[thing]bool     // segments of others that the command removed while they were attached
	open       map[thing]*Object
	namespaces map[space]*Namespace
	account    Account
}

// lookedAt says what of a namespace is known from before.
type lookedAt struct{ objects, queues bool }

// Account is what comes of it.
type Account struct {
	Namespaces []*Namespace // in which the command did something, in the order of that

	Left  []*Object // made by the command, and still there
	InUse []*Object // likewise, but marked for removal: they go when nobody has them attached
	Doubt []*Object // may be left: Why says what is not known
	Died  []*Object // made by the command, gone with its namespace: the first of them

	DiedMore int // so many more, which Died has no room for
	ByOthers int // made by the command, removed by others
	Unseen   int // made by the command, gone, and nobody saw why
	Unplaced int // events whose namespace could not be read
	Lost     uint64
	Skipped  uint64 // hooks: at most so many events more
}

// maxDied bounds Account.Died: a command may go through any number of namespaces.
const maxDied = 1000

// Namespace is what the command did in one.
type Namespace struct {
	event.Namespace
	Born  bool // of the command
	Ended bool // seen, or found out
	Kinds map[string]*Counts
}

// Counts are of one kind of object.
type Counts struct {
	Created uint64
	Opened  uint64
	Got     uint64 // made or found: it cannot be told
	Removed uint64 // also of objects that others made
	Failed  uint64
	Errnos  map[string]uint64 // of Failed, by name
}

// Object is one that the command made, or may have made.
type Object struct {
	NS        event.Namespace
	Object    event.Object   // in the end with its State, where it is there
	Maker     *event.Process // who made it, or got it first
	Container *event.Container
	Time      time.Time // when
	Why       string    // of Account.Doubt

	certain bool // the hooks saw it made, or nobody else can have
	unknown bool // whether it was there before
	rival   bool // a stranger got it too, by a call that may have made it
	marked  bool // it goes when nobody has it attached
	by      bool // … and the command marked it
	found   *snapshot.Namespace
	listed  int // its place there
}

// Place is where an object that is left was found: its namespace, and which of
// the objects there it is.
func (o *Object) Place() (*snapshot.Namespace, int) { return o.found, o.listed }

// space tells namespaces apart.
type space struct {
	inode, id uint64
	gen       uint32
}

func spaceOf(n *event.Namespace) space { return space{n.Inode, n.ID, n.Gen} }

// thing tells objects apart: those with names as long as these lead to them.
type thing struct {
	space
	kind, name string
	id         int32
}

func thingOf(ns *event.Namespace, o *event.Object) thing {
	t := thing{space: spaceOf(ns), kind: o.Kind, name: o.Name}
	if o.ID != nil {
		t.id = *o.ID
	}
	return t
}

// inodeOf is the inode number of a queue, 0 where it is not known.
func inodeOf(o *event.Object) uint64 {
	if o.Inode == nil {
		return 0
	}
	return *o.Inode
}

// has says whether a thing is among those: a queue by that number, if both are known.
func has(things map[thing]uint64, t thing, inode uint64) bool {
	known, ok := things[t]
	return ok && same(known, inode)
}

func same(a, b uint64) bool { return a == 0 || b == 0 || a == b }

const mq, segment = "mq", "shm"

// New begins an account, with what was there before the command began: in the
// trace each of those namespaces is the first of its inode number. hidden are kinds
// of object that can be made without an event.
func New(before *snapshot.Snapshot, hidden ...string) *Ledger {
	l := &Ledger{
		hidden: hidden,
		before: make(map[thing]uint64), rivals: make(map[thing]uint64), looked: make(map[space]lookedAt),
		marked: make(map[thing]bool), open: make(map[thing]*Object), namespaces: make(map[space]*Namespace),
	}
	for i := range before.Namespaces {
		n := &before.Namespaces[i]
		l.looked[firstOf(n)] = lookedAt{objects: n.Err == nil, queues: n.Err == nil && n.MQ == nil}
		for _, o := range n.Objects {
			l.before[listed(firstOf(n), &o)] = o.Inode
		}
	}
	return l
}

func firstOf(n *snapshot.Namespace) space { return space{n.Inode, n.ID, 1} }

func listed(in space, o *sysvipc.Object) thing { return thing{in, o.Kind, o.Name, o.ID} }

// Apply takes an event in: one that was told, or one of what strangers did. It keeps
// of it what [event.Event.Clone] does not copy.
func (l *Ledger) Apply(e *event.Event) {
	mine := e.Process != nil && e.Process.Followed
	switch {
	case e.Lost != nil && e.Lost.AtMost:
		l.account.Skipped += e.Lost.Count
	case e.Lost != nil:
		l.account.Lost += e.Lost.Count
	case e.Event.IsObject() && e.NS == nil:
		l.account.Unplaced++
	case e.NS == nil:
	case e.Event == event.NamespaceCreate:
		l.born(e.NS, mine)
	case e.Event == event.NamespaceFree:
		l.end(e.NS)
	case e.Object == nil:
	case mine:
		l.own(e)
	case e.Event == event.ObjectCreate, e.Event == event.ObjectGet:
		l.rival(e)
	case e.Event == event.ObjectMark && e.Object.Kind != mq:
		l.mark(e, false)
	case e.Event == event.ObjectRemove, e.Event == event.ObjectMark:
		l.gone(e)
	}
}

// born notes a namespace in which nothing was before.
func (l *Ledger) born(ns *event.Namespace, mine bool) {
	l.looked[spaceOf(ns)] = lookedAt{objects: true, queues: true}
	if mine {
		l.at(ns).Born = true
	}
}

func (l *Ledger) at(ns *event.Namespace) *Namespace {
	n := l.namespaces[spaceOf(ns)]
	if n == nil {
		n = &Namespace{Namespace: *ns, Kinds: make(map[string]*Counts)}
		l.namespaces[spaceOf(ns)] = n
		l.account.Namespaces = append(l.account.Namespaces, n)
	}
	if ns.Label != "" {
		n.Label = ns.Label
	}
	return n
}

func (n *Namespace) of(kind string) *Counts {
	c := n.Kinds[kind]
	if c == nil {
		c = &Counts{Errnos: make(map[string]uint64)}
		n.Kinds[kind] = c
	}
	return c
}

// own is what the command did.
func (l *Ledger) own(e *event.Event) {
	counts, t := l.at(e.NS).of(e.Object.Kind), thingOf(e.NS, e.Object)
	switch e.Event {
	case event.ObjectCreate:
		counts.Created++
		l.begin(t, e).certain = true
	case event.ObjectGet:
		if l.known(t, e.Object) {
			counts.Opened++ // whoever made it, this call found it
		} else {
			counts.Got++
			l.begin(t, e)
		}
	case event.ObjectOpen:
		counts.Opened++
	case event.ObjectFail:
		counts.Failed++
		counts.Errnos[e.Errno]++
	case event.ObjectMark:
		if e.Object.Kind != mq {
			l.mark(e, true)
			return
		}
		counts.Removed++ // the name leads to it no more
		l.close(t)
	case event.ObjectRemove:
		counted := e.Object.Kind == mq || l.marked[t] // as it was unlinked, or marked
		if e.Object.Kind != mq {
			l.close(t)
		}
		if !counted {
			counts.Removed++
		}
	}
}

// known says whether an object was there before, or the command has got it already.
func (l *Ledger) known(t thing, o *event.Object) bool {
	if has(l.before, t, inodeOf(o)) {
		return true
	}
	got := l.open[t]
	return got != nil && same(inodeOf(&got.Object), inodeOf(o))
}

// begin notes what the command made, or may have.
func (l *Ledger) begin(t thing, e *event.Event) *Object {
	o := &Object{
		NS: *e.NS, Object: *e.Clone().Object, Maker: e.Process, Container: e.Container, Time: e.Time,
		rival: has(l.rivals, t, inodeOf(e.Object)),
	}
	delete(l.before, t) // an id or a name that came back
	l.open[t] = o
	return o
}

// rival notes that a stranger made an object, or may have.
func (l *Ledger) rival(e *event.Event) {
	t, inode := thingOf(e.NS, e.Object), inodeOf(e.Object)
	o := l.open[t]
	other := o != nil && !same(inodeOf(&o.Object), inode)
	if o != nil && (other || e.Event == event.ObjectCreate) { // an id or a name that came back
		delete(l.open, t)
		l.vanished(o)
		o = nil
	}
	l.rivals[t] = inode
	if o != nil {
		o.rival = true
	}
}

// mark notes that a segment was removed while it was attached.
func (l *Ledger) mark(e *event.Event, mine bool) {
	t := thingOf(e.NS, e.Object)
	switch o := l.open[t]; {
	case o == nil && mine && !l.marked[t]:
		l.marked[t] = true
		l.at(e.NS).of(e.Object.Kind).Removed++
	case o != nil && !o.marked:
		o.marked, o.by = true, mine
	}
}

// gone is what others did, or nobody is known to have done, to objects.
func (l *Ledger) gone(e *event.Event) {
	t := thingOf(e.NS, e.Object)
	if o := l.open[t]; o != nil && !same(inodeOf(&o.Object), inodeOf(e.Object)) {
		return // the end of another queue, which had the name before
	}
	if e.Process == nil && e.Cause == "" && e.Object.Kind == segment {
		return // found out late, and perhaps gone with its namespace: that is told next, or shows in the end
	}
	o := l.close(t)
	switch {
	case o == nil:
	case e.Cause == event.CauseNamespace:
		l.bury(o)
	case e.Process != nil && !o.by:
		l.account.ByOthers++
	default:
		l.vanished(o)
	}
}

// vanished counts an object that is gone: whoever marked it has removed it.
func (l *Ledger) vanished(o *Object) {
	switch {
	case o.by:
		l.at(&o.NS).of(o.Object.Kind).Removed++
	case o.marked:
		l.account.ByOthers++
	default:
		l.account.Unseen++
	}
}

// close ends an object. It is nil where the command did not make it.
func (l *Ledger) close(t thing) *Object {
	o := l.open[t]
	delete(l.open, t)
	delete(l.rivals, t)
	delete(l.before, t)
	delete(l.marked, t)
	if o != nil {
		l.weigh(t, o)
	}
	return o
}

// weigh says whether the command made an object that the hooks saw it get. The
// call that made it has ended, or will before the account is settled. If it was
// not there before, and nobody but the command got it by a call that may have made
// it, the command did.
func (l *Ledger) weigh(t thing, o *Object) {
	looked := l.looked[t.space]
	o.unknown = !looked.objects && t.kind != mq || !looked.queues && t.kind == mq
	if o.certain || o.rival || o.unknown || slices.Contains(l.hidden, t.kind) || l.account.Lost+l.account.Skipped > 0 {
		return
	}
	o.certain = true
	counts := l.at(&o.NS).of(o.Object.Kind)
	counts.Got--
	counts.Created++
}

// end ends a namespace with all that is in it.
func (l *Ledger) end(ns *event.Namespace) {
	for t, o := range l.open {
		if t.space == spaceOf(ns) {
			l.close(t)
			l.bury(o)
		}
	}
	for _, things := range []map[thing]uint64{l.before, l.rivals} {
		for t := range things {
			if t.space == spaceOf(ns) {
				delete(things, t)
			}
		}
	}
	delete(l.looked, spaceOf(ns))
	if n := l.namespaces[spaceOf(ns)]; n != nil {
		n.Ended = true
	}
}

func (l *Ledger) bury(o *Object) {
	if len(l.account.Died) >= maxDied {
		l.account.DiedMore++
		return
	}
	l.account.Died = append(l.account.Died, o)
}

// Settle closes the account with a look at what is there: taken when all that
// the command did had been told. Gone says whether a namespace that is not in it
// is gone for certain. What may have been missed are kinds of which events were lost, or
// that the hooks do not see all of: of those whatever nobody is known to have made may
// be the command's. After a loss that is all kinds.
func (l *Ledger) Settle(now *snapshot.Snapshot, missed []string, gone func(*event.Namespace) bool) *Account {
	if l.account.Lost+l.account.Skipped > 0 {
		missed = kinds
	}
	l.suspect(now, missed)
	for t, o := range l.open {
		l.settle(t, o, now, gone)
	}
	for _, objects := range []*[]*Object{&l.account.Left, &l.account.InUse, &l.account.Doubt, &l.account.Died} {
		slices.SortStableFunc(*objects, func(a, b *Object) int { return a.Time.Compare(b.Time) })
	}
	return &l.account
}

// suspect doubts what is there, was not there before, and nobody is known to have
// made.
func (l *Ledger) suspect(now *snapshot.Snapshot, missed []string) {
	if len(missed) == 0 {
		return
	}
	known := make(map[thing]bool, len(l.open)+len(l.rivals)+len(l.before))
	note := func(t thing) { t.gen = 0; known[t] = true }
	for t := range l.open {
		note(t)
	}
	for _, things := range []map[thing]uint64{l.rivals, l.before} {
		for t := range things {
			note(t)
		}
	}
	for i := range now.Namespaces {
		n := &now.Namespaces[i]
		for at, o := range n.Objects {
			if !slices.Contains(missed, o.Kind) || known[listed(space{inode: n.Inode, id: n.ID}, &o)] {
				continue
			}
			l.doubt(&Object{
				NS: event.Namespace{Inode: n.Inode, ID: n.ID, Gen: 1, Initial: n.Initial, Label: n.Label}, Object: *o.Event(),
				Time: time.Unix(o.CTime, 0), found: n, listed: at,
			}, "nobody saw who made it")
		}
	}
}

func (l *Ledger) settle(t thing, o *Object, now *snapshot.Snapshot, gone func(*event.Namespace) bool) {
	i := slices.IndexFunc(now.Namespaces, func(n snapshot.Namespace) bool {
		return n.Inode == t.inode && same(n.ID, t.space.id)
	})
	l.weigh(t, o)
	switch {
	case i < 0 && gone(&o.NS):
		l.end(&o.NS)
		return
	case i < 0:
		l.doubt(o, "nothing shows whether its namespace is still there")
		return
	case now.Namespaces[i].Err != nil:
		l.doubt(o, "its namespace could not be looked into")
		return
	}
	n := &now.Namespaces[i]
	at := slices.IndexFunc(n.Objects, func(f sysvipc.Object) bool { return o.isListed(&f) })
	switch {
	case at < 0 && t.kind == mq && n.MQ != nil:
		l.doubt(o, "the queues of its namespace could not be listed")
		return
	case at < 0:
		l.vanished(o)
		return
	}
	o.found, o.listed = n, at
	o.Object = *n.Objects[at].Event()
	switch {
	case n.Objects[at].Mode&sysvipc.Dest != 0 && t.kind == segment:
		l.account.InUse = append(l.account.InUse, o)
	case o.certain:
		l.account.Left = append(l.account.Left, o)
	case o.rival:
		l.doubt(o, "others got it too, and the hooks cannot tell who made it")
	case o.unknown:
		l.doubt(o, "what was in its namespace before is not known")
	case l.account.Lost+l.account.Skipped == 0:
		l.doubt(o, "others may have made it as a file, which the hooks do not see")
	default:
		l.doubt(o, "events were lost, and others may have made it")
	}
}

// isListed says whether the kernel's list means this object: ids and names come
// back, but hardly with the same key or number.
func (o *Object) isListed(f *sysvipc.Object) bool {
	switch {
	case f.Kind != o.Object.Kind:
		return false
	case f.Kind == mq:
		return f.Name == o.Object.Name && same(f.Inode, inodeOf(&o.Object))
	}
	return f.ID == *o.Object.ID && (event.Key(f.Key) == o.Object.Key || f.Mode&sysvipc.Dest != 0)
}

func (l *Ledger) doubt(o *Object, why string) {
	o.Why = why
	l.account.Doubt = append(l.account.Doubt, o)
}

// kinds in the order in which they are told.
var kinds = []string{tracer.Msg.String(), tracer.Shm.String(), tracer.Sem.String(), tracer.MQ.String()}

// Rows are the kinds of object that something was done to, with what it was.
func (n *Namespace) Rows(row func(kind string, counts *Counts)) {
	for _, kind := range kinds {
		if c := n.Kinds[kind]; c != nil {
			row(kind, c)
		}
	}
}

// Failed is how often a call of the command failed with one of these errors.
func (a *Account) Failed(errnos ...string) (sum uint64) {
	for _, n := range a.Namespaces {
		for _, c := range n.Kinds {
			for _, name := range errnos {
				sum += c.Errnos[name]
			}
		}
	}
	return sum
}
