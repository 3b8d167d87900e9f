package metrics

import (
	"sync"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// places are the namespaces that have series of their own. One that has keeps them
// until it ends: a series that comes and goes is of no use to anyone. Then they are
// gone, and its place is another's: that of one with objects, where there is one.
type places struct {
	most int

	mu     sync.Mutex
	chosen map[identity]bool
}

// identity as in the inventory.
type identity struct {
	inode, id uint64
	gen       uint32
}

func identityOf(n *event.Namespace) identity { return identity{n.Inode, n.ID, n.Gen} }

func newPlaces(most int) *places { return &places{most: most, chosen: map[identity]bool{}} }

// sight is what one look showed.
type sight struct {
	namespaces, rest int
	places           []*place // the last one is the others', if there are any
	totals           inventory.Totals
}

// look counts what is there.
func (p *places) look(v *inventory.Inventory, last *Survey) sight {
	p.mu.Lock()
	defer p.mu.Unlock()
	live := living(v)
	p.choose(live)
	s := sight{namespaces: len(live), totals: v.Totals()}
	rest := &place{name: other}
	for _, n := range live {
		if !p.chosen[identityOf(&n.Namespace)] {
			rest.add(n, last.limitsOf(n))
			s.rest++
			continue
		}
		own := &place{name: n.String(), label: n.Label, initial: n.Initial}
		own.add(n, last.limitsOf(n))
		s.places = append(s.places, own)
	}
	if s.rest > 0 {
		s.places = append(s.places, rest)
	}
	return s
}

// living are the namespaces that have not ended, the initial one first.
func living(v *inventory.Inventory) []*inventory.Namespace {
	all := v.Namespaces()
	live := all[:0]
	for _, n := range all {
		if !n.Ended() {
			live = append(live, n)
		}
	}
	return live
}

// choose gives the places of those that ended to others.
func (p *places) choose(live []*inventory.Namespace) {
	kept := make(map[identity]bool, p.most)
	for _, n := range live {
		if id := identityOf(&n.Namespace); p.chosen[id] {
			kept[id] = true
		}
	}
	for _, wanted := range []func(n *inventory.Namespace) bool{
		func(n *inventory.Namespace) bool { return n.Initial },
		func(n *inventory.Namespace) bool { return n.Len() > 0 },
		func(*inventory.Namespace) bool { return true },
	} {
		for _, n := range live {
			if len(kept) >= p.most {
				break
			}
			if wanted(n) {
				kept[identityOf(&n.Namespace)] = true
			}
		}
	}
	p.chosen = kept
}
