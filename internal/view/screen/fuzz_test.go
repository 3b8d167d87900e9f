package screen

import (
	"bytes"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
)

// FuzzScreen shows whatever a log has, wherever keys lead.
func FuzzScreen(f *testing.F) {
	var log []byte
	for _, e := range crowd() {
		e.V = event.Version
		log = append(e.AppendJSON(log), '\n')
	}
	f.Add(log[:8000], "jd?", uint8(80), uint8(24))
	f.Add([]byte(`{"v":1,"event":"object.create","ns":{},"object":{"kind":"mq","name":"\u001b"}}`), "\tjd/", uint8(1), uint8(2))
	f.Add([]byte(`{"v":1,"event":"trace.lost"}`+"\n"+`{"v":1,"event":"namespace.free","ns":{"inode":1}}`), "apjG", uint8(250), uint8(90))
	f.Fuzz(func(t *testing.T, log []byte, keys string, columns, rows uint8) {
		fake := newFake(nil)
		m := fake.model(max(1, int(columns)), max(1, int(rows)))
		for line := range bytes.Lines(log) {
			if e, err := event.Parse(line); err == nil {
				fake.add(e)
			}
		}
		m.Update(tick{})
		fits(t, m)
		for _, key := range keys[:min(len(keys), 20)] {
			if key == '\t' {
				press(m, "tab")
			} else {
				press(m, string(key), "enter")
			}
			fits(t, m)
		}
	})
}
