package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/view"
)

// order compares two objects; nil leaves everything as it is.
type order func(a, b view.ListedObject) int

const sortHelp = `--sort orders the objects of each namespace, and the namespaces by the first of
theirs. What is equal keeps the default's order.
  ns                      the default: the host's first, then by inode
  kind, id, key, owner    upwards; owner by number
  size, messages, nattch  the largest first; size in bytes: of a segment, or of
                          the messages in a queue
  age, ctime              age: the oldest first, ctime: the newest`

var orders = []struct {
	name string
	by   order
}{
	{"ns", nil},
	{"kind", func(a, b view.ListedObject) int { return cmp.Compare(a.Kind, b.Kind) }},
	{"id", func(a, b view.ListedObject) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) }},
	{"key", func(a, b view.ListedObject) int {
		return cmp.Or(cmp.Compare(uint32(a.Key), uint32(b.Key)), cmp.Compare(a.Name, b.Name))
	}},
	{"owner", func(a, b view.ListedObject) int { return cmp.Compare(numberOf(a.UID), numberOf(b.UID)) }},
	{"size", func(a, b view.ListedObject) int { return cmp.Compare(bytesOf(b), bytesOf(a)) }},
	{"messages", func(a, b view.ListedObject) int {
		return cmp.Compare(numberOf(b.State.Messages), numberOf(a.State.Messages))
	}},
	{"nattch", func(a, b view.ListedObject) int {
		return cmp.Compare(numberOf(b.State.Attached), numberOf(a.State.Attached))
	}},
	{"age", byAge},
	{"ctime", func(a, b view.ListedObject) int { return b.State.CTime.Compare(a.State.CTime) }},
}

// byAge puts those of unknown age last.
func byAge(a, b view.ListedObject) int {
	if x, y := a.State.CTime, b.State.CTime; x.IsZero() || y.IsZero() {
		return y.Compare(x)
	}
	return a.State.CTime.Compare(b.State.CTime)
}

func parseOrder(name string) (order, error) {
	for _, o := range orders {
		if o.name == name {
			return o.by, nil
		}
	}
	return nil, fmt.Errorf("--sort: unknown column %q: %s%s", name, strings.Join(choices["sort"], ", "), didYouMean(name, choices["sort"]))
}

// sort orders the objects of each namespace, and the namespaces by the first of
// theirs, those without any last.
func (by order) sort(list []listed) {
	if by == nil {
		return
	}
	for _, n := range list {
		slices.SortStableFunc(n.objects, by)
	}
	slices.SortStableFunc(list, func(a, b listed) int {
		if len(a.objects) == 0 || len(b.objects) == 0 {
			return cmp.Compare(min(1, len(b.objects)), min(1, len(a.objects)))
		}
		return by(a.objects[0], b.objects[0])
	})
}

// numberOf puts what is not known, or does not apply, below everything.
func numberOf[N int32 | uint32 | uint64](n *N) float64 {
	if n == nil {
		return -1
	}
	return float64(*n)
}

// bytesOf is the memory that an object takes, -1 where it is not known.
func bytesOf(o view.ListedObject) float64 {
	if o.Size != nil {
		return numberOf(o.Size)
	}
	return numberOf(o.State.Bytes)
}
