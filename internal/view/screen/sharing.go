package screen

import (
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

// sharing knows which keys and names lead to objects in several namespaces: to another
// object in each. That is what a namespace is for, and what people get wrong.
type sharing struct {
	of     map[sameKey][]event.Namespace
	totals inventory.Totals
	taken  time.Time
}

// sameKey is what calls find an object by.
type sameKey struct {
	kind string
	key  event.Key
	name string
}

// keyOf is that of an object; found is false where no call can find it: it is private,
// or waits for its end.
func keyOf(o *inventory.Object) (k sameKey, found bool) {
	if o.Key == 0 && o.Name == "" || !o.Marked.IsZero() || !o.Removed.IsZero() {
		return k, false
	}
	return sameKey{o.Kind, o.Key, o.Name}, true
}

// take looks through all objects, when something has happened, once in a while.
func (s *sharing) take(scene *Scene) {
	const patience = 500 * time.Millisecond
	totals := scene.Inventory.Totals()
	_, objects := scene.Inventory.Live()
	few := objects < 1000
	if s.of != nil && (totals == s.totals || !few && time.Since(s.taken) < patience) {
		return
	}
	seen := make(map[sameKey]event.Namespace, objects)
	s.of, s.totals, s.taken = make(map[sameKey][]event.Namespace), totals, time.Now()
	for _, n := range scene.Inventory.Namespaces() {
		if n.Ended() {
			continue
		}
		for _, o := range n.Objects() {
			k, ok := keyOf(o)
			if !ok {
				continue
			}
			first, known := seen[k]
			switch {
			case !known:
				seen[k] = n.Namespace
			case first == n.Namespace:
			case s.of[k] == nil:
				s.of[k] = []event.Namespace{first, n.Namespace}
			default:
				s.of[k] = append(s.of[k], n.Namespace)
			}
		}
	}
}

// others are the namespaces besides one in which the key of an object leads to another.
func (s *sharing) others(o *inventory.Object, in *event.Namespace) []event.Namespace {
	k, ok := keyOf(o)
	if !ok {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.of[k]), func(n event.Namespace) bool {
		return n.Inode == in.Inode && n.Gen == in.Gen && n.ID == in.ID
	})
}

// othersText names them, the first ones.
func othersText(others []event.Namespace) string {
	const named = 2
	var texts []string
	for i := range others[:min(named, len(others))] {
		texts = append(texts, view.NamespaceText(&others[i]))
	}
	text := strings.Join(texts, ", ")
	if more := len(others) - named; more > 0 {
		text += " and " + view.Count(more, "more namespace")
	}
	return text
}
