package view

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/snapshot"
)

// FuzzViews shows any log that can be read in every way there is: each event is
// one line, and nothing unprintable comes through.
func FuzzViews(f *testing.F) {
	var log []byte
	for _, e := range session() {
		log = append(e.AppendJSON(log), '\n')
	}
	f.Add(log)
	for _, e := range life() {
		e.V = event.Version
		f.Add(append(e.AppendJSON(nil), '\n'))
	}
	f.Add([]byte(`{"v":1,"event":"object.remove","cause":"\u001b[2J","observed":"\n","ns":{},"from":{"label":"\u202e"},"object":{"kind":"mq","name":"/\u001b"}}`))
	f.Add([]byte(`{"v":1,"event":"trace.start","start":{"tier":"\u001b[2J"}}` + "\n" + `{"v":1,"event":"trace.stop","stop":{}}`))
	f.Add([]byte(`{"v":1,"event":"object.create","ns":{},"object":{"kind":"\u202e","id":0},"container":{"id":"\n"},"process":{}}`))
	f.Fuzz(func(t *testing.T, log []byte) {
		v := inventory.New(inventory.Limits{})
		var out bytes.Buffer
		lines := NewLines(&out, plainOptions())
		book := ledger.New(&snapshot.Snapshot{})
		listed := ListedNamespace{Note: string(log), Pins: []string{string(log)}}
		for line := range bytes.Lines(log) {
			e, err := event.Parse(line)
			if err != nil {
				continue
			}
			v.Apply(e)
			book.Apply(e)
			listed.Objects = append(listed.Objects, ListedObject{Object: e.Object, Orphan: string(e.Cause), CreatorComm: string(e.Event)})
			if text := compactRow(compactColumns, e, plainOptions()).Text; strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Fatalf("unprintable: %q", text)
			}
			before := bytes.Count(out.Bytes(), []byte("\n"))
			if err := lines.Write(e); err != nil {
				t.Fatal(err)
			}
			check(t, bytes.Count(out.Bytes(), []byte("\n")), before+1)
		}
		if err := Table(&out, v, at(60), plainOptions()); err != nil {
			t.Fatal(err)
		}
		if err := Listing(&out, []ListedNamespace{listed}, plainOptions()); err != nil {
			t.Fatal(err)
		}
		a := book.Settle(&snapshot.Snapshot{}, nil, func(*event.Namespace) bool { return len(log)%2 == 0 })
		doubt := leftovers(a.Doubt)
		for i := range doubt {
			doubt[i].Note = a.Doubt[i].Why
		}
		if err := Account(&out, a, leftovers(a.Left), leftovers(a.InUse), doubt, plainOptions()); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U came through", r)
			}
		}
	})
}
