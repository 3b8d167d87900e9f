package metrics

import (
	"sync"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/prometheus/client_golang/prometheus"
)

// what is counted apart.
type what struct {
	event event.Type
	kind  string // "" of what is about no object
	errno string // "" of what did not fail
}

// maxWhats bounds them: there are as many as types by kinds, and errors by kinds.
const maxWhats = 1024

// events counts them. Not a CounterVec: to look one up by three words takes longer
// than all else that is done with an event here.
type events struct {
	mu     sync.Mutex
	counts map[what]uint64
}

var eventsTotal = desc("events_total", "Events told, by what happened, to what kind of object, and with which error.", "event", "kind", "errno")

func (v *events) count(e *event.Event) {
	s := what{event: e.Event, errno: e.Errno}
	if e.Object != nil {
		s.kind = e.Object.Kind
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.counts[s]; !known && len(v.counts) >= maxWhats {
		s.errno = other
	}
	v.counts[s]++
}

// newEvents has 0 of what will be asked for: how much a counter grew cannot be told
// where it was not there before.
func newEvents() *events {
	counts := make(map[what]uint64)
	for _, t := range event.Types {
		switch {
		case t.IsNamespace():
			counts[what{event: t}] = 0
		case t == event.ObjectFail:
			for _, kind := range kinds {
				counts[what{t, kind, "ENOSPC"}] = 0
			}
		default:
			for _, kind := range kinds {
				counts[what{event: t, kind: kind}] = 0
			}
		}
	}
	return &events{counts: counts}
}

// Describe is of prometheus.Collector.
func (v *events) Describe(to chan<- *prometheus.Desc) { to <- eventsTotal }

// Collect is of prometheus.Collector.
func (v *events) Collect(to chan<- prometheus.Metric) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for s, n := range v.counts {
		to <- prometheus.MustNewConstMetric(eventsTotal, prometheus.CounterValue, float64(n), string(s.event), s.kind, s.errno)
	}
}
