package lru

import (
	"math/rand/v2"
	"testing"
)

func TestCache(t *testing.T) {
	l := New[int, string](2)
	l.Put(1, "a")
	l.Put(2, "b")
	l.Get(1)
	l.Peek(2)
	l.Put(3, "c")
	if _, ok := l.Get(2); ok {
		t.Error("the least recently used is still here")
	}
	l.Put(1, "d")
	l.Remove(3)
	l.Remove(4)
	if v, ok := l.Get(1); !ok || v != "d" || l.Len() != 1 || l.order.Len() != 1 || l.Size() != 0 {
		t.Error(v, ok, l.Len(), l.order.Len(), l.Size())
	}
}

// TestSized: whatever is put in and taken out, the account is right and holds.
func TestSized(t *testing.T) {
	const limit, room = 20, 100
	l := New[int, string](limit).Sized(room, func(s string) int { return len(s) })
	draw := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		k := draw.IntN(2 * limit)
		switch draw.IntN(4) {
		case 0:
			l.Remove(k)
		case 1:
			l.Get(k)
		default:
			l.Put(k, string(make([]byte, draw.IntN(room+10))))
		}
		sum := 0
		for _, e := range l.items {
			sum += len(e.Value.(*pair[int, string]).value)
		}
		if sum != l.Size() || sum > room || l.Len() > limit || l.Len() != l.order.Len() {
			t.Fatalf("%d values of %d, by its own account %d", l.Len(), sum, l.Size())
		}
	}
}
