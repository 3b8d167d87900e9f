package screen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

// beside is one of the namespaces that are side by side. Its objects are in rows that
// are those of the others too: what has the same key is in the same row.
type beside struct {
	space
	cells []*inventory.Object // nil: nothing in this row
	all   int                 // objects
}

// Columns of namespaces are so wide at least: two fit on every screen, more of them
// are wider.
const (
	leastBeside = 28
	besideWidth = 39
	between     = " │ "
)

// besides are the namespaces that are side by side: the chosen one, and those next to
// it.
func (m *model) besides(listed []*inventory.Namespace) []*inventory.Namespace {
	gap := view.Width(between)
	room := max(min(2, (m.columns+gap)/(leastBeside+gap)), (m.columns+gap)/(besideWidth+gap))
	from := m.namespaces.at
	for from > 0 && m.namespaces.at-from < room-1 {
		from--
	}
	from = max(0, min(from, len(listed)-room))
	return listed[from:min(len(listed), from+room)]
}

// sideBySide takes so many rows of them.
func (m *model) sideBySide(of []*inventory.Namespace, s *Scene, rows int) []beside {
	objects := make([][]*inventory.Object, len(of))
	for i, n := range of {
		objects[i] = m.objectsOf(n, s.Now)
	}
	aligned := align(objects)
	var keys []objectKey
	rowOf := map[objectKey]int{}
	for row, cells := range aligned {
		for i, o := range cells {
			if o != nil && identityOf(of[i]) == m.namespaces.on {
				keys, rowOf[objectKeyOf(o)] = append(keys, objectKeyOf(o)), row
			}
		}
	}
	m.objects.find(keys, len(keys))
	top := 0
	if len(keys) > 0 {
		top = max(0, min(rowOf[m.objects.on]-rows/2, len(aligned)-rows))
	}
	columns := make([]beside, len(of))
	for i, n := range of {
		columns[i] = beside{space: spaceOf(n, s), all: len(objects[i])}
		for _, cells := range aligned[top:min(len(aligned), top+max(0, rows))] {
			var o *inventory.Object
			if cells[i] != nil {
				o = cells[i].Clone()
			}
			columns[i].cells = append(columns[i].cells, o)
		}
	}
	return columns
}

// align puts what has the same key in several namespaces into one row each, above all
// else.
func align(objects [][]*inventory.Object) (rows [][]*inventory.Object) {
	in := map[sameKey]int{}
	for _, of := range objects {
		seen := map[sameKey]bool{}
		for _, o := range of {
			if k, ok := keyOf(o); ok && !seen[k] {
				seen[k] = true
				in[k]++
			}
		}
	}
	rowOf := map[sameKey]int{}
	alone := make([][]*inventory.Object, len(objects))
	for i, of := range objects {
		for _, o := range of {
			k, ok := keyOf(o)
			if !ok || in[k] < 2 {
				alone[i] = append(alone[i], o)
				continue
			}
			row, known := rowOf[k]
			if !known {
				row = len(rows)
				rowOf[k] = row
				rows = append(rows, make([]*inventory.Object, len(objects)))
			}
			rows[row][i] = o
		}
	}
	for i, of := range alone {
		for at, o := range of {
			row := len(rowOf) + at
			if row == len(rows) {
				rows = append(rows, make([]*inventory.Object, len(objects)))
			}
			rows[row][i] = o
		}
	}
	return rows
}

// besideLines are the namespaces side by side.
func (m *model) besideLines(p *picture) []line {
	each := (m.columns - view.Width(between)*(len(p.beside)-1)) / len(p.beside)
	head := "SIDE BY SIDE"
	if len(m.sharing.of) > 0 {
		head += " · ≠ the same key in another namespace is another object"
	}
	lines := []line{m.head(objectsPane, head, orderText(m.byObject, objectOrders[m.byObject].name)), nil, nil}
	for i := range p.beside {
		b := &p.beside[i]
		look := view.Bold
		mark := "  "
		if b.id == m.namespaces.on {
			mark = "▸ "
		}
		if b.Ended() {
			look = view.Faint
		}
		lines[1] = m.next(lines[1], i, view.Row{Text: pad(mark+b.String()+" "+view.Safe(b.Label, view.MaxLabel), each), Style: look})
		lines[2] = m.next(lines[2], i, view.Row{Text: pad("  "+besideText(p, b), each), Style: view.Faint})
	}
	for row := range p.beside[0].cells {
		var l line
		for i := range p.beside {
			l = m.next(l, i, m.besideCell(p, &p.beside[i], row, each))
		}
		lines = append(lines, l)
	}
	return lines
}

// next puts a cell behind those before it.
func (m *model) next(l line, column int, cell view.Row) line {
	if column > 0 {
		l = append(l, view.Row{Text: between, Style: view.Faint})
	}
	return append(l, cell)
}

func besideText(p *picture, b *beside) string {
	if b.Ended() {
		return "ended " + view.Age(p.now.Sub(b.Freed)) + " ago"
	}
	parts := []string{view.Count(b.len, "object")}
	if b.known {
		parts = append(parts, view.Count(b.crowd.Processes, "process"))
	}
	if b.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", b.Failed))
	}
	return strings.Join(parts, " · ")
}

func (m *model) besideCell(p *picture, b *beside, row, columns int) view.Row {
	o := b.cells[row]
	if o == nil {
		return view.Row{Text: pad("", columns)}
	}
	mark := " "
	if len(m.sharing.others(o, &b.Namespace.Namespace)) > 0 {
		mark = "≠"
	}
	id := view.None
	if o.Name == "" {
		id = strconv.Itoa(int(o.ID))
	}
	text := fmt.Sprintf("%s %s %s %s %s", mark, pad(view.Safe(o.Kind, 3), 3), pad(id, 7), view.KeyText(o.Kind, o.Key, o.Name, 24), fateOf(o))
	r := view.Row{Text: pad(text, columns), Style: m.thingStyle(p, o, &b.Namespace.Namespace)}
	if m.focus == objectsPane && b.id == m.namespaces.on && objectKeyOf(o) == m.objects.on {
		r.Style = chosen
	}
	return r
}

// fateOf is who made an object, or what became of it.
func fateOf(o *inventory.Object) string {
	switch {
	case !o.Removed.IsZero():
		return "gone: " + view.CauseText(o.Cause)
	case !o.Marked.IsZero():
		return "marked"
	case o.Maker != nil:
		return view.Caller(o.Maker)
	case o.Existing:
		return "before"
	case o.LastUser != nil: // who made or found it: the hooks could not tell
		return view.Unknown + " " + view.Caller(o.LastUser)
	}
	return view.Unknown
}
