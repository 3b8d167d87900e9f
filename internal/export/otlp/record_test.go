package otlp_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
)

// fill gives all that v is made of a value that is not zero. Text is no UTF-8.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(began))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.String:
		v.SetString("x\x1b\xff\xfe")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	default:
		panic(v.Type())
	}
}

// full is an event that has all there is.
func full(kind string) *event.Event {
	var e event.Event
	fill(reflect.ValueOf(&e).Elem())
	e.Object.Kind, e.Object.Bare = kind, false
	e.Seal, e.Start.Log = nil, nil // of files
	e.Container.Image = "registry:5000/team/app:1.2@sha256:55"
	return &e
}

// leaves are the fields that have no others, by where they are: "object.id".
func leaves(at string, v any, all map[string]bool) {
	object, ok := v.(map[string]any)
	if !ok {
		all[at] = true
		return
	}
	for name, v := range object {
		leaves(strings.TrimPrefix(at+"."+name, "."), v, all)
	}
}

// documented is the table of docs/otlp.md: attributes by field.
func documented(t *testing.T) map[string][]string {
	text, err := os.ReadFile("../../../docs/otlp.md")
	must(t, err)
	_, table, _ := strings.Cut(string(text), "| of the event | attribute |")
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (?:`(.*?)`)? ?\\| (.*) \\|$").FindAllStringSubmatch(table, -1) {
		for _, name := range regexp.MustCompile("`(.*?)`").FindAllStringSubmatch(row[2], -1) {
			rows[row[1]] = append(rows[row[1]], name[1])
		}
		if rows[row[1]] == nil {
			rows[row[1]] = []string{}
		}
	}
	return rows
}

// TestRecordIsWhole: each field of an event has the attributes that docs/otlp.md says,
// each once, and there are no others. All text is UTF-8.
func TestRecordIsWhole(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	o := open(t, otlp.Config{Endpoint: s.URL})
	sent := []*event.Event{full("shm"), full("mq")}
	write(t, o, sent...)
	must(t, closeWithin(t, o, time.Minute))
	rows := documented(t)
	used := map[string]bool{"": true}
	for i, r := range s.all() {
		var line any
		must(t, json.Unmarshal(sent[i].AppendJSON(nil), &line))
		fields := map[string]bool{"": true}
		leaves("", line, fields)
		want := map[string]bool{}
		for field := range fields {
			if _, ok := rows[field]; !ok {
				t.Errorf("docs/otlp.md: nothing about %s", field)
			}
			used[field] = true
			for _, name := range rows[field] {
				want[name] = name != "ipc.version" && name != "container.image.id"
			}
		}
		maps.DeleteFunc(want, func(_ string, of bool) bool { return !of }) // of the scope
		got := map[string]bool{}
		for _, a := range r.Attributes {
			if got[a.Key] {
				t.Errorf("%s twice", a.Key)
			}
			got[a.Key] = true
			if text := a.Value.GetStringValue(); !utf8.ValidString(text) {
				t.Errorf("%s: %q", a.Key, text)
			}
		}
		same(t, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for field := range rows {
		if !used[field] {
			t.Errorf("docs/otlp.md: there is no %s", field)
		}
	}
}

// TestRecord: what there is to decide.
func TestRecord(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	o := open(t, otlp.Config{Endpoint: s.URL})
	fail := func(errno string) *event.Event {
		return &event.Event{Time: began, Event: event.ObjectFail, Errno: errno, Object: &event.Object{Kind: "shm", Size: new(uint64(math.MaxUint64))}}
	}
	bare := &event.Event{Time: began, Event: event.ObjectRemove, Cause: event.CauseRMID, Object: &event.Object{Kind: "sem", ID: new(int32(-3)), Bare: true}}
	write(t, o, fail("EEXIST"), fail("ENOSPC"), bare, &event.Event{Time: began, Event: event.TraceLost, Lost: &event.Lost{Count: 3, AtMost: true}})
	must(t, closeWithin(t, o, time.Minute))
	var got []string
	for _, r := range s.all() {
		got = append(got, r.SeverityText+" "+r.EventName+": "+r.Body.GetStringValue())
	}
	same(t, got, []string{
		"INFO ipctrace.object.fail: object.fail shm key 0x00000000 EEXIST",
		"WARN ipctrace.object.fail: object.fail shm key 0x00000000 ENOSPC",
		"INFO ipctrace.object.remove: object.remove sem -3 by rmid",
		"WARN ipctrace.trace.lost: trace.lost: at most 3 missing here",
	})
	all := s.all()
	if size := all[0].attribute("ipc.size").GetStringValue(); size != "18446744073709551615" {
		t.Errorf("size %q", size)
	}
	if all[2].attribute("ipc.mode") != nil || all[2].attribute("ipc.key") != nil || all[2].attribute("ipc.id").GetIntValue() != -3 {
		t.Errorf("%v", all[2])
	}
	if r := all[0]; r.TimeUnixNano != uint64(began.UnixNano()) || r.ObservedTimeUnixNano == 0 || find(r.resource, "host.name") == nil || find(r.resource, "host.arch") == nil {
		t.Errorf("%v %v", r, r.resource)
	}
}
