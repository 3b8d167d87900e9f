package event_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
)

// TestEncoder: an Encoder writes what AppendJSON does, whatever it wrote before.
func TestEncoder(t *testing.T) {
	var encoder event.Encoder
	same := func(e *event.Event) {
		t.Helper()
		if diff := cmp.Diff(string(e.AppendJSON([]byte("before"))), string(encoder.AppendJSON([]byte("before"), e))); diff != "" {
			t.Fatal(diff)
		}
	}
	for range 2 {
		for _, x := range append(session, elsewhere...) {
			same(&x.event)
		}
	}
	for _, kind := range []string{"shm", "mq"} {
		e := every(kind)
		for _, from := range []*event.Namespace{e.From, nil} { // events that have none are the many
			e.From = from
			same(e)
			changed := func() { same(e); same(e) }
			eachField(reflect.ValueOf(e).Elem(), changed)
			e.Time = time.Date(12345, 6, 7, 8, 9, 10, 11, time.FixedZone("", 3600))
			changed()
			e.Time = time.Date(-1, 6, 7, 8, 9, 10, 11, time.UTC)
			changed()
		}
	}
}

// eachField changes each field in its place, one after the other, and back.
func eachField(v reflect.Value, changed func()) {
	old := reflect.New(v.Type()).Elem()
	old.Set(v)
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		eachField(v.Elem(), changed)
		v.SetZero()
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok {
			v.Set(reflect.ValueOf(at.Add(time.Second)))
			break
		}
		for i := range v.NumField() {
			eachField(v.Field(i), changed)
		}
		return
	case reflect.Slice:
		eachField(v.Index(0), changed)
		v.SetLen(1)
	case reflect.String:
		v.SetString(v.String() + "\"\xff")
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(-v.Int())
	default:
		v.SetUint(v.Uint() + 1)
	}
	changed()
	v.Set(old)
	changed()
}
