package main

import (
	"context"
	"math"
	"time"

	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/view/screen"
	"github.com/ipctrace/ipctrace/nsresolve"
)

const (
	// lookInterval is how far apart looks are. The syscall tier looks all the time,
	// because it is not told of all that ends; the other one after a loss.
	lookInterval = time.Second
	// lookShare keeps looking to a twentieth of the time on a large machine.
	lookShare = 20
	// disorder is how much earlier than an event one can be that comes after it:
	// the ring is in order of reservation, which two processors stamp each.
	disorder = 10 * time.Millisecond
	// settle is how long after a snapshot events are waited for that tell of what
	// is in it already: a system call ends a little after what it does.
	settle = 50 * time.Millisecond

	forever = time.Duration(math.MaxInt64)
)

// looks are the snapshots that a trace takes while it runs. All but the taking
// happens in the goroutine that follows the trace.
type looks struct {
	looker *snapshot.Looker
	always bool                         // look again and again; else only when asked
	ready  func(at time.Duration) error // called when events have been taken in up to a boot time

	pending *snapshot.Snapshot // taken, and not yet handed out
	taking  chan *snapshot.Snapshot
	cancel  context.CancelFunc
	extra   bool // it reads more than the later ones
	asked   bool
	lost    bool          // something was lost since the last one began
	next    time.Duration // boot time
}

func newLooks(r *nsresolve.Resolver) *looks {
	return &looks{looker: snapshot.NewLooker(r), extra: true}
}

// open takes the first one, which all that happens is told from.
func (l *looks) open(ctx context.Context) (err error) {
	l.pending, err = l.looker.Take(ctx, nil)
	return err
}

// idle says that all events up to a boot time have been taken in.
func (l *looks) idle(at time.Duration) error {
	if l.ready == nil {
		return nil
	}
	return l.ready(at)
}

// ask for a look soon: something is in doubt.
func (l *looks) ask() { l.asked = true }

// askAll asks for one at all that there is: something was lost, wherever.
func (l *looks) askAll() { l.asked, l.lost = true, true }

// due says whether one should begin.
func (l *looks) due(at time.Duration) bool {
	if l.pending != nil || l.taking != nil || at == forever || at < l.next {
		return false
	}
	return l.always || l.asked
}

// begin takes a snapshot, aside. Queued is as in [snapshot.Looker.Take].
func (l *looks) begin(queued map[uint64]bool) {
	if l.lost {
		l.looker.Thorough()
	}
	l.extra = l.lost && !l.extra // but where something is lost again and again, all do
	ctx, cancel := context.WithCancel(context.Background())
	l.taking, l.cancel, l.asked, l.lost = make(chan *snapshot.Snapshot, 1), cancel, false, false
	go func(result chan<- *snapshot.Snapshot) {
		defer screen.GiveBack()
		defer cancel()
		found, err := l.looker.Take(ctx, queued)
		if err != nil {
			found = nil
		}
		result <- found
	}(l.taking)
}

// taken is the snapshot whose time is up, nil where none is.
func (l *looks) taken(at time.Duration) *snapshot.Snapshot {
	if l.pending == nil && l.taking != nil {
		select {
		case l.pending = <-l.taking:
			l.taking = nil
			if l.pending == nil { // there is no /proc, or no right to it any more
				l.next, l.asked = at+lookInterval, true
			}
		default:
		}
	}
	if l.pending == nil || at != forever && at < l.pending.To+settle {
		return nil
	}
	found := l.pending
	l.pending = nil
	took := found.To - found.From
	if l.extra {
		took = l.looker.Again()
	}
	l.next = found.To + max(lookInterval, lookShare*took)
	return found
}

// restart takes a first one again: what was under way is of no use.
func (l *looks) restart() {
	l.stop()
	l.pending, l.taking = nil, nil
	l.looker.Thorough()
	l.begin(nil)
	l.extra = true
}

// stop ends a look that is being taken.
func (l *looks) stop() {
	if l.taking != nil {
		l.cancel()
		<-l.taking
	}
}
