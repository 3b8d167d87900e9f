package nsresolve

import "container/list"

// lru is a map that forgets what was used least recently. It does not lock.
type lru[K comparable, V any] struct {
	limit int
	order *list.List // of *pair, most recently used first
	items map[K]*list.Element
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), items: make(map[K]*list.Element)}
}

func (l *lru[K, V]) get(k K) (V, bool) {
	e, ok := l.items[k]
	if !ok {
		var zero V
		return zero, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*pair[K, V]).value, true
}

// peek is get without counting as a use.
func (l *lru[K, V]) peek(k K) (V, bool) {
	if e, ok := l.items[k]; ok {
		return e.Value.(*pair[K, V]).value, true
	}
	var zero V
	return zero, false
}

func (l *lru[K, V]) put(k K, v V) {
	if e, ok := l.items[k]; ok {
		e.Value.(*pair[K, V]).value = v
		l.order.MoveToFront(e)
		return
	}
	l.items[k] = l.order.PushFront(&pair[K, V]{k, v})
	if len(l.items) > l.limit {
		last := l.order.Back()
		delete(l.items, l.order.Remove(last).(*pair[K, V]).key)
	}
}

func (l *lru[K, V]) remove(k K) {
	if e, ok := l.items[k]; ok {
		l.order.Remove(e)
		delete(l.items, k)
	}
}
