package inventory

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
)

// random events, of few enough objects that they meet.
type random struct {
	*rand.Rand
	boot int64
}

func newRandom(seed uint64) *random { return &random{Rand: rand.New(rand.NewPCG(seed, 2))} }

func (r *random) event() *event.Event {
	r.boot += r.Int64N(3)
	types := append([]event.Type{event.TraceLost, "object.unheard"}, event.Types...)
	e := &event.Event{
		Event: types[r.IntN(len(types))], BootNS: max(0, r.boot-r.Int64N(3)), Time: at(int(r.boot)),
		NS: &event.Namespace{Inode: 1 + r.Uint64N(5), Gen: 1 + r.Uint32N(3)},
	}
	if r.IntN(4) == 0 {
		e.Observed = event.ObservedSnapshot
	}
	if r.IntN(3) > 0 {
		e.Process = &event.Process{PID: r.Uint32N(9)}
	}
	switch {
	case e.Event == event.TraceLost:
		e.Lost = &event.Lost{Count: r.Uint64N(10), AtMost: r.IntN(2) == 0}
	case e.Event.IsObject():
		e.Object = r.object()
		e.Cause = []event.Cause{"", event.CauseRMID, event.CauseDetach, "\x1b"}[r.IntN(4)]
	case r.IntN(3) > 0: // namespaces end rarely, else nothing is ever in them
		e.Event = event.NamespaceJoin
	}
	return e
}

func (r *random) object() *event.Object {
	o := &event.Object{Kind: []string{"msg", "shm", mq, mq}[r.IntN(4)]}
	if r.IntN(3) == 0 {
		o.State = &event.State{Dest: r.IntN(3) == 0}
	}
	if o.Kind != mq {
		o.ID, o.Key = new(r.Int32N(6)), event.Key(r.Int32N(3))
		return o
	}
	if r.IntN(5) > 0 {
		o.Name = fmt.Sprint("/", r.IntN(4))
	}
	if r.IntN(3) > 0 {
		o.Inode = new(r.Uint64N(6))
	}
	return o
}

// TestRandom: whatever happens, the totals are the sum of what was applied, each
// object is in one place, and what is kept is within its limits. A copy goes on as the
// original would, which stays as it was.
func TestRandom(t *testing.T) {
	limits := Limits{Namespaces: 8, Ended: 3, Objects: 23, Gone: 11, Uses: 2}
	for seed := range uint64(20) {
		r := newRandom(seed)
		v := New(limits)
		var sum Totals
		for range 3000 {
			e := r.event()
			switch kind := sum.of(e.Event); {
			case e.Lost != nil && e.Lost.AtMost:
				sum.Skipped += e.Lost.Count
			case e.Lost != nil:
				sum.Lost += e.Lost.Count
			case kind == nil:
			case e.Observed == "":
				*kind++
				sum.Events++
			default:
				*kind++
				sum.Found++
			}
			if r.IntN(50) == 0 {
				before, left := slices.Collect(texts(v)), v
				v = v.Clone()
				v.Apply(e)
				check(t, slices.Collect(texts(left)), before)
				left.Apply(e)
				check(t, slices.Collect(texts(v)), slices.Collect(texts(left)))
			} else {
				v.Apply(e)
			}
			consistent(t, v, limits)
		}
		got := v.Totals()
		if got.ForgottenObjects*got.ForgottenNamespaces*got.ForgottenGone*got.ForgottenFreed*got.Cleared == 0 {
			t.Errorf("seed %d: a limit was not reached: %+v", seed, got)
		}
		sum.ForgottenObjects, sum.ForgottenNamespaces = got.ForgottenObjects, got.ForgottenNamespaces
		sum.ForgottenGone, sum.ForgottenFreed, sum.Cleared = got.ForgottenGone, got.ForgottenFreed, got.Cleared
		check(t, got, sum)
	}
}

// texts are all that is known of what is there and of what is gone.
func texts(v *Inventory) iter.Seq[string] {
	return func(yield func(string) bool) {
		for e := range v.State() {
			yield(string(e.AppendJSON(nil)))
		}
		for _, n := range v.Namespaces() {
			for _, o := range n.Gone() {
				yield(fmt.Sprint(n.Namespace, string(o.state(&n.Namespace).AppendJSON(nil)), o.Number, o.Removed, o.Cause, len(o.Uses)))
			}
		}
		yield(fmt.Sprint(v.Totals()))
	}
}

// consistent checks that all ways to look at the inventory agree.
func consistent(t *testing.T, v *Inventory, l Limits) {
	t.Helper()
	var live, ended, objects, gone int
	standing := map[*Namespace]bool{}
	for n := range v.numbers.all() {
		standing[n] = true
	}
	for _, n := range v.Namespaces() {
		if v.Find(&n.Namespace) != n {
			t.Fatalf("namespace %s is not found", n)
		}
		if n.Ended() {
			ended++
			if n.Len() > 0 {
				t.Fatalf("namespace %s ended with %d objects in it", n, n.Len())
			}
		} else {
			live++
		}
		if standing[n] == n.Ended() {
			t.Fatalf("namespace %s: ended %v, under its number %v", n, n.Ended(), standing[n])
		}
		objects += checkObjects(t, n)
		gone += checkGone(t, n)
	}
	if len(v.namespaces) != live+ended || len(standing) != live || v.touched.len != live || v.freed.len != ended || v.objects.len != objects || v.gone.len != gone {
		t.Fatal("lists disagree")
	}
	if namespaces, things := v.Live(); namespaces != live || things != objects {
		t.Fatalf("%d namespaces and %d objects live, not %d and %d", namespaces, things, live, objects)
	}
	if live+ended > l.Namespaces || ended > l.Ended || objects > l.Objects || gone > l.Gone {
		t.Fatalf("beyond %+v: %d namespaces, %d ended, %d objects, %d gone", l, live+ended, ended, objects, gone)
	}
	addUp(t, v.Totals())
}

func (m numbers) all() iter.Seq[*Namespace] {
	return func(yield func(*Namespace) bool) {
		for _, n := range m {
			for ; n != nil; n = n.alike {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// checkObjects: each is the one that its id, its number or its name leads to.
func checkObjects(t *testing.T, n *Namespace) int {
	t.Helper()
	numbers, names := 0, 0
	for _, o := range n.Objects() {
		if o.home != n || o.inOrder.prev == nil || o.inTouched.prev == nil {
			t.Fatalf("namespace %s: object %+v is elsewhere", n, o)
		}
		if o.Kind != mq {
			if n.objects.find(o.id()) != o {
				t.Fatalf("namespace %s: object %v is not under its id", n, o.id())
			}
			continue
		}
		if o.Inode != nil {
			numbers++
			if n.queues.inodes[*o.Inode] != o {
				t.Fatalf("namespace %s: queue %q is not under its number %d", n, o.Name, *o.Inode)
			}
		}
		if o.Name != "" && !o.marked {
			names++
			if n.queues.names[o.Name] != o {
				t.Fatalf("namespace %s: queue %q is not under its name", n, o.Name)
			}
		}
	}
	if len(n.queues.inodes) != numbers || len(n.queues.names) != names {
		t.Fatalf("namespace %s: %d numbers and %d names, want %d and %d", n, len(n.queues.inodes), len(n.queues.names), numbers, names)
	}
	if queues := n.Len() - n.objects.len(); queues < numbers || queues < names {
		t.Fatalf("namespace %s: %d objects, %d by id", n, n.Len(), n.objects.len())
	}
	return n.Len()
}

func checkGone(t *testing.T, n *Namespace) int {
	t.Helper()
	gone := n.Gone()
	for _, o := range gone {
		if o.home != n || n.objects.find(o.id()) == o || o.Inode != nil && n.queues.inodes[*o.Inode] == o || n.queues.names[o.Name] == o {
			t.Fatalf("namespace %s: %+v is gone, and there", n, o)
		}
	}
	var sum uint64
	for _, count := range n.removed {
		sum += count
	}
	if sum != n.Removed || uint64(len(gone)) > n.Removed {
		t.Fatalf("namespace %s: %d removed, %d by cause, %d gone", n, n.Removed, sum, len(gone))
	}
	return len(gone)
}

// addUp holds the equation in the documentation.
func addUp(t *testing.T, s Totals) {
	t.Helper()
	kinds := s.Created + s.Opened + s.Got + s.Failed + s.Marked + s.Removed + s.ObjectsFound +
		s.Born + s.Joined + s.Freed + s.NamespacesFound
	if s.Events+s.Found != kinds {
		t.Fatalf("totals do not add up: %+v", s)
	}
}

// TestAgainstModel: what is made and removed in order, in namespaces that share
// inode numbers, is there in the end and nothing else.
func TestAgainstModel(t *testing.T) {
	type place struct {
		inode uint64
		gen   uint32
		name  string
	}
	for seed := range uint64(20) {
		r := newRandom(seed)
		v := New(Limits{})
		want := map[place]bool{}
		gens := map[uint64]uint32{1: 1, 2: 1, 3: 1}
		for i := range 500 {
			inode := 1 + r.Uint64N(3)
			p := place{inode, gens[inode], fmt.Sprint(r.IntN(8))}
			e := &event.Event{BootNS: int64(i), NS: &event.Namespace{Inode: inode, Gen: gens[inode]}}
			id := int32(p.name[0] - '0')
			e.Object = &event.Object{Kind: "sem", ID: &id}
			if id%2 == 0 {
				e.Object = &event.Object{Kind: mq, Name: "/" + p.name}
			}
			switch r.IntN(20) {
			case 0:
				e.Event, e.Object = event.NamespaceCreate, nil
				gens[inode]++
				e.NS.Gen++
				for other := range want {
					if other.inode == inode {
						delete(want, other)
					}
				}
			case 1, 2, 3, 4, 5, 6, 7, 8:
				e.Event = event.ObjectRemove
				delete(want, p)
			default:
				e.Event = event.ObjectCreate
				want[p] = true
			}
			v.Apply(e)
		}
		got := map[place]bool{}
		for _, n := range v.Namespaces() {
			for _, o := range n.Objects() {
				name := fmt.Sprint(o.ID)
				if o.Kind == mq {
					name = o.Name[1:]
				}
				got[place{n.Inode, n.Gen, name}] = true
			}
		}
		check(t, got, want)
	}
}

func (x *index) len() int { return len(x.msg) + len(x.shm) + len(x.sem) + len(x.others) }
