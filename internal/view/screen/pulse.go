package screen

import (
	"math"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// beats is how many seconds a pulse goes back.
const beats = 60

// pulses are the events of each second of late, by namespace and in all.
type pulses struct {
	second time.Time // that is going on; zero: none has
	of     map[identity]*pulse
	all    pulse
}

// pulse is how many events there were in each of the last seconds; the last one is the
// latest.
type pulse struct {
	total  uint64
	counts [beats]float64
}

// identity tells namespaces apart.
type identity struct {
	inode uint64
	gen   uint32
	id    uint64
}

func identityOf(n *inventory.Namespace) identity { return identity{n.Inode, n.Gen, n.ID} }

// take looks how many events there are by now, once a second. A clock that goes back
// begins anew: another part of a log is played.
func (p *pulses) take(v *inventory.Inventory, now time.Time) {
	passed := now.Sub(p.second)
	switch {
	case p.second.IsZero() || passed < 0:
		p.begin(v, now)
		return
	case passed < time.Second:
		return
	}
	seconds := int(passed / time.Second)
	p.second = p.second.Add(time.Duration(seconds) * time.Second)
	p.all.beat(v.Totals().Events+v.Totals().Found, seconds)
	for _, n := range v.Namespaces() {
		of, total := p.of[identityOf(n)], events(n)
		if of == nil {
			if total == 0 {
				continue
			}
			of = new(pulse)
			p.of[identityOf(n)] = of
		}
		of.beat(total, seconds)
	}
	p.forget(v)
}

// begin counts from what is there.
func (p *pulses) begin(v *inventory.Inventory, now time.Time) {
	*p = pulses{second: now, of: make(map[identity]*pulse), all: pulse{total: v.Totals().Events + v.Totals().Found}}
	for _, n := range v.Namespaces() {
		if total := events(n); total > 0 {
			p.of[identityOf(n)] = &pulse{total: total}
		}
	}
}

// forget forgets namespaces that the inventory has forgotten.
func (p *pulses) forget(v *inventory.Inventory) {
	namespaces, _ := v.Live()
	if len(p.of) <= 2*namespaces+1024 {
		return
	}
	known := make(map[identity]*pulse, namespaces)
	for _, n := range v.Namespaces() {
		if of := p.of[identityOf(n)]; of != nil {
			known[identityOf(n)] = of
		}
	}
	p.of = known
}

// events that happened in a namespace.
func events(n *inventory.Namespace) uint64 {
	return n.Created + n.Opened + n.Got + n.Failed + n.Marked + n.Joined + n.Removed
}

func (p *pulse) beat(total uint64, seconds int) {
	each := float64(total-min(total, p.total)) / float64(seconds)
	p.total = total
	seconds = min(seconds, beats)
	copy(p.counts[:], p.counts[seconds:])
	for i := beats - seconds; i < beats; i++ {
		p.counts[i] = each
	}
}

// rate is events a second, of the last second that is over.
func (p *pulse) rate() float64 {
	if p == nil {
		return 0
	}
	return p.counts[beats-1]
}

// sparks are the levels of a graph: each is about six times the one below, so
// that one event and a hundred thousand are both seen.
var sparks = []rune(" ▁▂▃▄▅▆▇█")

// graph is a column a second, the latest at the right.
func (p *pulse) graph(columns int) string {
	text := make([]rune, columns)
	for i := range text {
		text[i] = sparks[0]
		if back := columns - i; p != nil && back <= beats {
			text[i] = sparks[level(p.counts[beats-back])]
		}
	}
	return string(text)
}

// level is 0 for nothing, 8 for half a million a second.
func level(rate float64) int {
	if rate <= 0 {
		return 0
	}
	const most = 500_000
	return 1 + int(min(1, math.Log(max(1, rate))/math.Log(most))*float64(len(sparks)-2)+0.5)
}
