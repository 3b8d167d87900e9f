package event

import "slices"

// Owed is losses on the way to a stream that it has not been told of yet: one of
// each sort.
type Owed []Event

// Add adds a loss, told by or of e, to those of its sort.
func (owed *Owed) Add(e *Event, l Lost) {
	i := slices.IndexFunc(*owed, func(o Event) bool { return o.Lost.Stage == l.Stage && o.Lost.AtMost == l.AtMost })
	if i < 0 {
		*owed = append(*owed, Event{Time: e.Time, BootNS: e.BootNS, Event: TraceLost, Lost: &l})
		return
	}
	o := &(*owed)[i]
	o.Time, o.BootNS = e.Time, e.BootNS
	o.Lost.Count += l.Count
	if l.From.Before(o.Lost.From) {
		o.Lost.From = l.From
	}
	if l.To.After(o.Lost.To) {
		o.Lost.To = l.To
	}
}
