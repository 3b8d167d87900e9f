package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

// ordered is how many objects of a namespace are put in order, those seen first last:
// more would take long, a few times a second.
const ordered = 4096

// freshFor is how long what is new is shown to be.
const freshFor = 3 * time.Second

// objectKey tells the objects of a namespace apart, also those that had an id before.
type objectKey struct {
	kind  string
	id    int32
	name  string
	first int64
	gone  bool
}

func objectKeyOf(o *inventory.Object) objectKey {
	return objectKey{o.Kind, o.ID, o.Name, o.First.UnixNano(), false}
}

// objectOrders are those of objects.
var objectOrders = []struct {
	name string
	less func(a, b *inventory.Object) int
}{
	{"newest first", func(a, b *inventory.Object) int { return b.First.Compare(a.First) }},
	{"key", func(a, b *inventory.Object) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(uint32(a.Key), uint32(b.Key)), strings.Compare(a.Kind, b.Kind))
	}},
	{"kind and id", func(a, b *inventory.Object) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), strings.Compare(a.Name, b.Name))
	}},
	{"size", func(a, b *inventory.Object) int { return cmp.Compare(extent(b), extent(a)) }},
	{"opens", func(a, b *inventory.Object) int { return cmp.Compare(b.Opens, a.Opens) }},
	{"maker", func(a, b *inventory.Object) int { return strings.Compare(makerOf(a), makerOf(b)) }},
}

// extent is the size of an object in its own measure.
func extent(o *inventory.Object) uint64 {
	switch {
	case o.Size != nil:
		return *o.Size
	case o.NSems != nil:
		return uint64(max(0, *o.NSems))
	}
	return 0
}

func makerOf(o *inventory.Object) string {
	if o.Maker == nil {
		return ""
	}
	return o.Maker.Comm
}

// recent are the objects of a namespace that are there, and those that have not faded.
func (m *model) recent(n *inventory.Namespace, now time.Time) []*inventory.Object {
	objects := n.Newest(ordered)
	for _, o := range n.NewestGone(ordered) {
		if m.all || now.Sub(o.Removed) < fade {
			objects = append(objects, o)
		}
	}
	return objects
}

// means says whether the filter does an object.
func (m *model) means(n *inventory.Namespace, o *inventory.Object) bool {
	return m.filter.Covers(&n.Namespace, o.Kind) && m.filter.Wants(asMade(&n.Namespace, o), nothing)
}

// objectsOf are those of a namespace that are shown, in their order.
func (m *model) objectsOf(n *inventory.Namespace, now time.Time) []*inventory.Object {
	objects := m.recent(n, now)
	if m.filter != nil {
		objects = slices.DeleteFunc(objects, func(o *inventory.Object) bool { return !m.means(n, o) })
	}
	less := objectOrders[m.byObject].less
	slices.SortStableFunc(objects, func(a, b *inventory.Object) int {
		if gone := !a.Removed.IsZero(); gone != !b.Removed.IsZero() { // which is below what is there
			if gone {
				return 1
			}
			return -1
		}
		return less(a, b)
	})
	return objects
}

// thingsOf are the objects of a namespace of which so many are seen.
func (m *model) thingsOf(n *inventory.Namespace, now time.Time, rows int) things {
	objects := m.objectsOf(n, now)
	keys := make([]objectKey, len(objects))
	for i, o := range objects {
		keys[i] = objectKeyOf(o)
	}
	m.objects.find(keys, rows)
	t := things{all: len(objects), left: uint64(max(0, n.Len()-ordered))}
	for _, o := range objects[min(m.objects.top, len(objects)):min(len(objects), m.objects.top+max(0, rows))] {
		t.seen = append(t.seen, o.Clone())
	}
	return t
}

// thingLines are the chosen namespace, opened.
func (m *model) thingLines(p *picture) []line {
	if p.chosen == nil {
		return nil
	}
	lines := []line{m.head(objectsPane, view.NamespaceTitle(p.chosen.Namespace, m.opts), orderText(m.byObject, objectOrders[m.byObject].name))}
	if p.things.all == 0 {
		return append(lines, plain("  "+m.none("no objects")+m.goneText(p.chosen)))
	}
	header, rows, err := view.Objects(p.things.seen, p.now, m.columns-2, m.aside(p), m.opts)
	if err != nil {
		return append(lines, styled(view.Safe(err.Error(), m.columns), view.Failure))
	}
	lines = append(lines, styled("  "+header.Text+m.unseen(p), view.Faint))
	for i, r := range rows {
		lines = append(lines, m.thingLine(p, p.things.seen[i], r))
	}
	return lines
}

// aside is where else the keys of what is seen lead to something, nil for nowhere.
func (m *model) aside(p *picture) *view.Aside {
	others := func(o *inventory.Object) []event.Namespace {
		return m.sharing.others(o, &p.chosen.Namespace.Namespace)
	}
	if !slices.ContainsFunc(p.things.seen, func(o *inventory.Object) bool { return len(others(o)) > 0 }) {
		return nil
	}
	return &view.Aside{Title: "≠ SAME KEY IN", Of: func(o *inventory.Object) string { return othersText(others(o)) }}
}

// unseen says how much of it is not seen.
func (m *model) unseen(p *picture) string {
	if p.things.all <= len(p.things.seen) && p.things.left == 0 {
		return ""
	}
	text := fmt.Sprintf("  (%d–%d of %d", m.objects.top+1, m.objects.top+len(p.things.seen), p.things.all)
	if p.things.left > 0 {
		text += fmt.Sprintf(", %d older ones left out", p.things.left)
	}
	return text + ")"
}

func (m *model) goneText(s *space) string {
	if s.Removed == 0 {
		return ""
	}
	return fmt.Sprintf(": %d are gone", s.Removed)
}

func (m *model) thingLine(p *picture, o *inventory.Object, r view.Row) line {
	mark := "  "
	here := objectKeyOf(o) == m.objects.on
	if here && m.focus == objectsPane {
		mark = "▸ "
	}
	l := line{{Text: mark + r.Text, Style: m.thingStyle(p, o, &p.chosen.Namespace.Namespace)}}
	if here && m.focus == objectsPane {
		return l.fit(m.columns).over(chosen)
	}
	return l
}

// thingStyle is how an object looks: gone, new, or one of several with its key.
func (m *model) thingStyle(p *picture, o *inventory.Object, in *event.Namespace) view.Style {
	switch {
	case !o.Removed.IsZero():
		return view.Faint
	case len(m.sharing.others(o, in)) > 0:
		return shared
	case o.Maker != nil && p.now.Sub(o.First) < freshFor:
		return fresh
	}
	return view.Normal
}
