package inventory

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
)

// told is what an inventory tells at a second of the boot clock, as it stands in a log.
func told(v *Inventory, second int) (lines []string) {
	for e := range v.State() {
		e.V, e.Time, e.BootNS = event.Version, at(second), int64(second)
		lines = append(lines, string(e.AppendJSON(nil)))
	}
	return lines
}

// restored is an inventory that knows the rest from lines.
func restored(t *testing.T, v *Inventory, lines []string) *Inventory {
	t.Helper()
	for _, line := range lines {
		e, err := event.Parse([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		v.Apply(e)
	}
	return v
}

// TestStateRestores: an inventory made from what another one tells, tells the same.
func TestStateRestores(t *testing.T) {
	for seed := range uint64(30) {
		r := newRandom(seed)
		v := New(Limits{})
		for range 100 {
			v.Apply(r.event())
		}
		lines := told(v, int(r.boot))
		w := restored(t, New(Limits{}), lines)
		consistent(t, w, Limits{}.orDefault())
		if diff := cmp.Diff(lines, told(w, int(r.boot))); diff != "" {
			t.Fatalf("seed %d: -told +told again:\n%s", seed, diff)
		}
		namespaces, objects := v.Live()
		check(t, Totals{
			Found: uint64(objects + namespaces), ObjectsFound: uint64(objects), NamespacesFound: uint64(namespaces),
		}, w.Totals())
	}
}

// TestStateTellsContainers: those of makers, and of nobody else.
func TestStateTellsContainers(t *testing.T) {
	in := func(e *event.Event) { e.Container = &event.Container{ID: "c0ffee"} }
	born := ofNamespace(1, event.NamespaceCreate, 0)
	in(born)
	v := applied(Limits{}, born, life(2, event.ObjectCreate, "shm", 1, in), life(3, event.ObjectGet, "shm", 2, in))
	var containers []string
	for e := range restored(t, New(Limits{}), told(v, 5)).State() {
		if e.Container != nil {
			containers = append(containers, string(e.Event)+" "+e.Container.ID)
		}
	}
	check(t, containers, []string{"namespace.state c0ffee", "object.state c0ffee"})
}

// TestStateOfTheKnown: to be told what is known already changes nothing.
func TestStateOfTheKnown(t *testing.T) {
	r := newRandom(1)
	v := New(Limits{})
	for range 300 {
		v.Apply(r.event())
	}
	before, totals := told(v, 0), v.Totals()
	restored(t, v, before)
	if diff := cmp.Diff(before, told(v, 0)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	check(t, totals, v.Totals())
}

// TestLivesGoOn: what comes after is taken by the restored one as by the first.
func TestLivesGoOn(t *testing.T) {
	const (
		create, open, found = event.ObjectCreate, event.ObjectOpen, event.ObjectFound
		get, mark, remove   = event.ObjectGet, event.ObjectMark, event.ObjectRemove
	)
	befores := map[string][]*event.Event{
		"created":       {life(1, create, "shm", 1)},
		"opened":        {life(1, open, "shm", 1)},
		"got":           {life(1, get, "shm", 1)},
		"found":         {life(1, found, "shm", 1)},
		"marked":        {life(1, create, "shm", 1), life(2, mark, "shm", 1)},
		"marked unseen": {life(1, mark, "shm", 1)},
		"doomed":        {life(1, found, "shm", 1, destined)},
	}
	afters := map[string]*event.Event{
		"removed":          life(9, remove, "shm", 1, cause("rmid")),
		"marked":           life(9, mark, "shm", 1),
		"used":             life(9, open, "shm", 1),
		"used for another": life(9, open, "shm", 1, key(6)),
		"created":          life(9, create, "shm", 1),
		"found":            life(9, found, "shm", 1),
		"found as another": life(9, found, "shm", 1, key(6)),
		"found doomed":     life(9, found, "shm", 1, destined),
		"freed":            ofNamespace(9, event.NamespaceFree, 0),
	}
	for before, events := range befores {
		for after, e := range afters {
			t.Run(before+" then "+after, func(t *testing.T) {
				v := applied(Limits{}, events...)
				w := restored(t, New(Limits{}), told(v, 5))
				v.Apply(e)
				w.Apply(e)
				check(t, states(w), states(v))
			})
		}
	}
}

// TestStateOfTooMany: what was forgotten is said to be.
func TestStateOfTooMany(t *testing.T) {
	v := New(Limits{Objects: 2})
	for id := range int32(5) {
		v.Apply(life(1, event.ObjectCreate, "msg", id))
	}
	for e := range v.State() {
		check(t, &event.Extent{Namespaces: 1, Objects: 2, Forgotten: 3}, e.State)
		break
	}
}

// TestStatesDisagree: a log may come from anywhere, also one that tells of two queues
// where there can be one.
func TestStatesDisagree(t *testing.T) {
	w := New(Limits{})
	for _, inode := range []uint64{0, 3, 4} {
		restored(t, w, told(applied(Limits{}, life(1, event.ObjectCreate, mq, 0, queue("/a", inode))), 5))
		consistent(t, w, Limits{}.orDefault())
	}
}

// TestStateTellsMore: who told it may have seen more of an object than the events did.
func TestStateTellsMore(t *testing.T) {
	opened := life(1, event.ObjectOpen, "shm", 1)
	v, w := applied(Limits{}, opened), applied(Limits{}, opened)
	w.Refresh(life(2, event.ObjectFound, "shm", 1))
	check(t, []string{"shm 1 existing unknown"}, states(v))
	totals := v.Totals()
	restored(t, v, told(w, 5))
	check(t, states(w), states(v))
	check(t, totals, v.Totals())
}

// TestStateNoted: what nobody asked for is known, and counts as nothing.
func TestStateNoted(t *testing.T) {
	v := New(Limits{})
	for e := range applied(Limits{}, life(1, event.ObjectCreate, "shm", 1)).State() {
		v.Note(e)
	}
	check(t, []string{"shm 1 by p1"}, states(v))
	check(t, Totals{}, v.Totals())
}

// TestStateForgot: what was forgotten before is, only where nothing else is known.
func TestStateForgot(t *testing.T) {
	state := &event.Event{Event: event.TraceState, State: &event.Extent{Forgotten: 3}}
	check(t, uint64(3), applied(Limits{}, state).Totals().ForgottenObjects)
	check(t, uint64(0), applied(Limits{}, life(1, event.ObjectCreate, "shm", 1), state).Totals().ForgottenObjects)
}

// TestRenew: nothing is left, but the account of what was forgotten.
func TestRenew(t *testing.T) {
	v := New(Limits{Objects: 1})
	for id := range int32(3) {
		v.Apply(life(1, event.ObjectCreate, "shm", id))
	}
	before := v.Totals().ForgottenObjects
	next := v.Renew()
	if after := next.Totals().ForgottenObjects; before == 0 || after != before {
		t.Errorf("%d forgotten, then %d", before, after)
	}
	next.Apply(life(1, event.ObjectCreate, "shm", 1))
	next.Apply(life(1, event.ObjectCreate, "shm", 2))
	if n := next.Totals().ForgottenObjects; n != before+1 {
		t.Errorf("%d forgotten, want %d", n, before+1)
	}
}
