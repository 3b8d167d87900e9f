// Package lru is a map that forgets.
package lru

import "container/list"

// Cache is a map that forgets what was used least recently. It does not lock.
type Cache[K comparable, V any] struct {
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

// New returns one that holds as many values.
func New[K comparable, V any](limit int) *Cache[K, V] {
	return &Cache[K, V]{limit: limit, order: list.New(), items: make(map[K]*list.Element)}
}

// Sized bounds the size of all values together too.
func (l *Cache[K, V]) Sized(room int, size func(V) int) *Cache[K, V] {
	l.room, l.size = room, size
	return l
}

// Get counts as a use.
func (l *Cache[K, V]) Get(k K) (V, bool) {
	e, ok := l.items[k]
	if !ok {
		var zero V
		return zero, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*pair[K, V]).value, true
}

// Peek does not.
func (l *Cache[K, V]) Peek(k K) (V, bool) {
	if e, ok := l.items[k]; ok {
		return e.Value.(*pair[K, V]).value, true
	}
	var zero V
	return zero, false
}

// Put adds a value, or puts it in the place of another one, which counts as a use.
func (l *Cache[K, V]) Put(k K, v V) {
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

// Remove forgets one, if it is there.
func (l *Cache[K, V]) Remove(k K) {
	if e, ok := l.items[k]; ok {
		l.drop(e)
	}
}

// Len is how many there are.
func (l *Cache[K, V]) Len() int { return len(l.items) }

// Limit is how many there can be.
func (l *Cache[K, V]) Limit() int { return l.limit }

// Size is that of all of them together, as by Sized.
func (l *Cache[K, V]) Size() int { return l.used }

func (l *Cache[K, V]) drop(e *list.Element) {
	p := l.order.Remove(e).(*pair[K, V])
	delete(l.items, p.key)
	l.take(p.value, -1)
}

// take counts a value's size, that many times.
func (l *Cache[K, V]) take(v V, times int) {
	if l.size != nil {
		l.used += times * l.size(v)
	}
}
