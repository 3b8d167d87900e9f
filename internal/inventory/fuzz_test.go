package inventory

import (
	"bytes"
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
	f.Fuzz(func(t *testing.T, log []byte) {
		limits := Limits{Namespaces: 2, Objects: 3, Recent: 2}
		v := New(limits)
		for line := range bytes.Lines(log) {
			if e, err := event.Parse(line); err == nil {
				v.Apply(e)
				consistent(t, v, limits)
			}
		}
		sum := v.Totals()
		if sum.Events != sum.Created+sum.Opened+sum.Got+sum.Failed {
			t.Errorf("totals do not add up: %+v", sum)
		}
	})
}
