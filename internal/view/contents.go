package view

import (
	"slices"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// contents are the objects of a namespace that are shown: those that are there,
// and some of those that are gone.
type contents struct {
	*inventory.Namespace
	gone []*inventory.Object
	rest string // said of those that are not shown
}

func (c contents) len() int { return c.Len() + len(c.gone) }

// newest are the limit objects that came first seen last, in that order.
func (c contents) newest(limit int) []*inventory.Object {
	objects := append(c.Newest(limit), c.gone...)
	slices.SortStableFunc(objects, func(a, b *inventory.Object) int { return a.First.Compare(b.First) })
	return objects[len(objects)-max(0, min(limit, len(objects))):]
}

// sorted takes apart those that are there, those that ended, and how many were
// there before and had nothing in them and nothing to tell.
func sorted(all []*inventory.Namespace) (live, ended []*inventory.Namespace, quiet int) {
	for _, n := range all {
		switch {
		case n.Ended():
			ended = append(ended, n)
		case Quiet(n):
			quiet++
		default:
			live = append(live, n)
		}
	}
	slices.SortStableFunc(ended, func(a, b *inventory.Namespace) int { return a.Freed.Compare(b.Freed) })
	return live, ended, quiet
}

func Quiet(n *inventory.Namespace) bool {
	return n.Existing && !n.Initial && n.Len() == 0 && n.Created+n.Opened+n.Got+n.Failed+n.Marked+n.Joined+n.Removed == 0
}
