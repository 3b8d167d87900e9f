package inventory

import "iter"

// list is a list whose nodes are in its elements: to be in it costs no memory of
// its own. The zero list is empty.
type list[T any] struct {
	root node[T] // before the first, and behind the last
	len  int
}

// node is an element's place in a list.
type node[T any] struct {
	prev, next *node[T]
	of         *T
}

func (l *list[T]) pushBack(n *node[T], of *T) {
	n.of = of
	if l.root.next == nil {
		l.root.prev, l.root.next = &l.root, &l.root
	}
	n.prev, n.next = l.root.prev, &l.root
	n.prev.next, n.next.prev = n, n
	l.len++
}

func (l *list[T]) remove(n *node[T]) {
	n.prev.next, n.next.prev = n.next, n.prev
	n.prev, n.next = nil, nil
	l.len--
}

func (l *list[T]) moveToBack(n *node[T]) {
	if l.root.prev == n {
		return
	}
	l.remove(n)
	l.pushBack(n, n.of)
}

// front is the first element. There must be one.
func (l *list[T]) front() *T { return l.root.next.of }

// back is the last element. There must be one.
func (l *list[T]) back() *T { return l.root.prev.of }

// all are the elements. The one that is being looked at may be removed.
func (l *list[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for n := l.root.next; n != nil && n != &l.root; {
			next := n.next
			if !yield(n.of) {
				return
			}
			n = next
		}
	}
}

// backward are the elements, the last one first.
func (l *list[T]) backward() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for n := l.root.prev; n != nil && n != &l.root; n = n.prev {
			if !yield(n.of) {
				return
			}
		}
	}
}
