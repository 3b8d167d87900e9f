package screen

import (
	"math"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// beats is how many seconds a pulse goes back.
const beats = 60

// pulse is how many events there were in each of the last seconds, by their own times.
type pulse struct {
	latest int64 // second, of the Unix epoch
	counts [beats]uint32
}

func (p *pulse) beat(second int64) {
	switch passed := second - p.latest; {
	case passed >= beats || passed <= -beats: // the clock was set, or there was nothing for long
		*p = pulse{latest: second}
	case passed > 0:
		for s := p.latest + 1; s <= second; s++ {
			*p.of(s) = 0
		}
		p.latest = second
	}
	*p.of(second)++
}

// of is the place of a second; a log may have any.
func (p *pulse) of(second int64) *uint32 { return &p.counts[(second%beats+beats)%beats] }

// at is how many there were in a second.
func (p *pulse) at(second int64) uint32 {
	if second > p.latest || second <= p.latest-beats {
		return 0
	}
	return *p.of(second)
}

// rate is events a second, of the last second that is over.
func (p *pulse) rate(now time.Time) float64 { return float64(p.at(now.Unix() - 1)) }

// sparks are the levels of a graph: each is about six times the one below, so that one
// event and a hundred thousand are both seen.
var sparks = []rune(" ▁▂▃▄▅▆▇█")

// graph is a column a second; the one that is going on is at the right.
func (p *pulse) graph(now time.Time, columns int) string {
	text := make([]rune, columns)
	for i := range text {
		text[i] = sparks[level(p.at(now.Unix()-int64(columns-1-i)))]
	}
	return string(text)
}

// level is 0 for nothing, 8 for half a million.
func level(count uint32) int {
	if count == 0 {
		return 0
	}
	const most = 500_000
	return 1 + int(min(1, math.Log(float64(count))/math.Log(most))*float64(len(sparks)-2)+0.5)
}

// pulses are those of namespaces, and of all together.
type pulses struct {
	of   map[identity]*pulse
	all  pulse
	last identity // the namespace of the last event, and its pulse
	its  *pulse
}

// mostPulses is how many are kept of namespaces where nothing has happened for long.
const mostPulses = 4096

func (p *pulses) beat(e *event.Event) {
	second := e.Time.Unix()
	p.all.beat(second)
	if e.NS == nil {
		return
	}
	if id := (identity{e.NS.Inode, e.NS.Gen, e.NS.ID}); p.its == nil || id != p.last {
		if p.its = p.of[id]; p.its == nil {
			p.its = p.begin(id)
		}
		p.last = id
	}
	p.its.beat(second)
}

func (p *pulses) begin(id identity) *pulse {
	if p.of == nil {
		p.of = make(map[identity]*pulse)
	}
	if len(p.of) >= mostPulses {
		for other, of := range p.of {
			if of.latest <= p.all.latest-beats {
				delete(p.of, other)
			}
		}
	}
	p.of[id] = new(pulse)
	return p.of[id]
}
