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

// TestRandom: whatever happened, the page has a line for each object that is there, its
// events lead to the line of their object, and what has none is counted.
func TestRandom(t *testing.T) {
	omitted := 0
	for seed := range uint64(20) {
		w := &world{Rand: rand.New(rand.NewPCG(seed, 1))}
		limits := Limits{Objects: 200 + 200*w.IntN(2)}
		log, known := New(limits), inventory.New(inventory.Limits{})
		trace := log.Begin(event.Start{Tier: "fentry"}, false, time.Unix(0, 0))
		for range 1000 {
			e := w.next()
			trace.Add(e)
			known.Apply(e)
		}
		trace.End(time.Unix(0, 0), time.Unix(w.second, 0), 0)
		render(t, log)
		drawn(t, log)
		checkThere(t, trace, known)
		checkEvents(t, trace)
		checkCounts(t, trace, known.Totals())
		omitted += trace.omitted
	}
	if omitted == 0 {
		t.Error("there were never too many objects")
	}
}

func checkThere(t *testing.T, trace *Trace, known *inventory.Inventory) {
	t.Helper()
	text := func(o *inventory.Object) string {
		return fmt.Sprint(o.Namespace().Inode, o.Kind, o.ID, o.Name, o.Key, o.Existing)
	}
	var want, got []string
	for _, n := range known.Namespaces() {
		for _, o := range n.Objects() {
			want = append(want, text(o))
		}
	}
	for _, o := range trace.lives {
		if !o.gone {
			got = append(got, text(o.Object))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func checkEvents(t *testing.T, trace *Trace) {
	t.Helper()
	kept, _ := trace.kept.all()
	for _, r := range kept {
		i := trace.line(r.number)
		if i < 0 {
			if r.object != nil && trace.omitted == 0 {
				t.Errorf("%s of %s leads nowhere", r.typ, keyText(r.object))
			}
			continue
		}
		o := trace.lives[i]
		if o.lane != r.lane || o.Kind != r.object.Kind || o.id() != idText(r.object) || o.Name != r.object.Name || r.at < o.born || o.gone && r.at > o.end {
			t.Errorf("%s of %s at %v leads to %+v", r.typ, keyText(r.object), r.at, o)
		}
	}
}

func checkCounts(t *testing.T, trace *Trace, totals inventory.Totals) {
	t.Helper()
	lines, omitted := 0, 0
	var removed uint64
	for _, l := range trace.order {
		lines, omitted, removed = lines+len(l.lives), omitted+l.objects()-len(l.lives), removed+l.removed
	}
	if lines != len(trace.lives) || omitted != trace.omitted || lines+omitted != trace.objects || lines > trace.limits.Objects {
		t.Errorf("%d objects, %d have lines and %d have none; by namespace %d and %d", trace.objects, len(trace.lives), trace.omitted, lines, omitted)
	}
	if removed != totals.Removed || trace.events != totals.Events || trace.objects < int(totals.Created) {
		t.Errorf("%d removed of %d objects, %d events; want %+v", removed, trace.objects, trace.events, totals)
	}
}
