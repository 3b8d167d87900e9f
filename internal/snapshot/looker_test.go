package snapshot

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/sysvipc"
)

// world is what a Looker would see. In it to list the queues of a namespace takes a
// millisecond, and all else as long as it says.
type world struct {
	*Looker
	namespaces []*Namespace
	rest       time.Duration
}

// newWorld has namespaces with the inode numbers 1 to n, which were seen before.
func newWorld(n int, rest time.Duration) *world {
	w := &world{Looker: NewLooker(nil), rest: rest}
	for inode := range n {
		w.add(uint64(inode+1), 1)
	}
	w.look()
	return w
}

func (w *world) add(inode, id uint64) *Namespace {
	n := &Namespace{}
	n.Inode, n.ID = inode, id
	w.namespaces = append(w.namespaces, n)
	return n
}

// look is what Take does. It says of which namespaces the queues were listed.
func (w *world) look(queued ...uint64) (listed []uint64) {
	r := round{Looker: w.Looker, queued: map[uint64]bool{}}
	for _, inode := range queued {
		r.queued[inode] = true
	}
	found := &Snapshot{To: w.rest}
	for _, n := range w.namespaces {
		n.MQ, n.MQTook = sysvipc.ErrNotAsked, 0
		if r.wanted(n).Queues {
			listed = append(listed, n.Inode)
			n.MQ, n.MQTook = nil, time.Millisecond
			found.To += n.MQTook
		}
		found.Namespaces = append(found.Namespaces, *n)
	}
	r.end(found)
	return listed
}

// others are the numbers from first on that have their turn in a look of a world in
// which all else takes no time.
func others(first uint64) []uint64 {
	inodes := make([]uint64, turns)
	for i := range inodes {
		inodes[i] = first + uint64(i)
	}
	return inodes
}

func check(t *testing.T, what string, got, want []uint64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestFew: where there are few namespaces, all queues are in all snapshots.
func TestFew(t *testing.T) {
	w := newWorld(turns, 0)
	for range 3 {
		check(t, "all", w.look(), others(1))
	}
}

// TestTurns: of many, each has its turn before one has it twice; and the more time
// all else takes, the more have theirs.
func TestTurns(t *testing.T) {
	for _, tc := range []struct {
		rest  time.Duration
		least int
	}{{0, turns}, {100 * time.Millisecond, turns}, {200 * time.Millisecond, 200}, {time.Hour, 1000}} {
		w := newWorld(1000, tc.rest)
		if again := w.Again(); again != 2*tc.rest {
			t.Errorf("all else takes %v: %v for another look", tc.rest, again)
		}
		var all []uint64
		for len(all) < 1000 {
			listed := w.look()
			if len(listed) != min(tc.least, 1000-len(all)) {
				t.Fatalf("all else takes %v: after %d, %d at once", tc.rest, len(all), len(listed))
			}
			all = append(all, listed...)
		}
		if slices.Sort(all); len(slices.Compact(all)) != 1000 {
			t.Errorf("all else takes %v: some had two turns", tc.rest)
		}
		check(t, "from the start again", w.look()[:turns], others(1))
	}
}

// TestOutOfTurn: who has queues, or may have, does not wait.
func TestOutOfTurn(t *testing.T) {
	const at, id = 900, 2
	with := sysvipc.Object{Kind: "mq"}
	for name, tc := range map[string]struct {
		change func(*world)
		queued []uint64
		times  int // in that many looks, of four
	}{
		"nothing new":    {func(*world) {}, nil, 0},
		"known to have":  {func(*world) {}, []uint64{at}, 4},
		"another one":    {func(w *world) { w.namespaces[at-1].ID = id }, nil, 1},
		"has no message": {func(w *world) { w.namespaces[at-1].Objects = []sysvipc.Object{{Kind: "msg"}} }, nil, 0},
		"one more with some": {func(w *world) {
			w.namespaces[at-1].ID, w.namespaces[at-1].Objects = id, []sysvipc.Object{with}
		}, nil, 4},
		"could not be looked into": {func(w *world) { w.namespaces[at-1].ID, w.namespaces[at-1].Err = id, errors.New("no") }, nil, 4},
		"after a loss":             {func(w *world) { w.Thorough() }, nil, 1},
	} {
		w := newWorld(1000, 0)
		tc.change(w)
		times := 0
		for range 4 {
			if slices.Contains(w.look(tc.queued...), at) {
				times++
			}
		}
		if times != tc.times {
			t.Errorf("%s: listed %d times, want %d", name, times, tc.times)
		}
	}
}

// TestConfirmed: where queues are no more, that is shown twice.
func TestConfirmed(t *testing.T) {
	w := newWorld(1000, 0)
	n := w.add(2000, 1)
	n.Objects = []sysvipc.Object{{Kind: "mq"}}
	w.look()
	n.Objects = nil
	for i, want := range []bool{true, true, false, false} {
		if listed := slices.Contains(w.look(), 2000); listed != want {
			t.Errorf("look %d: listed %v", i+1, listed)
		}
	}
}
