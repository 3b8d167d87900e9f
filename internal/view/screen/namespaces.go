package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

// fade is how long what is gone goes on being shown.
const fade = 10 * time.Second

// spaceOrders are those of namespaces.
var spaceOrders = []struct {
	name string
	less func(p *picture, a, b *inventory.Namespace) int // nil: as first seen
}{
	{"first seen", nil},
	{"events/s", func(p *picture, a, b *inventory.Namespace) int { return cmp.Compare(p.rate(b), p.rate(a)) }},
	{"objects", func(_ *picture, a, b *inventory.Namespace) int { return b.Len() - a.Len() }},
	{"last event", func(_ *picture, a, b *inventory.Namespace) int { return b.Last.Compare(a.Last) }},
}

// orderText tells of an order which is not the usual one.
func orderText(at int, name string) string {
	if at == 0 {
		return ""
	}
	return "by " + name
}

// listText likewise, and which part of the list is seen, if not all of it.
func (m *model) listText(p *picture) string {
	text := orderText(m.bySpace, spaceOrders[m.bySpace].name)
	if p.listed <= len(p.spaces) {
		return text
	}
	part := fmt.Sprintf("%d–%d/%d", m.namespaces.top+1, m.namespaces.top+len(p.spaces), p.listed)
	if p.hidden > 0 {
		part += fmt.Sprintf(", %d hidden", p.hidden)
	}
	if text == "" {
		return part
	}
	return text + " · " + part
}

// rate is events a second in a namespace.
func (p *picture) rate(n *inventory.Namespace) float64 {
	of := p.events.pulses[identityOf(n)]
	return of.rate(p.now)
}

// list are the namespaces that are shown, in their order; those that have ended are
// below those that are there.
func (m *model) list(p *picture, s *Scene) []*inventory.Namespace {
	var listed []*inventory.Namespace
	for _, n := range s.Inventory.Namespaces() {
		switch {
		case m.filter != nil && !m.meant(n, s.Now):
		case !m.all && (view.Quiet(n) || n.Ended() && s.Now.Sub(n.Freed) >= fade):
			p.hidden++
		default:
			listed = append(listed, n)
		}
	}
	less := spaceOrders[m.bySpace].less
	slices.SortStableFunc(listed, func(a, b *inventory.Namespace) int {
		switch {
		case a.Ended() && !b.Ended():
			return 1
		case b.Ended() && !a.Ended():
			return -1
		case less == nil:
			return 0
		}
		return less(p, a, b)
	})
	p.listed = len(listed)
	return listed
}

// meant says whether the filter means a namespace: all in it, or something.
func (m *model) meant(n *inventory.Namespace, now time.Time) bool {
	if !m.filter.Covers(&n.Namespace, "") {
		return false
	}
	if m.filter.Wants(asMade(&n.Namespace, new(inventory.Object)), nothing) {
		return true
	}
	return slices.ContainsFunc(m.recent(n, now), func(o *inventory.Object) bool { return m.means(n, o) })
}

// widths of the list's columns; 0: there is no room for it.
type widths struct{ number, label, processes, objects, rate, graph, limit int }

func (m *model) widths(p *picture) widths {
	w := widths{number: 10, label: 12, processes: 5, objects: 4, rate: 6}
	for _, s := range p.spaces {
		w.number = max(w.number, view.Width(s.String()))
	}
	left := m.columns - 2 - w.number - w.label - w.processes - w.objects - w.rate - 4
	take := func(of *int, least, most int) {
		if left > least {
			*of += min(left-1, most)
			left -= min(left-1, most) + 1
		}
	}
	take(&w.graph, 8, 8)
	if p.crowded {
		take(&w.limit, limitWidth, limitWidth)
	}
	if left > 0 {
		more := min(left, view.MaxLabel-w.label)
		w.label, left = w.label+more, left-more
	}
	if w.graph > 0 && left > 0 {
		more := min(left, beats/2-w.graph)
		w.graph, left = w.graph+more, left-more
	}
	if w.limit > 0 {
		w.limit += left / (limitWidth + 1) * (limitWidth + 1)
	}
	return w
}

func (m *model) spaceLines(p *picture) []line {
	w := m.widths(p)
	callers := "PROCS"
	if !p.crowded {
		callers = "PIDS" // nobody looked who is in it: who was seen calling
	}
	text := " " + cells(
		pad("NAMESPACE", w.number), pad("LABEL", w.label), padLeft(callers, w.processes), padLeft("OBJS", w.objects),
		padLeft("EV/S", w.rate), pad("", w.graph), pad(limitHead(w.limit), w.limit))
	lines := []line{m.head(namespacesPane, text, m.listText(p))}
	for i := range p.spaces {
		lines = append(lines, m.spaceLine(p, &p.spaces[i], w))
	}
	if len(p.spaces) == 0 {
		lines = append(lines, plain("  "+m.none("no IPC namespace")))
	}
	if p.hidden > 0 {
		lines = append(lines, styled("  … and "+view.Count(p.hidden, "more namespace")+", quiet or gone: a shows them", view.Faint))
	}
	return lines
}

// none says that there is nothing, and whether that is for the filter.
func (m *model) none(what string) string {
	if m.filter != nil {
		return what + " that the filter means"
	}
	return what
}

// cells are put side by side; those of no width are left out.
func cells(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), " ")
}

func (m *model) spaceLine(p *picture, s *space, w widths) line {
	mark := "  "
	here := s.id == m.namespaces.on
	if here {
		mark = "▸ "
	}
	of := p.events.pulses[s.id]
	limits := m.limitCells(s, w.limit)
	text := mark + cells(pad(s.String(), w.number), pad(m.labelOf(s, p.now), w.label), padLeft(processesOf(s, p.crowded), w.processes),
		padLeft(strconv.Itoa(s.len), w.objects), padLeft(rateText(of.rate(p.now)), w.rate), of.graph(p.now, w.graph))
	l := line{{Text: text, Style: spaceStyle(s, p.now)}}
	if len(limits) > 0 {
		l = append(append(l, view.Row{Text: " "}), limits...)
	}
	if here && m.focus == namespacesPane {
		return l.fit(m.columns).over(chosen)
	}
	if here {
		l[0].Style = view.Bold
	}
	return l
}

func spaceStyle(s *space, now time.Time) view.Style {
	switch {
	case s.Ended():
		return view.Faint
	case !s.Born.IsZero() && now.Sub(s.Born) < freshFor:
		return fresh
	}
	return view.Normal
}

// labelOf is how the namespace is called, or that it is gone.
func (m *model) labelOf(s *space, now time.Time) string {
	label := view.Safe(s.Label, view.MaxLabel)
	if s.Ended() {
		return "ended " + view.Age(now.Sub(s.Freed)) + " ago " + label
	}
	if label == "" {
		return view.Unknown
	}
	return label
}

func processesOf(s *space, crowded bool) string {
	switch {
	case s.known:
		return strconv.Itoa(s.crowd.Processes)
	case crowded || s.Ended():
		return view.None
	case s.Processes >= inventory.MaxProcesses:
		return fmt.Sprintf("%d+", s.Processes)
	}
	return strconv.Itoa(s.Processes)
}

// rateText is a rate in six columns at most.
func rateText(rate float64) string {
	switch {
	case rate == 0:
		return "0"
	case rate < 999_999:
		return fmt.Sprintf("%.0f", rate)
	}
	return fmt.Sprintf("%.1fM", rate/1e6)
}
