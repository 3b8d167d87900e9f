package screen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/view"
)

// A limit is a name, a bar, and how many percent of it are used.
const (
	limitName  = 10
	limitBar   = 8
	limitWidth = limitName + 1 + limitBar + 5
)

func limitHead(columns int) string {
	if columns == 0 {
		return ""
	}
	return "LIMITS"
}

// limitCells are the limits of a namespace that there is room for, those first of which
// most is used.
func (m *model) limitCells(s *space, columns int) line {
	if columns == 0 {
		return nil
	}
	if !s.known {
		return plain(pad("", columns))
	}
	limits := slices.DeleteFunc(slices.Clone(s.crowd.Limits), func(l view.Limit) bool { return l.Max >= view.Unlimited })
	slices.SortStableFunc(limits, func(a, b view.Limit) int {
		switch x, y := a.Percent(), b.Percent(); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	var l line
	for room := columns; room >= limitWidth && len(limits) > 0; room -= limitWidth + 1 {
		if len(l) > 0 {
			l = append(l, view.Row{Text: " "})
		}
		l = append(l, limitCell(limits[0]))
		limits = limits[1:]
	}
	return l.fit(columns)
}

// limitCell is red from where the end is near.
func limitCell(l view.Limit) view.Row {
	r := view.Row{Text: fmt.Sprintf("%s %s %3.0f%%", pad(view.Safe(l.Name, limitName), limitName), bar(l.Percent(), limitBar), min(999, l.Percent()))}
	if l.Percent() >= view.WarnAt {
		r.Style = view.Failure
	}
	return r
}

// bar is full at a hundred percent. Where anything is used, something is seen.
func bar(percent float64, columns int) string {
	full := int(percent / 100 * float64(columns))
	if percent > 0 {
		full = max(1, full)
	}
	full = min(full, columns)
	return strings.Repeat("█", full) + strings.Repeat("░", columns-full)
}
