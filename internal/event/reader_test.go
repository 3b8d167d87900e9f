package event_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
)

// often is every field of an event that happens often.
func often(kind string) *event.Event {
	e := every(kind)
	e.Object.State, e.History, e.Lost, e.State, e.Start, e.Stop, e.Seal = nil, nil, nil, nil, nil, nil, nil
	return e
}

// TestReader: the lines of which there are many are read without encoding/json, and so
// are the same.
func TestReader(t *testing.T) {
	lines := [][]byte{often("shm").AppendJSON(nil), often("mq").AppendJSON(nil)}
	for _, x := range append(session, elsewhere...) {
		e := x.event
		seldom := e.History != nil || e.Lost != nil || e.State != nil || e.Start != nil || e.Stop != nil || e.Seal != nil ||
			e.Object != nil && e.Object.State != nil
		escaped := strings.Contains(x.line, `\u`) || strings.Contains(x.line, "_hex")
		if !seldom && !escaped {
			lines = append(lines, []byte(x.line))
		}
	}
	if len(lines) < 10 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		for _, end := range []string{"", "\n"} {
			line := append(bytes.TrimSpace(line), end...)
			if !event.IsOwn(line) {
				t.Errorf("left to encoding/json: %q", line)
			}
			checkAsAny(t, line)
		}
	}
}

// TestReaderLeaves: a line that is not quite such a one is read as encoding/json does.
func TestReaderLeaves(t *testing.T) {
	line := string(often("shm").AppendJSON(nil))
	for _, test := range []struct{ name, old, new string }{
		{"a space", `,"seq":`, `, "seq":`},
		{"another order", `{"v":1,`, `{"abi":"x32","v":1,`},
		{"twice", `{"v":1,`, `{"v":1,"v":1,`},
		{"nothing before the comma", `{"v":1,`, `{,"v":1,`},
		{"another field", `{"v":1,`, `{"v":1,"new":2,`},
		{"upper case", `"seq":`, `"SEQ":`},
		{"null", `"cause":"`, `"cause":null,"errno":"`},
		{"a fraction", `"v":1,`, `"v":1.0,`},
		{"a zero before it", `"v":1,`, `"v":01,`},
		{"no digits", `"v":1,`, `"v":-,`},
		{"a text for a number", `"v":1,`, `"v":"1",`},
		{"an escape", `"abi":"`, `"abi":"\u0041`},
		{"no Unicode", `"abi":"`, "\"abi\":\"\xff"},
		{"a control character", `"abi":"`, "\"abi\":\"\t"},
		{"a long text", `"abi":"`, `"abi":"` + strings.Repeat("a", 257)},
		{"many texts", `"flags":[`, `"flags":[` + strings.Repeat(`"a",`, 64)},
		{"a comma at the end of a list", `"flags":["`, `"flags":["a",],"uid":3,"size":["`},
		{"more than 32 bits", `"gen":`, `"gen":99999999`},
		{"more than 64 bits", `"inode":`, `"inode":99999999999999999999`},
		{"a key that is none", `"key":"0x`, `"key":"zz`},
		{"a mode that is none", `"mode":"`, `"mode":"9`},
		{"a time that is none", `"time":"1970`, `"time":"197`},
		{"another version", `{"v":1,`, `{"v":2,`},
		{"half a line", `"abi":"`, ``},
		{"more behind it", `{"v":1,`, `{"v":1}{"v":1,`},
	} {
		changed := strings.Replace(line, test.old, test.new, 1)
		if changed == line {
			t.Errorf("%s: the line is the same", test.name)
		}
		if event.IsOwn([]byte(changed)) && test.name != "another version" {
			t.Errorf("%s: taken for its own: %s", test.name, changed)
		}
		checkAsAny(t, []byte(changed))
	}
}

// checkAsAny: however a line is read, it says the same.
func checkAsAny(t *testing.T, line []byte) {
	t.Helper()
	got, err := event.Parse(line)
	want, wantErr := event.ParseAny(line)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%v, want %v: %q", err, wantErr, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s\n%q", diff, line)
	}
}

func FuzzReader(f *testing.F) {
	for _, kind := range []string{"shm", "mq"} {
		f.Add(often(kind).AppendJSON(nil))
	}
	for _, x := range append(session, elsewhere...) {
		f.Add(bytes.TrimSpace([]byte(x.line)))
	}
	f.Fuzz(checkAsAny)
}
