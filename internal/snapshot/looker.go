package snapshot

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// Looker takes one snapshot after the other. Queues are in each of them where there
// are some, and where a namespace is new. Of all others, which are most, they are
// listed by turns: that takes many times as long as to see that there is nothing
// else. A Looker is for one goroutine at a time.
type Looker struct {
	resolver *nsresolve.Resolver
	owed     map[identity]int // lists of queues, by namespace seen in the last snapshot
	turn     uint64           // inode number of the last namespace whose turn it was
	rest     time.Duration    // how long the last snapshot took but for the turns
}

// identity tells namespaces apart; on a kernel without ids not those that had an
// inode number one after the other.
type identity struct{ inode, id uint64 }

const (
	// turns is how many have theirs in each snapshot, at least. More of them have
	// until it takes as long as all else.
	turns = 128
	// confirmations is how often queues are listed again after there were some: who
	// compares snapshots believes only what two in a row show.
	confirmations = 2
)

// NewLooker returns one that has not looked yet. Its first snapshot has all queues.
func NewLooker(r *nsresolve.Resolver) *Looker { return &Looker{resolver: r} }

// Thorough has the next snapshot list all queues.
func (l *Looker) Thorough() { l.owed = nil }

// Again is about how long the next snapshot is going to take if all is as it was.
func (l *Looker) Again() time.Duration { return 2 * l.rest }

// Take takes a snapshot. Queued are the inode numbers of namespaces that are known to
// have queues.
func (l *Looker) Take(ctx context.Context, queued map[uint64]bool) (*Snapshot, error) {
	r := round{Looker: l, queued: queued}
	found, err := take(ctx, l.resolver, r.wanted)
	if err != nil {
		return nil, err
	}
	r.end(found)
	return found, nil
}

// round is one snapshot of a Looker.
type round struct {
	*Looker
	queued  map[uint64]bool
	granted []*Namespace // whose turn it was
	spent   time.Duration
	over    bool // it is the turn of others next time
}

// wanted says what is to be read of a namespace. They come by inode number.
func (r *round) wanted(n *Namespace) sysvipc.What {
	owed, known := r.owed[identity{n.Inode, n.ID}]
	return sysvipc.What{Queues: !known || owed > 0 || r.queued[n.Inode] || r.grant(n)}
}

// grant says whether it is a namespace's turn.
func (r *round) grant(n *Namespace) bool {
	if n.Inode <= r.turn || r.over {
		return false
	}
	if i := len(r.granted) - 1; i >= 0 {
		r.spent += r.granted[i].MQTook
	}
	if r.over = len(r.granted) >= turns && r.spent >= r.rest; r.over {
		return false
	}
	r.granted = append(r.granted, n)
	return true
}

// end takes in what the snapshot showed.
func (r *round) end(found *Snapshot) {
	last := r.owed
	r.owed = make(map[identity]int, len(found.Namespaces))
	r.rest = found.To - found.From
	for i := range found.Namespaces {
		n := &found.Namespaces[i]
		id := identity{n.Inode, n.ID}
		owed, known := last[id]
		if n.Err == nil {
			r.owed[id] = n.owed(owed)
		}
		if !known || owed == 0 && !r.queued[n.Inode] {
			r.rest -= n.MQTook
		}
	}
	r.turn = 0
	if r.over {
		r.turn = r.granted[len(r.granted)-1].Inode
	}
}

// owed is how often the queues of a namespace are to be listed again.
func (n *Namespace) owed(before int) int {
	switch {
	case slices.ContainsFunc(n.Objects, func(o sysvipc.Object) bool { return o.Kind == queue }):
		return confirmations
	case errors.Is(n.MQ, sysvipc.ErrNotAsked):
		return before
	}
	return max(0, before-1)
}

var queue = tracer.MQ.String()
