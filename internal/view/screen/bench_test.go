package screen

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
)

// many is so many namespaces with so many objects each, all with the same keys.
func many(namespaces, objects int) []*event.Event {
	var events []*event.Event
	for n := range namespaces {
		ns := &event.Namespace{Inode: 4026540000 + uint64(n), Gen: 1, Label: fmt.Sprint("sh", n)}
		for i := range int32(objects) {
			events = append(events, made(12+float64(i)/1e6, event.ObjectCreate, ns, "msg", i, event.Key(i+1), "maker"))
		}
	}
	return events
}

// BenchmarkDraw lays out a screen of much, while something goes on.
func BenchmarkDraw(b *testing.B) {
	for name, events := range map[string][]*event.Event{"crowd": crowd(), "10000 namespaces": many(10_000, 2), "65536 objects": many(1, 65_536), "4 times 16384 objects": many(4, 16_384)} {
		for _, words := range []string{"", "comm=maker", "comm=nobody"} {
			b.Run(name+"/"+words, func(b *testing.B) {
				f := newFake(events)
				m := f.model(200, 60)
				comm, _ := strings.CutPrefix(words, "comm=")
				m.controls.Filter = func(string) (Filter, error) { return &stream.Filter{Comms: []string{comm}}, nil }
				m.choose(words)
				for b.Loop() {
					f.add(made(12.5, event.ObjectGet, events[len(events)-1].NS, "msg", 0, 1, "maker"))
					m.draw()
				}
			})
		}
	}
}

// BenchmarkPause is what the pause of a screen of much takes.
func BenchmarkPause(b *testing.B) {
	m := newFake(many(1, 65_536)).model(200, 60)
	for b.Loop() {
		m.freeze()
		m.freeze()
	}
}

// BenchmarkAdd remembers events, one after the other: what the screen costs the trace.
func BenchmarkAdd(b *testing.B) {
	f := newFake(session())
	e := made(13, event.ObjectOpen, shell, "msg", 0, 0x6c54b6c4, "writer")
	for b.Loop() {
		f.memory.add(e, f.inventory)
	}
}
