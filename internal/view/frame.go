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
	namespaces, objects := inv.Live()
	ended := ""
	if t.Freed > 0 {
		ended = fmt.Sprintf(" (%d ended)", t.Freed)
	}
	return row{fmt.Sprintf("ipctrace · %s%s, %s · %s",
		count(namespaces, "IPC namespace"), ended, count(objects, "object"), tally(t.Created, t.Opened, t.Got, t.Failed)+
			nonZero(amount{t.Marked, "marked"}, amount{t.Removed + t.Cleared, "removed"})), normal}
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
	if len(recent) == 0 && len(inv.Namespaces()) == 0 {
		return []row{{}, {text: nothingSeen + " so far"}}[:min(room, 2)], nil
	}
	const around = 2 // an empty row and the header
	reserved := around + min(max(1, len(recent)), max(1, room/4))
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
	if len(recent) == 0 {
		rows = append(rows, row{text: "nothing has happened so far"})
	}
	for i := max(0, len(recent)-limit); i < len(recent); i++ {
		rows = append(rows, rowOf(&recent[i], opts))
	}
	return rows
}

// namespaceRows are blocks of namespaces, an empty row before each.
func namespaceRows(inv *inventory.Inventory, st Status, columns, room int, opts Options) ([]row, error) {
	live, ended, quiet := sorted(inv.Namespaces())
	ended = fadingNamespaces(ended, st.Now)
	// Those that ended take a quarter of the room at most.
	forEnded := min(1+len(ended), room/4)
	if len(ended) == 0 || forEnded < 2 {
		forEnded = 0
	}
	all := make([]contents, len(live))
	for i, n := range live {
		all[i] = fading(n, st.Now)
	}
	shown := choose(all, room-forEnded)
	t := table{now: st.Now, columns: columns, opts: opts}
	blocks, err := t.blocks(shown)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, block := range blocks {
		if width(block[0].text) > columns {
			block[0].text = namespaceTitleShort(shown.of[i].Namespace, opts)
		}
		rows = append(append(rows, row{}), block...)
	}
	if hidden := len(all) - len(shown.of) + quiet; hidden > 0 && len(rows) < room-forEnded {
		rows = append(rows, row{text: "… and " + count(hidden, "more namespace")})
	}
	return append(rows, endedRows(ended, st.Now, min(1+screenObjects, room-len(rows)))...), nil
}

// choose what fits into the room. When not all namespaces do, those with the
// latest events are shown; the rows that are left are dealt out one by one.
func choose(namespaces []contents, room int) choice {
	shown, room := fitting(namespaces, room)
	rows := make([]int, len(shown))
	for i, n := range shown {
		rows[i] = leastRows(n)
	}
	for grown := true; grown && room > 0; {
		grown = false
		for i, n := range shown {
			if room > 0 && rows[i] < min(n.len(), screenObjects+1) {
				rows[i]++
				room--
				grown = true
			}
		}
	}
	for i, n := range shown {
		if n.len() > rows[i] { // the last row says how many more there are
			rows[i]--
		}
	}
	return choice{shown, rows}
}

// fitting are the namespaces that fit with the least of rows, and the room that
// they leave.
func fitting(namespaces []contents, room int) ([]contents, int) {
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
	slices.SortStableFunc(latest, func(a, b contents) int { return b.Last.Compare(a.Last) })
	fits := make(map[*inventory.Namespace]bool)
	for _, n := range latest {
		if room -= around + leastRows(n); room < 0 {
			room += around + leastRows(n)
			break
		}
		fits[n.Namespace] = true
	}
	return slices.DeleteFunc(slices.Clone(namespaces), func(n contents) bool { return !fits[n.Namespace] }), room
}

// leastRows of objects a namespace is shown with: one may have to say how many
// more there are.
func leastRows(n contents) int { return min(n.len(), 2) }
