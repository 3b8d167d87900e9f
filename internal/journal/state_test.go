package journal_test

import (
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
)

// there is a state of n lines besides the first, and how many were asked for.
func there(n int, asked *int) iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		more := yield(&event.Event{Event: event.TraceState, State: &event.Extent{Objects: n}})
		for i := 0; i < n && more; i++ {
			*asked++
			e := create(i)
			more = yield(&event.Event{Event: event.ObjectState, NS: e.NS, Object: e.Object, History: &event.History{First: event.ObjectCreate}})
		}
	}
}

// parts are the files of a log, the oldest first.
func parts(t *testing.T, cfg journal.Config) []string {
	t.Helper()
	old, err := filepath.Glob(cfg.File + ".*")
	if err != nil {
		t.Fatal(err)
	}
	return append(old, cfg.File)
}

// TestState: each part but the first begins with what is there, and is sealed.
func TestState(t *testing.T) {
	const objects = 2500
	cfg := config(t)
	cfg.RotateSize = 2 << 20
	j := begin(t, cfg)
	asked := 0
	for i, e := range slices.Concat([]*event.Event{start()}, slices.Collect(creations(10_000)), []*event.Event{stop(10_000)}) {
		if j.Stateless() {
			if err := j.Tell(there(objects, &asked)); err != nil {
				t.Fatal(err)
			}
			if j.Stateless() {
				t.Fatalf("told, and stateless, at event %d", i)
			}
		}
		write(t, j, e)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files := parts(t, cfg)
	if r := whole(t, files...); r.Events != 10_000 || len(files) < 3 {
		t.Errorf("%d files, %+v", len(files), r)
	}
	for i, file := range files {
		all := events(t, file)
		states := count(all, event.ObjectState)
		if i == 0 {
			if states != 0 || count(all, event.TraceState) != 0 {
				t.Errorf("%s: %d states", file, states)
			}
			continue
		}
		if states != objects || all[1].State == nil || !all[1].Time.Equal(all[0].Time) || all[1].BootNS != all[0].BootNS {
			t.Errorf("%s: %d states, %+v, %+v", file, states, all[0], all[1])
		}
		if last := slices.IndexFunc(all, func(e *event.Event) bool { return e.Event == event.ObjectCreate }); last >= 0 && last < objects {
			t.Errorf("%s: an event in line %d", file, last+1)
		}
	}
}

// creations are of objects 1 to n.
func creations(n int) iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		for i := 1; i <= n && yield(create(i)); i++ {
		}
	}
}

// TestStateLargerThanPart: a part that is told more than it may hold takes in as
// much of what happens, too.
func TestStateLargerThanPart(t *testing.T) {
	cfg := config(t)
	cfg.RotateSize = 100 << 10
	j := begin(t, cfg)
	asked := 0
	write(t, j, start())
	for e := range creations(10_000) {
		if j.Stateless() {
			if err := j.Tell(there(2000, &asked)); err != nil {
				t.Fatal(err)
			}
		}
		write(t, j, e)
	}
	write(t, j, stop(10_000))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if asked < 2000 || asked > 20_000 {
		t.Errorf("%d states for 10,000 events", asked)
	}
	whole(t, parts(t, cfg)...)
}

// TestStateWithoutRoom: where the disk takes nothing, the part has as much of the
// state as there was room for, and nothing waits for the rest.
func TestStateWithoutRoom(t *testing.T) {
	const room = 1 << 20
	dir := disk(t, room)
	cfg := config(t)
	cfg.File = filepath.Join(dir, "log")
	cfg.RotateSize, cfg.Queue, cfg.Warn = 64<<10, 128<<10, func(string) {}
	j := begin(t, cfg)
	write(t, j, start())
	ballast := filepath.Join(dir, "ballast")
	for e := range creations(300) { // beyond a rotation
		write(t, j, e)
	}
	await(t, j.Stateless)
	if err := os.WriteFile(ballast, make([]byte, room), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	asked := 0
	must(t, j.Tell(there(5000, &asked)))
	if j.Stateless() || asked == 5000 {
		t.Errorf("%d told on a full disk", asked)
	}
	must(t, os.Remove(ballast))
	write(t, j, stop(300))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	files := parts(t, cfg)
	if r := whole(t, files...); r.Events+r.Lost.Output != 300 || !r.Ended {
		t.Errorf("%+v", r)
	}
	all := events(t, files...)
	if n := count(all, event.ObjectState); n == 0 || n >= 5000 || count(all, event.TraceState) != 1 {
		t.Errorf("%d states", n)
	}
}
