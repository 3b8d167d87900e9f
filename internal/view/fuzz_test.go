package view

import (
	"bytes"
	"testing"
	"unicode"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

// FuzzViews shows any log that can be read in every way there is: each event is
// one line, and nothing unprintable comes through.
func FuzzViews(f *testing.F) {
	var log []byte
	for _, e := range session() {
		log = append(e.AppendJSON(log), '\n')
	}
	f.Add(log)
	f.Add([]byte(`{"v":1,"event":"trace.start","start":{"tier":"\u001b[2J"}}` + "\n" + `{"v":1,"event":"trace.stop","stop":{}}`))
	f.Add([]byte(`{"v":1,"event":"object.create","ns":{},"object":{"kind":"\u202e","id":0},"container":{"id":"\n"},"process":{}}`))
	f.Fuzz(func(t *testing.T, log []byte) {
		v := inventory.New(inventory.Limits{})
		var out bytes.Buffer
		lines := NewLines(&out, plainOptions())
		for line := range bytes.Lines(log) {
			e, err := event.Parse(line)
			if err != nil {
				continue
			}
			v.Apply(e)
			before := bytes.Count(out.Bytes(), []byte("\n"))
			if err := lines.Write(e); err != nil {
				t.Fatal(err)
			}
			check(t, bytes.Count(out.Bytes(), []byte("\n")), before+1)
		}
		if err := Table(&out, v, at(60), plainOptions()); err != nil {
			t.Fatal(err)
		}
		rows, err := frame(v, status(), 80, 24, plainOptions())
		if err != nil {
			t.Fatal(err)
		}
		check(t, len(rows), 24)
		for _, r := range rows {
			out.WriteString(r.text + "\n")
		}
		for _, r := range out.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U came through", r)
			}
		}
	})
}
