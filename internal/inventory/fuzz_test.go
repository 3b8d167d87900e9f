package inventory

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
)

// FuzzApply takes in any log that can be read.
func FuzzApply(f *testing.F) {
	var log []byte
	for i, typ := range event.Types {
		log = append(call(i, typ, 1, "msg", 0, 5).AppendJSON(log), '\n')
	}
	f.Add(log)
	f.Add([]byte(`{"v":1,"event":"object.create"}`))
	f.Add([]byte(`{"v":1,"event":"trace.lost","lost":{"count":3}}`))
	f.Add([]byte(`{"v":1,"event":"object.get","ns":{"inode":1},"object":{"id":-1}}`))
	r := newRandom(1)
	log = nil
	for range 40 {
		e := r.event()
		e.V = event.Version
		log = append(e.AppendJSON(log), '\n')
	}
	f.Add(log)
	state := told(applied(Limits{}, life(1, event.ObjectCreate, "shm", 1), life(2, event.ObjectCreate, mq, 0, queue("/a", 3))), 5)
	f.Add([]byte(strings.Join(state, "\n")))
	f.Fuzz(func(t *testing.T, log []byte) {
		limits := Limits{Namespaces: 2, Ended: 1, Objects: 3, Gone: 2}
		v := New(limits)
		for line := range bytes.Lines(log) {
			e, err := event.Parse(line)
			if err != nil {
				continue
			}
			v.Apply(e)
			consistent(t, v, limits)
			consistent(t, v.Clone(), limits)
			if e.Event == event.ObjectCreate && e.NS != nil && identified(e.Object) && !v.Has(e) {
				t.Fatalf("what was made is not known: %s", line)
			}
		}
	})
}
