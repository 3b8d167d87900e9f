package screen

import (
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/view"
)

// eventLines are the newest events, the newest at the bottom, or those around the one
// that the user is at.
func (m *model) eventLines(p *picture) []line {
	events := m.eventsAt(p)
	rows := view.NewEvents(m.columns-2, m.opts).Fit(events)
	lines := []line{m.head(eventsPane, " "+rows.Header().Text, "")}
	if len(events) == 0 {
		return append(lines, plain("  "+m.none("nothing has happened so far")))
	}
	here := m.chosenEvent(p)
	for _, e := range events {
		r := rows.Row(e)
		l := line{{Text: "  " + r.Text, Style: r.Style}}
		if e == here && m.focus == eventsPane {
			l = line{{Text: "▸ " + r.Text}}.fit(m.columns).over(chosen)
		}
		lines = append(lines, l)
	}
	return lines
}

// eventsAt are the events that are seen.
func (m *model) eventsAt(p *picture) []*event.Event {
	events, rows := p.events.events, p.places.events-1
	keys := make([]uint64, len(events)) // the newest first
	for i := range keys {
		keys[i] = p.events.count - uint64(i)
	}
	m.events.find(keys, rows)
	last := len(events) - m.events.top
	return events[max(0, last-rows):last]
}

// chosenEvent is the one that the user is at, nil if there is none.
func (m *model) chosenEvent(p *picture) *event.Event {
	if m.events.at >= len(p.events.events) {
		return nil
	}
	return p.events.events[len(p.events.events)-1-m.events.at]
}
