package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// world makes events as a kernel would: ids and inode numbers are one object's at a time,
// and some of what happens is not told.
type world struct {
	*rand.Rand
	second int64
	serial int32
	there  []*event.Event // creations of what is there
}

func (w *world) event(typ event.Type, ns *event.Namespace, o *event.Object) *event.Event {
	w.second++
	return &event.Event{Event: typ, Time: time.Unix(w.second, 0), BootNS: w.second * 1e9, NS: ns, Object: o}
}

func (w *world) create() *event.Event {
	ns := &event.Namespace{Inode: 1 + w.Uint64N(6), Gen: 1}
	o := &event.Object{Kind: []string{"msg", "shm", "sem", kindMQ}[w.IntN(4)], UID: new(uint32), GID: new(uint32)}
	w.serial++
	if o.Kind == kindMQ {
		o.Name, o.Inode = fmt.Sprint("/", w.IntN(40)), new(uint64(w.serial))
		w.there = slices.DeleteFunc(w.there, func(e *event.Event) bool { return e.Object.Name == o.Name && *e.NS == *ns })
	} else {
		o.ID, o.Key = new(w.serial%60), event.Key(1+w.serial%100)
		w.there = slices.DeleteFunc(w.there, func(e *event.Event) bool {
			return e.Object.Kind == o.Kind && *e.Object.ID == *o.ID && *e.NS == *ns
		})
	}
	e := w.event(event.ObjectCreate, ns, o)
	w.there = append(w.there, e)
	return e
}

// next is the next event that is told.
func (w *world) next() *event.Event {
	for {
		if len(w.there) == 0 || w.IntN(3) == 0 {
			if e := w.create(); w.IntN(6) > 0 {
				return e
			}
			continue
		}
		i := w.IntN(len(w.there))
		made := w.there[i]
		switch w.IntN(8) {
		case 0:
			w.there = slices.Delete(w.there, i, i+1)
			e := w.event(event.ObjectRemove, made.NS, made.Object)
			if e.Cause = event.CauseRMID; made.Object.Kind == kindMQ {
				e.Cause = event.CauseUnlink
			}
			return e
		case 1:
			return w.event(event.ObjectFound, made.NS, made.Object)
		case 2:
			if w.IntN(10) == 0 {
				w.there = slices.DeleteFunc(w.there, func(e *event.Event) bool { return *e.NS == *made.NS })
				return w.event(event.NamespaceFree, made.NS, nil)
			}
		default:
			return w.event(event.ObjectOpen, made.NS, made.Object)
		}
	}
}

// TestInventory: the page and the inventory, which the other views are of, agree on what
// is there after each event.
func TestInventory(t *testing.T) {
	for seed := range uint64(8) {
		w := &world{Rand: rand.New(rand.NewPCG(seed, 1))}
		trace, known := New(Limits{}).Begin(event.Start{Tier: "fentry"}, false, time.Unix(0, 0)), inventory.New(inventory.Limits{})
		for range 300 {
			e := w.next()
			trace.Add(e)
			known.Apply(e)
			var want, got []string
			for _, n := range known.Namespaces() {
				for _, o := range n.Objects() {
					want = append(want, fmt.Sprint(n.Inode, o.Kind, o.ID, o.Name, o.Key, o.Existing))
				}
			}
			for _, o := range trace.lives {
				id := int32(0)
				if o.object.ID != nil {
					id = *o.object.ID
				}
				if !o.gone {
					got = append(got, fmt.Sprint(o.lane.ns.Inode, o.object.Kind, id, o.object.Name, o.object.Key, o.before))
				}
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, after %s of %+v: %s", seed, e.Event, e.Object, diff)
			}
		}
	}
}
