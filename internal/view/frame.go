package view

import (
	"fmt"
	"slices"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// screenObjects is how many objects of one namespace the screen shows at most.
const screenObjects = 20

// frame is what a screen of this size shows: as many rows, none of them wider.
func frame(inv *inventory.Inventory, st Status, columns, rows int, opts Options) ([]row, error) {
	all := make([]row, 0, rows)
	if rows > 1 {
		all = append(all, titleRow(inv))
	}
	if body := rows - 2; body > 0 {
		rowsOf, err := bodyRows(inv, st, columns, body, opts)
		if err != nil {
			return nil, err
		}
		all = append(all, rowsOf...)
	}
	for len(all) < rows-1 {
		all = append(all, row{})
	}
	all = append(all, statusRow(inv, st))
	for i := range all {
		all[i].text = fit(all[i].text, columns)
	}
	return all, nil
}

func titleRow(inv *inventory.Inventory) row {
	t := inv.Totals()
	return row{fmt.Sprintf("ipctrace · %s · %s",
		count(len(inv.Namespaces()), "IPC namespace"), tally(t.Created, t.Opened, t.Got, t.Failed)), normal}
}

func statusRow(inv *inventory.Inventory, st Status) row {
	t := inv.Totals()
	r := row{text: statusText(st, t)}
	if t.Lost+t.Skipped > 0 {
		r.style = alarm
	}
	return r
}

// bodyRows are the namespaces and, under them, the newest events: a quarter of
// the room is the events', more where the namespaces leave it.
func bodyRows(inv *inventory.Inventory, st Status, columns, room int, opts Options) ([]row, error) {
	recent := inv.Recent()
	if len(recent) == 0 {
		return []row{{}, {text: nothingSeen + " so far"}}[:min(room, 2)], nil
	}
	const around = 2 // an empty row and the header
	reserved := around + min(len(recent), max(1, room/4))
	top, err := namespaceRows(inv, st, columns, room-reserved, opts)
	if err != nil {
		return nil, err
	}
	left := room - len(top) - around
	if left < 1 {
		return top[:min(room, len(top))], nil
	}
	return append(append(top, row{}), eventRows(recent, columns, left, opts)...), nil
}

// eventRows are a header and the newest events.
func eventRows(recent []event.Event, columns, limit int, opts Options) []row {
	layout, rowOf := compactColumns, compactRow
	full := 0
	for _, c := range lineColumns {
		full += c.width + 1
	}
	if columns >= full {
		layout, rowOf = lineColumns, lineRow
	}
	rows := []row{{header(layout).text, normal}}
	for i := max(0, len(recent)-limit); i < len(recent); i++ {
		rows = append(rows, rowOf(&recent[i], opts))
	}
	return rows
}

// namespaceRows are blocks of namespaces, an empty row before each.
func namespaceRows(inv *inventory.Inventory, st Status, columns, room int, opts Options) ([]row, error) {
	namespaces := inv.Namespaces()
	shown := choose(namespaces, room)
	t := table{now: st.Now, columns: columns, opts: opts}
	blocks, err := t.blocks(shown)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, block := range blocks {
		if width(block[0].text) > columns {
			block[0].text = namespaceTitleShort(shown.namespaces[i])
		}
		rows = append(append(rows, row{}), block...)
	}
	if hidden := len(namespaces) - len(shown.namespaces); hidden > 0 && len(rows) < room {
		rows = append(rows, row{text: "… and " + count(hidden, "more namespace")})
	}
	return rows, nil
}

// choose what fits into the room. When not all namespaces do, those with the
// latest events are shown; the rows that are left are dealt out one by one.
func choose(namespaces []*inventory.Namespace, room int) choice {
	shown, room := fitting(namespaces, room)
	rows := make([]int, len(shown))
	for i, n := range shown {
		rows[i] = leastRows(n)
	}
	for grown := true; grown && room > 0; {
		grown = false
		for i, n := range shown {
			if room > 0 && rows[i] < min(n.Len(), screenObjects+1) {
				rows[i]++
				room--
				grown = true
			}
		}
	}
	for i, n := range shown {
		if n.Len() > rows[i] { // the last row says how many more there are
			rows[i]--
		}
	}
	return choice{shown, rows}
}

// fitting are the namespaces that fit with the least of rows, and the room that
// they leave.
func fitting(namespaces []*inventory.Namespace, room int) ([]*inventory.Namespace, int) {
	const around = 3 // an empty row, the title, the header
	total := 0
	for _, n := range namespaces {
		total += around + leastRows(n)
	}
	if total <= room {
		return namespaces, room - total
	}
	room-- // for how many more there are
	latest := slices.Clone(namespaces)
	slices.SortStableFunc(latest, func(a, b *inventory.Namespace) int { return b.Last.Compare(a.Last) })
	fits := make(map[*inventory.Namespace]bool)
	for _, n := range latest {
		if room -= around + leastRows(n); room < 0 {
			room += around + leastRows(n)
			break
		}
		fits[n] = true
	}
	return slices.DeleteFunc(slices.Clone(namespaces), func(n *inventory.Namespace) bool { return !fits[n] }), room
}

// leastRows of objects a namespace is shown with: one may have to say how many
// more there are.
func leastRows(n *inventory.Namespace) int { return min(n.Len(), 2) }
