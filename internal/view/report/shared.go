package report

import "fmt"

// sharedRow is a key or name that led to objects in several namespaces: different ones.
type sharedRow struct {
	Key     string
	Objects []string // the last one in each namespace
	More    int      // namespaces that have no room
}

// mostShared is how many namespaces of a key are told.
const mostShared = 8

// shared is what a key or name led to.
type shared struct {
	key   string
	lanes []*lane
	last  map[*lane]*life
	count map[*lane]int
}

func (s *shared) add(o *life) {
	if s.count[o.lane]++; s.count[o.lane] == 1 {
		s.lanes = append(s.lanes, o.lane)
	}
	s.last[o.lane] = o
}

func (s *shared) row() sharedRow {
	row := sharedRow{Key: safe(s.key)}
	for _, l := range s.lanes[:min(len(s.lanes), mostShared)] {
		o := s.last[l]
		text := o.called()
		if n := s.count[l]; n > 1 {
			text += fmt.Sprintf(" (the last of %s)", grouped(n))
		}
		row.Objects = append(row.Objects, text+" in "+laneText(l))
	}
	row.More = len(s.lanes) - len(row.Objects)
	return row
}

// sharedRows are the first keys that led to objects in several namespaces.
func (t *Trace) sharedRows() []sharedRow {
	type name struct{ kind, key string }
	all, order := map[name]*shared{}, []*shared{}
	for _, o := range t.lives {
		key := name{o.Kind, o.key()}
		if o.Kind != kindMQ && o.Key == 0 || key.key == "" {
			continue
		}
		if all[key] == nil {
			all[key] = &shared{key: key.key, last: map[*lane]*life{}, count: map[*lane]int{}}
			order = append(order, all[key])
		}
		all[key].add(o)
	}
	var rows []sharedRow
	for _, s := range order {
		if len(s.lanes) > 1 && len(rows) < mostRows {
			rows = append(rows, s.row())
		}
	}
	return rows
}
