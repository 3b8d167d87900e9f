package screen

import (
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

// picture is what is seen of a scene: copies, so that it can be laid out while the
// inventory goes on.
type picture struct {
	begun    bool // else there is nothing to be seen yet
	tier     string
	started  time.Time
	now      time.Time
	playback *Playback
	totals   inventory.Totals
	live     int // namespaces
	objects  int // in all of them
	crowded  bool

	spaces []space // those that are seen
	listed int     // of so many
	hidden int     // besides those that are quiet, or gone
	chosen *space  // nil: there is none

	things things   // of the chosen one, if it is opened
	beside []beside // else of several
	places placed
	events remembrance
}

// identity tells namespaces apart.
type identity struct {
	inode uint64
	gen   uint32
	id    uint64
}

func identityOf(n *inventory.Namespace) identity { return identity{n.Inode, n.Gen, n.ID} }

// space is a namespace as it is seen.
type space struct {
	*inventory.Namespace
	id    identity
	len   int // objects
	crowd Crowd
	known bool // crowd is
}

// things are the objects of a namespace that are seen.
type things struct {
	seen []*inventory.Object
	all  int    // of so many
	left uint64 // that were too many to be put in order
}

// placed says in which rows what is.
type placed struct{ spaces, middle, events int }

// place divides the rows between the panes: a quarter is the namespaces', a quarter the
// events', or less if they need less.
func (m *model) place(p *picture) placed {
	const header = 1
	body := m.bodyRows(p)
	need := p.listed
	if p.hidden > 0 {
		need++
	}
	var at placed
	at.spaces = header + min(max(1, need), max(3, body/4))
	at.events = header + max(2, body/4)
	at.middle = max(0, body-at.spaces-at.events)
	return at
}

// bodyRows are those between the title and the line of time, or the status.
func (m *model) bodyRows(p *picture) int {
	if p.playback != nil {
		return m.rows - 3
	}
	return m.rows - 2
}

// picture looks at what there is.
func (m *model) picture() *picture {
	p := &picture{events: m.happened()}
	m.see(func(s *Scene) { m.take(p, s) })
	return p
}

// take copies what is to be seen.
func (m *model) take(p *picture, s *Scene) {
	p.begun, p.tier, p.started, p.now, p.crowded = true, s.Tier, s.Started, s.Now, s.Crowds != nil
	p.playback = s.Playback.clone()
	p.totals = s.Inventory.Totals()
	p.live, p.objects = s.Inventory.Live()
	listed := m.list(p, s)
	if m.follow {
		m.goAlong(p.events.events, listed)
	}
	p.places = m.place(p)
	keys := make([]identity, len(listed))
	for i, n := range listed {
		keys[i] = identityOf(n)
	}
	m.namespaces.find(keys, p.places.spaces-1)
	if len(listed) == 0 {
		return
	}
	for _, n := range listed[m.namespaces.top:min(len(listed), m.namespaces.top+p.places.spaces-1)] {
		p.spaces = append(p.spaces, spaceOf(n, s))
	}
	chosen := listed[m.namespaces.at]
	of := spaceOf(chosen, s)
	p.chosen = &of
	m.sharing.take(s)
	columns := m.besides(listed)
	if m.opened || len(columns) < 2 {
		p.things = m.thingsOf(chosen, s.Now, p.places.middle-2)
	} else {
		p.beside = m.sideBySide(columns, s, p.places.middle-3)
	}
	p.lend()
}

// lend gives rows that the middle has no use for to the events, some at a time: what
// is below should not go up and down with each object.
func (p *picture) lend() {
	const step = 4
	used := 2 + len(p.things.seen)
	if len(p.beside) > 0 {
		used = 3 + len(p.beside[0].cells)
	}
	spare := p.places.middle - (used+step-1)/step*step
	wanted := 1 + len(p.events.events) - p.places.events
	if lent := min(spare, wanted); lent > 0 {
		p.places.middle -= lent
		p.places.events += lent
	}
}

func spaceOf(n *inventory.Namespace, s *Scene) space {
	crowd, known := s.Crowds[n.Inode]
	return space{Namespace: n.Clone(), id: identityOf(n), len: n.Len(), crowd: crowd, known: known && !n.Ended()}
}

// goAlong chooses the namespace of the newest event.
func (m *model) goAlong(events []*event.Event, listed []*inventory.Namespace) {
	for i := len(events) - 1; i >= 0; i-- {
		if ns := events[i].NS; ns != nil {
			for _, n := range listed {
				if n.Inode == ns.Inode && n.Gen == ns.Gen && n.ID == ns.ID {
					m.namespaces.put(identityOf(n))
				}
			}
			return
		}
	}
}

// compose puts the panes together: as many lines as the screen has rows.
func (m *model) compose(p *picture) []line {
	lines, body := []line{m.title(p)}, m.bodyRows(p)
	if m.overlay != nil {
		lines = append(lines, exactly(m.overlay.lines(m, p, body), body)...)
	} else {
		lines = append(lines, exactly(m.body(p), body)...)
	}
	if p.playback != nil {
		lines = append(lines, m.bar(p))
	}
	lines = append(lines, m.status(p))
	return exactly(lines, m.rows)
}

func (m *model) body(p *picture) []line {
	if !p.begun {
		return []line{nil, plain(" looking at what is there …")}
	}
	lines := exactly(m.spaceLines(p), p.places.spaces)
	if len(p.beside) > 1 {
		lines = append(lines, exactly(m.besideLines(p), p.places.middle)...)
	} else {
		lines = append(lines, exactly(m.thingLines(p), p.places.middle)...)
	}
	return append(lines, exactly(m.eventLines(p), p.places.events)...)
}

// exactly so many lines.
func exactly(lines []line, rows int) []line {
	if rows <= 0 {
		return nil
	}
	for len(lines) < rows {
		lines = append(lines, nil)
	}
	return lines[:rows]
}

// head is the first line of a pane: bold, and marked, where the keys go to. At its right
// is what is unusual: an order, or how much is not seen.
func (m *model) head(of pane, text, right string) line {
	if right != "" {
		text = pad(strings.TrimRight(text, " "), max(0, m.columns-2-view.Width(right))) + " " + right
	}
	if m.focus == of && m.overlay == nil {
		return styled("▌"+text, view.Bold)
	}
	return styled(" "+text, view.Faint)
}
