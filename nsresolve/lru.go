package nsresolve

import "container/list"

// lru is a map that forgets what was used least recently. It does not lock.
type lru[K comparable, V any] struct {
	limit int
	order *list.List // of *pair, most recently used first
	items map[K]*list.Element

	room, used int         // of all values together, by size; where there is none: unbounded
	size       func(V) int // may be nil
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, order: list.New(), items: make(map[K]*list.Element)}
}

// sized bounds the size of all values together too.
func (l *lru[K, V]) sized(room int, size func(V) int) *lru[K, V] {
	l.room, l.size = room, size
	return l
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
		p := e.Value.(*pair[K, V])
		l.take(v, 1)
		l.take(p.value, -1)
		p.value = v
		l.order.MoveToFront(e)
	} else {
		l.items[k] = l.order.PushFront(&pair[K, V]{k, v})
		l.take(v, 1)
	}
	for len(l.items) > l.limit || l.used > l.room {
		l.drop(l.order.Back())
	}
}

func (l *lru[K, V]) remove(k K) {
	if e, ok := l.items[k]; ok {
		l.drop(e)
	}
}

func (l *lru[K, V]) drop(e *list.Element) {
	p := l.order.Remove(e).(*pair[K, V])
	delete(l.items, p.key)
	l.take(p.value, -1)
}

// take counts a value's size, that many times.
func (l *lru[K, V]) take(v V, times int) {
	if l.size != nil {
		l.used += times * l.size(v)
	}
}
