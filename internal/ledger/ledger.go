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
	existed    map[thing]uint64  // before the command began: the kernel's id of the namespace, which is not in the key
	first      map[uint64]uint64 // namespaces of that time: inode to id
	rivals     map[thing]bool    // strangers made them, or may have
	open       map[thing]*Object
	namespaces map[space]*Namespace
	account    Account
}

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

	certain bool // the hooks saw it made
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

const mq = "mq"

// New begins an account, with what was there before the command began: in the
// trace each of those namespaces is the first of its inode number.
func New(before *snapshot.Snapshot) *Ledger {
	l := &Ledger{
		existed: make(map[thing]uint64), rivals: make(map[thing]bool),
		open: make(map[thing]*Object), namespaces: make(map[space]*Namespace), first: make(map[uint64]uint64),
	}
	for _, n := range before.Namespaces {
		l.first[n.Inode] = n.ID
		for _, o := range n.Objects {
			l.existed[thing{space{n.Inode, 0, 1}, o.Kind, o.Name, o.ID}] = n.ID
		}
	}
	return l
}

// before is t as the key of existed. One of the two may not know the kernel's id.
func (l *Ledger) before(t thing) (key thing, existed bool) {
	id := t.space.id
	t.space.id = 0
	was, ok := l.existed[t]
	return t, ok && (was == id || was == 0 || id == 0)
}

// Apply takes an event in: one that was told, or one of a stranger's call that may
// have made what the command found.
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
	case e.Event == event.NamespaceCreate && mine:
		l.at(e.NS).Born = true
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
		if _, existed := l.before(t); existed || l.open[t] != nil {
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
		if e.Object.Kind != mq { // that was told as it was unlinked
			counts.Removed++
			l.close(t)
		}
	}
}

// begin notes what the command made, or may have.
func (l *Ledger) begin(t thing, e *event.Event) *Object {
	o := &Object{
		NS: *e.NS, Object: *e.Object, Maker: e.Process, Container: e.Container, Time: e.Time, rival: l.rivals[t],
	}
	before, _ := l.before(t)
	delete(l.existed, before) // an id that came back
	l.open[t] = o
	return o
}

// rival notes that a stranger made an object, or may have.
func (l *Ledger) rival(e *event.Event) {
	t := thingOf(e.NS, e.Object)
	if e.Event == event.ObjectCreate {
		delete(l.open, t) // an id that came back
	}
	l.rivals[t] = true
	if o := l.open[t]; o != nil {
		o.rival = true
	}
}

// mark notes that a segment was removed while it was attached.
func (l *Ledger) mark(e *event.Event, mine bool) {
	if o := l.open[thingOf(e.NS, e.Object)]; o != nil && !o.marked {
		o.marked, o.by = true, mine
	}
}

// gone is what others did, or nobody is known to have done, to objects.
func (l *Ledger) gone(e *event.Event) {
	o := l.close(thingOf(e.NS, e.Object))
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
	before, _ := l.before(t)
	delete(l.existed, before)
	if o != nil {
		l.weigh(o)
	}
	return o
}

// weigh says whether the command made an object that the hooks saw it get. The
// call that made it has ended, or will before the account is settled. If nobody
// but the command got it by a call that may have made it, the command did.
func (l *Ledger) weigh(o *Object) {
	if o.certain || o.rival || l.account.Lost+l.account.Skipped > 0 {
		return
	}
	o.certain = true
	counts := l.at(&o.NS).of(o.Object.Kind)
	counts.Got--
	counts.Created++
}

// end ends a namespace with all that is in it.
func (l *Ledger) end(ns *event.Namespace) {
	n := l.namespaces[spaceOf(ns)]
	if n == nil {
		return
	}
	n.Ended = true
	for t, o := range l.open {
		if t.space == spaceOf(ns) {
			l.close(t)
			l.bury(o)
		}
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
// is gone for certain. Where something was missed, events or the following of
// processes, whatever nobody is known to have made may be the command's.
func (l *Ledger) Settle(now *snapshot.Snapshot, missed bool, gone func(*event.Namespace) bool) *Account {
	if missed || l.account.Lost+l.account.Skipped > 0 {
		l.suspect(now)
	}
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
func (l *Ledger) suspect(now *snapshot.Snapshot) {
	known := make(map[thing]bool, len(l.open)+len(l.rivals))
	anyGen := func(t thing) thing { t.gen = 0; return t }
	for t := range l.open {
		known[anyGen(t)] = true
	}
	for t := range l.rivals {
		known[anyGen(t)] = true
	}
	for i := range now.Namespaces {
		n := &now.Namespaces[i]
		id, old := l.first[n.Inode]
		for at, o := range n.Objects {
			t := thing{space{inode: n.Inode, id: n.ID}, o.Kind, o.Name, o.ID}
			if _, there := l.before(thing{space{n.Inode, n.ID, 1}, o.Kind, o.Name, o.ID}); there && old && id == n.ID || known[t] {
				continue
			}
			l.doubt(&Object{
				NS: event.Namespace{Inode: n.Inode, ID: n.ID, Gen: 1, Initial: n.Initial, Label: n.Label}, Object: *o.Event(),
				Time: time.Unix(o.CTime, 0), found: n, listed: at,
			}, "events were lost, and nobody saw who made it")
		}
	}
}

func (l *Ledger) settle(t thing, o *Object, now *snapshot.Snapshot, gone func(*event.Namespace) bool) {
	i := slices.IndexFunc(now.Namespaces, func(n snapshot.Namespace) bool {
		return n.Inode == t.inode && (n.ID == t.space.id || n.ID == 0 || t.space.id == 0)
	})
	l.weigh(o)
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
	at := slices.IndexFunc(n.Objects, func(f sysvipc.Object) bool { return f.Kind == t.kind && f.ID == t.id && f.Name == t.name })
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
	case o.certain && n.Objects[at].Mode&sysvipc.Dest != 0:
		l.account.InUse = append(l.account.InUse, o)
	case o.certain:
		l.account.Left = append(l.account.Left, o)
	case o.rival:
		l.doubt(o, "others got it too, and the hooks cannot tell who made it")
	default:
		l.doubt(o, "events were lost, and others may have made it")
	}
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
