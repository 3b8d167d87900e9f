package event_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
)

// longest is how long a text may be that Parse has read.
func longest(name string) int {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "Comm", "ParentComm":
		return 16
	case "Label", "Name", "Cgroup", "File", "Gaps", "Image":
		return 4096 + 256
	case "Filters":
		return 192 << 10
	}
	return 256
}

// eachText visits the texts of an event, and says what is in the way to them.
func eachText(v reflect.Value, name string, visit func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachText(v.Elem(), name, visit)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachText(v.Index(i), name, visit)
		}
	case reflect.Struct:
		for i, field := range reflect.VisibleFields(v.Type()) {
			if field.IsExported() {
				eachText(v.Field(i), name+"."+field.Name, visit)
			}
		}
	case reflect.String:
		visit(name, v)
	}
}

// TestLong: texts as long as any that this program writes come through, longer ones
// are cut.
func TestLong(t *testing.T) {
	for _, letter := range []string{"x", "茶"} {
		e := every("mq")
		fill := func(more int) {
			eachText(reflect.ValueOf(e), "", func(name string, v reflect.Value) {
				if !strings.HasPrefix(name, ".Seal.") && name != ".Object.Kind" {
					v.SetString(strings.Repeat(letter, longest(name)/len(letter)+more))
				}
			})
		}
		fill(0)
		e.Seal.CRCs = strings.Repeat("0", 8<<16)
		e.Object.Flags = strings.Split(strings.Repeat("x", 64), "")
		checkLine(t, e)
		want := string(e.AppendJSON(nil))
		fill(1)
		e.Object.Flags = append(strings.Split(strings.Repeat("x", 64), ""), "y")
		got, err := event.Parse(e.AppendJSON(nil))
		if err != nil {
			t.Fatal(err)
		}
		if string(got.AppendJSON(nil)) != want {
			t.Errorf("%s: not cut to what comes through", letter)
		}
	}
	e := every("mq")
	e.Process.Comm, e.Object.Kind = strings.Repeat("\xff", 1000), strings.Repeat("x", 1000)
	got, err := event.Parse(e.AppendJSON(nil))
	if err != nil || len(got.Process.Comm) > 16 || len(got.Object.Kind) != 256 {
		t.Errorf("%v: %q, %q", err, got.Process.Comm, got.Object.Kind)
	}
}
