package inventory

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
)

// life is an event of a namespace's object at a second, also of the boot clock.
func life(second int, t event.Type, kind string, id int32, change ...func(*event.Event)) *event.Event {
	e := call(second, t, 7, kind, id, 5)
	e.BootNS = int64(second)
	if kind == mq {
		e.Object.ID, e.Object.Key = nil, 0
	}
	if t == event.ObjectFound {
		e.Observed, e.Process = event.ObservedSnapshot, nil
		e.Object.State = &event.State{}
	}
	for _, c := range change {
		c(e)
	}
	return e
}

func ofNamespace(second int, t event.Type, gen uint32) *event.Event {
	return &event.Event{
		Event: t, Time: at(second), BootNS: int64(second), NS: &event.Namespace{Inode: 7, Gen: gen},
		Process: &event.Process{PID: uint32(second), Comm: fmt.Sprint("p", second)},
	}
}

func key(k event.Key) func(*event.Event) { return func(e *event.Event) { e.Object.Key = k } }

func cause(c event.Cause) func(*event.Event) { return func(e *event.Event) { e.Cause = c } }

func queue(name string, inode uint64) func(*event.Event) {
	return func(e *event.Event) {
		e.Object.Name = name
		if inode != 0 {
			e.Object.Inode = &inode
		}
	}
}

func bare(e *event.Event) { e.Object.Bare = true }

func destined(e *event.Event) { e.Object.State.Dest, e.Object.Key = true, 0 }

// states of all objects of the one namespace.
func states(v *Inventory) []string {
	var all []string
	for _, n := range v.Namespaces() {
		for _, o := range append(n.Objects(), n.Gone()...) {
			text := fmt.Sprintf("%s %d%s", o.Kind, o.ID, o.Name)
			if o.Inode != nil {
				text += fmt.Sprintf(" #%d", *o.Inode)
			}
			if o.Existing {
				text += " existing"
			}
			if o.Maker != nil {
				text += " by " + o.Maker.Comm
			}
			if !o.Known {
				text += " unknown"
			}
			if o.Got {
				text += " got"
			}
			if !o.Marked.IsZero() {
				text += " marked"
			}
			if !o.Removed.IsZero() {
				text += " gone " + string(o.Cause)
			}
			if o.Remover != nil {
				text += " by " + o.Remover.Comm
			}
			all = append(all, text)
		}
	}
	return all
}

func TestLives(t *testing.T) {
	const (
		create, open, found   = event.ObjectCreate, event.ObjectOpen, event.ObjectFound
		get                   = event.ObjectGet
		mark, remove, nothing = event.ObjectMark, event.ObjectRemove, event.Type("")
	)
	type events = []*event.Event
	for name, test := range map[string]struct {
		events events
		want   []string
	}{
		"found": {events{life(1, found, "shm", 1)}, []string{"shm 1 existing"}},
		"found twice": {
			events{life(1, found, "shm", 1), life(2, found, "shm", 1)}, []string{"shm 1 existing"}},
		"found after its creation": {
			events{life(1, create, "shm", 1), life(2, found, "shm", 1)}, []string{"shm 1 by p1"}},
		"found, then told of as made before": {
			events{life(2, found, "shm", 1), life(1, create, "shm", 1)}, []string{"shm 1 by p1"}},
		"found, and its id used again": {
			events{life(1, found, "shm", 1), life(2, create, "shm", 1)}, []string{"shm 1 by p2", "shm 1 existing gone "}},
		"found in a list older than it": {
			events{life(3, create, "shm", 1), life(2, found, "shm", 1, destined)}, []string{"shm 1 by p3"}},
		"found in a list older than its end": {
			events{life(1, create, "shm", 1), life(3, remove, "shm", 1, cause("rmid")), life(2, found, "shm", 1)},
			[]string{"shm 1 by p1 gone rmid by p3"}},
		"found in a list newer than its end: another": {
			events{life(1, create, "shm", 1), life(2, remove, "shm", 1, cause("rmid")), life(3, found, "shm", 1)},
			[]string{"shm 1 existing", "shm 1 by p1 gone rmid by p2"}},
		"opened, then found": {
			events{life(1, open, "shm", 1), life(2, found, "shm", 1)}, []string{"shm 1 existing"}},
		"found under another key": {
			events{life(1, open, "shm", 1), life(2, found, "shm", 1, key(6))},
			[]string{"shm 1 existing", "shm 1 existing unknown gone "}},
		"found without more": {events{life(1, found, "shm", 1, bare)}, []string{"shm 1 existing unknown"}},
		"got":                {events{life(1, get, "shm", 1)}, []string{"shm 1 unknown got"}},
		"got, then told of as made": {
			events{life(1, get, "shm", 1), life(2, create, "shm", 1)},
			[]string{"shm 1 by p2", "shm 1 unknown got gone "}},
		"found waiting for its last detach": {
			events{life(1, create, "shm", 1), life(2, found, "shm", 1, destined)}, []string{"shm 1 by p1 marked"}},
		"marked, found, and gone": {
			events{
				life(1, create, "shm", 1), life(2, mark, "shm", 1), life(3, found, "shm", 1, destined),
				life(4, remove, "shm", 1, key(0), cause("detach")),
			},
			[]string{"shm 1 by p1 marked gone detach by p4"}},
		"marked, unseen before": {events{life(1, mark, "shm", 1)}, []string{"shm 1 existing marked"}},
		"marked, and its key told no more": {
			events{life(1, create, "shm", 1), life(2, mark, "shm", 1), life(3, open, "shm", 1, key(0))},
			[]string{"shm 1 by p1 marked"}},
		"gone, unseen before": {
			events{life(1, remove, "shm", 1, cause("rmid"))}, []string{"shm 1 existing gone rmid by p1"}},
		"gone twice": {
			events{life(1, remove, "sem", 1), life(2, remove, "sem", 1)},
			[]string{"sem 1 existing gone  by p1", "sem 1 existing gone  by p2"}},
		"gone by a cause that is none": {
			events{life(1, remove, "sem", 1, cause("\x1b[2J"))}, []string{"sem 1 existing gone  by p1"}},
		"made again": {
			events{life(1, create, "msg", 1), life(2, remove, "msg", 1, cause("rmid")), life(3, create, "msg", 1)},
			[]string{"msg 1 by p3", "msg 1 by p1 gone rmid by p2"}},
		"its namespace ended": {
			events{life(1, create, "msg", 1), life(1, create, "shm", 1), ofNamespace(2, event.NamespaceFree, 1)},
			[]string{"msg 1 by p1 gone namespace", "shm 1 by p1 gone namespace"}},

		"queue": {
			events{life(1, create, mq, 0, queue("/a", 3)), life(2, open, mq, 0, queue("/a", 3)), life(2, open, mq, 0, queue("/a", 0))},
			[]string{"mq 0/a #3 by p1"}},
		"queue that gets a number": {
			events{life(1, create, mq, 0, queue("/a", 0)), life(2, found, mq, 0, queue("/a", 3)), life(3, open, mq, 0, queue("/a", 3))},
			[]string{"mq 0/a #3 by p1"}},
		"unlinked, and its name used again": {
			events{life(1, create, mq, 0, queue("/a", 3)), life(2, mark, mq, 0, queue("/a", 3)), life(3, create, mq, 0, queue("/a", 4))},
			[]string{"mq 0/a #3 by p1 marked", "mq 0/a #4 by p3"}},
		"of two queues the unlinked one goes": {
			events{
				life(1, create, mq, 0, queue("/a", 3)), life(2, mark, mq, 0, queue("/a", 3)), life(3, create, mq, 0, queue("/a", 4)),
				life(4, remove, mq, 0, queue("/a", 3), cause("unlink")),
			},
			[]string{"mq 0/a #4 by p3", "mq 0/a #3 by p1 marked gone unlink by p4"}},
		"the same without numbers": {
			events{
				life(1, create, mq, 0, queue("/a", 0)), life(2, mark, mq, 0, queue("/a", 0)), life(3, create, mq, 0, queue("/a", 0)),
				life(4, remove, mq, 0, queue("/a", 0), cause("unlink")),
			},
			[]string{"mq 0/a by p3", "mq 0/a by p1 marked gone unlink by p4"}},
		"unlinked with nobody using it": {
			events{life(1, create, mq, 0, queue("/a", 0)), life(2, remove, mq, 0, queue("/a", 0), cause("unlink"))},
			[]string{"mq 0/a by p1 gone unlink by p2"}},
		"a name that has another number": {
			events{life(1, create, mq, 0, queue("/a", 3)), life(2, open, mq, 0, queue("/a", 4))},
			[]string{"mq 0/a #3 by p1 marked", "mq 0/a #4 existing unknown"}},
		"a name that has another number, told late": {
			events{life(1, create, mq, 0, queue("/a", 3)), life(2, found, mq, 0, queue("/a", 4)), life(2, mark, mq, 0, queue("/a", 3)),
				life(3, remove, mq, 0, queue("/a", 3), cause("unlink"))},
			[]string{"mq 0/a #4 existing", "mq 0/a #3 by p1 marked gone unlink by p3"}},
		"a name that had another number in an older list": {
			events{life(3, create, mq, 0, queue("/a", 4)), life(2, found, mq, 0, queue("/a", 3))},
			[]string{"mq 0/a #4 by p3", "mq 0/a #3 existing marked"}},
		"a list older than what it shows to be gone": {
			events{life(1, create, "shm", 7), life(1, create, "shm", 8), life(10, remove, "shm", 8, cause("rmid")),
				life(5, found, "shm", 7, key(6)), life(5, found, "shm", 8)},
			[]string{"shm 7 existing", "shm 8 by p1 gone rmid by p10", "shm 7 by p1 gone "}},
		"neither name nor number": {events{life(1, create, mq, 0, queue("", 0))}, nil},
		"no such event":           {events{life(1, nothing, "msg", 1)}, nil},
	} {
		t.Run(name, func(t *testing.T) { check(t, states(applied(Limits{}, test.events...)), test.want) })
	}
}

func TestFoundBringsFacts(t *testing.T) {
	found := life(1, event.ObjectFound, "shm", 1)
	found.Object.State.Attached = new(uint64(2))
	again := life(2, event.ObjectFound, "shm", 1)
	again.Object.State.Attached = new(uint64(3))
	again.Object.Mode, again.Object.UID = 0o777, new(uint32(1234)) // IPC_SET
	again.Object.Size = new(uint64(1))
	v := applied(Limits{}, found, again)
	o := v.Namespaces()[0].Objects()[0]
	check(t, *o.Size, uint64(4096)) // never changes
	check(t, o.Mode, event.Mode(0o777))
	check(t, *o.UID, uint32(1234))
	check(t, *o.State.Attached, uint64(3))
	check(t, v.Totals(), Totals{Found: 2, ObjectsFound: 2})
	check(t, []bool{o.Known, o.Existing}, []bool{true, true})
}

func TestNamespaceLives(t *testing.T) {
	host := &event.Namespace{Inode: 1, Gen: 1}
	born := ofNamespace(1, event.NamespaceCreate, 1)
	born.From = host
	v := applied(Limits{},
		born, life(2, event.ObjectCreate, "msg", 0),
		ofNamespace(3, event.NamespaceJoin, 1), ofNamespace(4, event.NamespaceJoin, 1),
		ofNamespace(5, event.NamespaceCreate, 2),
		ofNamespace(6, event.NamespaceFree, 2), ofNamespace(7, event.NamespaceFree, 2),
		ofNamespace(8, event.NamespaceFound, 3),
	)
	all := v.Namespaces()
	check(t, len(all), 3)
	first, second, third := all[0], all[1], all[2]

	check(t, []string{first.Maker.Comm, first.Joiner.Comm, first.From.String()}, []string{"p1", "p4", "1"})
	check(t, first.Born, at(1))
	check(t, first.Joined, uint64(2))
	check(t, first.Freed, at(5)) // the second has its number
	check(t, first.Observed, event.ObservedReuse)
	check(t, []uint64{first.Removed, first.RemovedBy(event.CauseNamespace)}, []uint64{1, 1})

	check(t, second.Freed, at(6))
	check(t, second.Observed, event.ObservedHook)
	check(t, []bool{first.Ended(), second.Ended(), third.Ended(), third.Existing}, []bool{true, true, false, true})
	namespaces, objects := v.Live()
	check(t, []int{namespaces, objects}, []int{1, 0})
	check(t, v.Totals(), Totals{
		Events: 8, Created: 1, Born: 2, Joined: 2, Freed: 2, NamespacesFound: 1, Cleared: 1,
	})
}

// An event that was on its way while the namespace ended, or an end that was not:
// the namespace is there.
func TestWhatHappensInANamespaceShowsThatItIsThere(t *testing.T) {
	v := applied(Limits{},
		ofNamespace(1, event.NamespaceCreate, 1), ofNamespace(2, event.NamespaceFree, 1),
		life(3, event.ObjectRemove, "msg", 0))
	n := v.Find(&event.Namespace{Inode: 7, Gen: 1})
	check(t, n.Ended(), true)
	v.Apply(life(4, event.ObjectCreate, "msg", 0))
	check(t, []bool{n.Ended(), n.Freed.IsZero()}, []bool{false, true})
	check(t, n.Len(), 1)
}

func TestSequentialNamespaces(t *testing.T) {
	v := New(Limits{})
	for gen := range uint32(100) {
		v.Apply(ofNamespace(3*int(gen), event.NamespaceCreate, gen+1))
		create := life(3*int(gen)+1, event.ObjectCreate, "msg", 0)
		create.NS.Gen = gen + 1
		v.Apply(create)
		v.Apply(ofNamespace(3*int(gen)+2, event.NamespaceFree, gen+1))
	}
	check(t, len(v.Namespaces()), 100)
	for _, n := range v.Namespaces() {
		check(t, []uint64{n.Created, n.RemovedBy(event.CauseNamespace)}, []uint64{1, 1})
	}
	check(t, v.Totals(), Totals{Events: 300, Created: 100, Born: 100, Freed: 100, Cleared: 100})
}

// What is gone is forgotten before what is there.
func TestTheGoneAreForgottenFirst(t *testing.T) {
	v := New(Limits{Namespaces: 3, Objects: 2, Gone: 2})
	of := func(second int, t event.Type, inode uint64, id int32) {
		v.Apply(call(second, t, inode, "msg", id, 5))
	}
	of(1, event.ObjectCreate, 1, 0)
	for id := range int32(4) {
		of(2, event.ObjectCreate, 2, id)
		of(3, event.ObjectRemove, 2, id)
	}
	check(t, v.Totals().ForgottenGone, uint64(2))
	check(t, v.Totals().ForgottenObjects, uint64(0))
	check(t, v.Namespaces()[1].Removed, uint64(4))
	v.Apply(&event.Event{Event: event.NamespaceFree, NS: &event.Namespace{Inode: 2, Gen: 1}})
	of(4, event.ObjectCreate, 3, 0)
	of(5, event.ObjectFail, 4, 0)
	check(t, names(v), [][]string{{"1", "msg 0 0x00000005"}, {"3", "msg 0 0x00000005"}, {"4"}})
	sum := v.Totals()
	check(t, []uint64{sum.ForgottenFreed, sum.ForgottenNamespaces, sum.ForgottenGone, sum.ForgottenObjects}, []uint64{1, 0, 4, 0})
}

// TestTheEndedAreBounded: who makes and ends namespaces without end does not push
// out those that are there, and what was in the ended ones goes with them.
func TestTheEndedAreBounded(t *testing.T) {
	v := applied(Limits{Namespaces: 10, Ended: 2}, call(1, event.ObjectCreate, 1, "msg", 0, 5))
	for inode := range uint64(100) {
		v.Apply(call(2, event.ObjectCreate, inode+2, "msg", 0, 5))
		v.Apply(&event.Event{Event: event.NamespaceFree, NS: &event.Namespace{Inode: inode + 2, Gen: 1}})
	}
	check(t, names(v), [][]string{{"1", "msg 0 0x00000005"}, {"100"}, {"101"}})
	sum := v.Totals()
	check(t, []uint64{sum.ForgottenFreed, sum.ForgottenNamespaces, sum.ForgottenGone, sum.ForgottenObjects}, []uint64{98, 0, 98, 0})
}

// TestOneNumber: of the namespaces of an inode number the one told of last is there,
// and those before it have ended, however many were not seen to.
func TestOneNumber(t *testing.T) {
	for _, how := range []event.Type{event.NamespaceCreate, event.NamespaceFound} {
		v := New(Limits{})
		for gen := range uint32(4) {
			e := call(1, event.ObjectCreate, 7, "msg", 0, 5)
			e.NS.Gen = gen + 1
			v.Apply(e)
		}
		v.Apply(call(1, event.ObjectCreate, 2, "msg", 0, 5))
		v.Apply(ofNamespace(2, how, 3))
		var ended []bool
		for _, n := range v.Namespaces() {
			ended = append(ended, n.Ended())
		}
		check(t, ended, []bool{true, true, false, true, false})
	}
}

// TestQueued: a namespace has queues until the last one is gone, or it is; one that is
// unlinked and told to live on is one.
func TestQueued(t *testing.T) {
	v := applied(Limits{}, life(1, event.ObjectCreate, "msg", 3))
	check(t, v.Queued(), map[uint64]bool{})
	v.Apply(life(2, event.ObjectCreate, mq, 0, queue("/a", 9)))
	v.Apply(life(3, event.ObjectCreate, mq, 0, queue("/b", 0)))
	v.Apply(life(4, event.ObjectMark, mq, 0, queue("/a", 9)))
	v.Apply(life(5, event.ObjectRemove, mq, 0, queue("/b", 0)))
	check(t, v.Queued(), map[uint64]bool{7: true})
	v.Apply(life(6, event.ObjectRemove, mq, 0, queue("/a", 9)))
	check(t, v.Queued(), map[uint64]bool{})
	v.Apply(life(7, event.ObjectCreate, mq, 0, queue("/c", 10)))
	v.Apply(ofNamespace(8, event.NamespaceFree, 1))
	check(t, v.Queued(), map[uint64]bool{})
}

func TestFind(t *testing.T) {
	v := applied(Limits{},
		life(1, event.ObjectCreate, "msg", 3), life(1, event.ObjectCreate, mq, 0, queue("/a", 9)),
		life(2, event.ObjectCreate, "msg", 4), life(3, event.ObjectRemove, "msg", 4))
	n := v.Find(&event.Namespace{Inode: 7, Gen: 1, Label: "whatever"})
	if n == nil || v.Find(nil) != nil || v.Find(&event.Namespace{Inode: 7, Gen: 2}) != nil || v.Find(&event.Namespace{Inode: 7, Gen: 1, ID: 5}) != nil {
		t.Fatal("namespaces are mixed up")
	}
	for _, test := range []struct {
		object *event.Object
		want   bool
	}{
		{nil, false},
		{&event.Object{Kind: "msg"}, false},
		{&event.Object{Kind: mq}, false},
		{&event.Object{Kind: "msg", ID: new(int32(3))}, true},
		{&event.Object{Kind: "sem", ID: new(int32(3))}, false},
		{&event.Object{Kind: "msg", ID: new(int32(4))}, false}, // gone
		{&event.Object{Kind: mq, Name: "/a"}, true},
		{&event.Object{Kind: mq, Name: "/a", Inode: new(uint64(8))}, false},
		{&event.Object{Kind: mq, Inode: new(uint64(9))}, true},
		{&event.Object{Kind: mq, Name: "/b"}, false},
	} {
		check(t, n.Object(test.object) != nil, test.want)
		if test.object != nil {
			check(t, v.Has(&event.Event{NS: &n.Namespace, Object: test.object}), test.want)
		}
	}
	check(t, v.Has(&event.Event{NS: &n.Namespace}), true)
	check(t, v.Has(&event.Event{NS: &event.Namespace{Inode: 8}}), false)
	check(t, v.Has(&event.Event{}), false)
	check(t, len(n.NewestGone(5)), 1)
}

// TestOutlived: a queue that somebody has open goes after its namespace, and
// counts once.
func TestOutlived(t *testing.T) {
	v := New(Limits{})
	ns := &event.Namespace{Inode: 7, Gen: 1}
	queue := func() *event.Object { return &event.Object{Kind: "mq", Name: "/q", Inode: new(uint64(5))} }
	v.Apply(&event.Event{Event: event.ObjectCreate, NS: ns, Object: queue()})
	v.Apply(&event.Event{Event: event.NamespaceFree, NS: ns})
	v.Apply(&event.Event{Event: event.ObjectRemove, Cause: event.CauseUnlink, NS: ns, Object: &event.Object{Kind: "mq", Inode: new(uint64(5))}})
	n := v.Find(ns)
	got := []uint64{n.Removed, n.RemovedBy(event.CauseNamespace), n.RemovedBy(event.CauseUnlink), v.Totals().Removed, v.Totals().Cleared, uint64(len(n.Gone()))}
	if !slices.Equal(got, []uint64{1, 0, 1, 1, 0, 1}) || !n.Ended() {
		t.Errorf("removed, by its namespace, by unlink, in all, cleared, gone: %v", got)
	}
}

// TestReplaced: what was replaced is gone since then, and counts, but not as an event.
func TestReplaced(t *testing.T) {
	v := applied(Limits{}, life(1, event.ObjectCreate, "shm", 1), life(2, event.ObjectCreate, "shm", 1))
	n := v.Namespaces()[0]
	o := n.Gone()[0]
	check(t, []any{o.Removed, o.Cause, o.Observed, o.Remover == nil}, []any{at(2), event.Cause(""), event.ObservedReuse, true})
	check(t, []uint64{n.Removed, n.RemovedBy("")}, []uint64{1, 1})
	check(t, v.Totals(), Totals{Events: 2, Created: 2, Cleared: 1})
}

// TestGetter: of what a call made or found it is told whose that was.
func TestGetter(t *testing.T) {
	box := &event.Container{ID: "c0ffee"}
	in := func(e *event.Event) { e.Container = box }
	v := applied(Limits{}, life(1, event.ObjectGet, "shm", 1, in), life(2, event.ObjectGet, "shm", 1))
	o := v.Namespaces()[0].Objects()[0]
	check(t, []any{o.Getter.Comm, o.Container, o.Maker == nil}, []any{"p1", box, true})
	v.Apply(life(3, event.ObjectOpen, "shm", 2, in))
	o = v.Namespaces()[0].Objects()[1]
	check(t, []bool{o.Getter == nil, o.Container == nil}, []bool{true, true})
}

// TestNumbers: an event is of the object that has its number, for as long as that is known.
func TestNumbers(t *testing.T) {
	v := New(Limits{Gone: 2})
	var of []uint64
	for i := range 4 {
		for _, typ := range []event.Type{event.ObjectCreate, event.ObjectOpen, event.ObjectFail, event.ObjectRemove} {
			var number uint64
			if o := v.Apply(life(i, typ, "msg", int32(i%2))); o != nil {
				number = o.Number
			}
			of = append(of, number)
		}
	}
	v.Apply(life(5, event.ObjectCreate, "msg", 7))
	v.Apply(life(6, event.ObjectCreate, "msg", 8))
	v.Apply(life(7, event.ObjectOpen, "msg", 7))
	check(t, of, []uint64{1, 1, 0, 1, 2, 2, 0, 2, 3, 3, 0, 3, 4, 4, 0, 4})
	var known []uint64
	for o := range v.Objects() {
		known = append(known, o.Number)
		check(t, o.Namespace() == v.Namespaces()[0], true)
	}
	check(t, known, []uint64{3, 4, 6, 5})
}

// TestVanish: where the hooks do not tell the end of a queue, an unlinked one is
// gone.
func TestVanish(t *testing.T) {
	for tier, want := range map[string][]int{"syscall": {0, 1}, "fentry": {1, 0}} {
		v := New(Limits{})
		ns := &event.Namespace{Inode: 7, Gen: 1}
		v.Apply(&event.Event{Event: event.TraceStart, Start: &event.Start{Tier: tier}})
		v.Apply(&event.Event{Event: event.ObjectCreate, NS: ns, Object: &event.Object{Kind: "mq", Name: "/q", Inode: new(uint64(5))}})
		v.Apply(&event.Event{Event: event.ObjectMark, Observed: event.ObservedSnapshot, NS: ns, Object: &event.Object{Kind: "mq", Name: "/q"}})
		n := v.Find(ns)
		for _, o := range n.Gone() {
			check(t, o.Observed, event.ObservedSnapshot)
		}
		if got := []int{n.Len(), len(n.Gone())}; !slices.Equal(got, want) {
			t.Errorf("%s: there and gone %v, want %v", tier, got, want)
		}
	}
}
