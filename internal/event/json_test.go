package event_test

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
)

// every is an event with every field that the kind of object has, none of them
// zero but Bare, each a little different.
func every(kind string) *event.Event {
	var n uint64
	var fill func(reflect.Value)
	fill = func(v reflect.Value) {
		n++
		switch v.Interface().(type) {
		case time.Time:
			v.Set(reflect.ValueOf(time.Unix(int64(n), int64(n)).UTC()))
			return
		}
		switch v.Kind() {
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0))
			fill(v.Index(1))
		case reflect.String:
			v.SetString("x" + strconv.FormatUint(n, 10))
		case reflect.Bool:
			v.SetBool(true)
		case reflect.Int, reflect.Int32, reflect.Int64:
			v.SetInt(int64(n))
		case reflect.Uint16, reflect.Uint32, reflect.Uint64:
			v.SetUint(n)
		default:
			panic("a field of a new kind: " + v.Kind().String())
		}
	}
	e := new(event.Event)
	fill(reflect.ValueOf(e).Elem())
	e.V = event.Version
	e.Object.Kind, e.Object.Bare = kind, false
	if kind == "mq" {
		e.Object.Key = 0
	} else {
		e.Object.Name, e.Object.Inode = "", nil
	}
	return e
}

// TestNoFieldForgotten: what the Go types can hold is written and read.
func TestNoFieldForgotten(t *testing.T) {
	for _, kind := range []string{"shm", "mq"} {
		want := every(kind)
		got, err := event.Parse(want.AppendJSON(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", kind, diff)
		}
	}
}

// TestParts: a namespace or an object alone is written as in an event.
func TestParts(t *testing.T) {
	for _, kind := range []string{"shm", "mq"} {
		e := every(kind)
		line := string(e.AppendJSON(nil))
		for name, part := range map[string]json.Marshaler{
			"ns": e.NS, "object": e.Object, "process": e.Process, "container": e.Container,
		} {
			text, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			if want := `"` + name + `":` + string(text); !strings.Contains(line, want) {
				t.Errorf("no %s in %s", want, line)
			}
		}
	}
}

// TestNames holds the names of the contract, and the JSON type of each. Only
// additions are allowed here.
func TestNames(t *testing.T) {
	want := map[string]string{
		"v": "number", "seq": "number", "time": "string", "boot_ns": "number", "event": "string", "observed": "string",
		"ns": "object", "ns.inode": "number", "ns.gen": "number", "ns.id": "number", "ns.initial": "bool", "ns.label": "string",
		"from": "object", "from.inode": "number", "from.gen": "number", "from.id": "number", "from.initial": "bool", "from.label": "string",
		"object": "object", "object.kind": "string", "object.id": "number", "object.key": "string", "object.size": "number",
		"object.nsems": "number", "object.mode": "string", "object.flags": "array", "object.uid": "number", "object.gid": "number",
		"object.name": "string", "object.ino": "number", "object.maxmsg": "number", "object.msgsize": "number",
		"object.state": "object", "object.state.messages": "number", "object.state.bytes": "number", "object.state.nattch": "number",
		"object.state.cpid": "number", "object.state.lpid": "number", "object.state.lspid": "number", "object.state.lrpid": "number",
		"object.state.cuid": "number", "object.state.cgid": "number", "object.state.ctime": "string", "object.state.dest": "bool",
		"cause": "string", "errno": "string",
		"process": "object", "process.pid": "number", "process.tid": "number", "process.ns_pid": "number",
		"process.ppid": "number", "process.uid": "number", "process.gid": "number", "process.comm": "string",
		"process.parent_comm": "string", "process.cgroup_id": "number", "process.cgroup": "string",
		"process.followed": "bool",
		"container":        "object", "container.id": "string", "container.runtime": "string",
		"container.name": "string", "container.image": "string", "container.pod": "string", "container.pod_namespace": "string",
		"syscall": "string", "abi": "string",
		"history": "object", "history.first": "string", "history.time": "string", "history.boot_ns": "number",
		"history.marked": "string", "history.opens": "number", "history.last_user": "object",
		"state": "object", "state.namespaces": "number", "state.objects": "number", "state.forgotten": "number",
		"lost": "object", "lost.count": "number", "lost.from": "string", "lost.to": "string", "lost.at_most": "bool",
		"lost.stage": "string",
		"start":      "object", "start.tool": "string", "start.host": "string", "start.boot_id": "string",
		"start.kernel": "string", "start.arch": "string", "start.tier": "string", "start.gaps": "array",
		"start.filters": "array", "start.namespaces": "number", "start.unreadable": "number", "start.clock_offset_ns": "number",
		"start.objects": "number", "start.log": "object", "start.log.id": "string", "start.log.file": "string", "start.log.part": "number",
		"start.log.after": "string", "start.log.torn": "object", "start.log.torn.file": "string",
		"start.log.torn.bytes": "number", "start.log.torn.sha256": "string",
		"stop": "object", "stop.reason": "string", "stop.produced": "number", "stop.delivered": "number",
		"stop.lost": "number", "stop.skipped": "number", "stop.filtered": "number", "stop.written": "number",
		"stop.found": "number", "stop.dropped": "number", "stop.cgroups_lost": "number",
		"seal": "object", "seal.first": "number", "seal.last": "number", "seal.late": "bool", "seal.crcs": "string",
		"seal.key": "string", "seal.hash": "string", "seal.signature": "string", "seal.crc": "string",
	}
	for name, of := range want {
		if field, ok := strings.CutPrefix(name, "process."); ok {
			want["history.last_user."+field] = of
		}
	}
	got := names(t, every("shm").AppendJSON(nil))
	maps.Copy(got, names(t, every("mq").AppendJSON(nil)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// names are the paths of all values in a line, with their JSON types.
func names(t *testing.T, line []byte) map[string]string {
	t.Helper()
	var top map[string]any
	if err := json.Unmarshal(line, &top); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	var walk func(prefix string, o map[string]any)
	walk = func(prefix string, o map[string]any) {
		for name, v := range o {
			switch v := v.(type) {
			case map[string]any:
				all[prefix+name] = "object"
				walk(prefix+name+".", v)
			case []any:
				all[prefix+name] = "array"
			case string:
				all[prefix+name] = "string"
			case float64:
				all[prefix+name] = "number"
			case bool:
				all[prefix+name] = "bool"
			default:
				t.Errorf("%s%s: %v", prefix, name, v)
			}
		}
	}
	walk("", top)
	return all
}

// TestAbsent: zero is a value, so what a line leaves out is fixed too.
func TestAbsent(t *testing.T) {
	for _, test := range []struct {
		name  string
		event event.Event
		want  []string
	}{
		{"nothing known", event.Event{}, []string{"boot_ns", "event", "seq", "time", "v"}},
		{"namespace without an id", event.Event{NS: &event.Namespace{}},
			[]string{"ns", "ns.gen", "ns.inode", "ns.initial", "ns.label"}},
		{"failed call", event.Event{Object: &event.Object{}},
			[]string{"object", "object.flags", "object.key", "object.kind", "object.mode"}},
		{"POSIX queue", event.Event{Object: &event.Object{Kind: "mq"}},
			[]string{"object", "object.flags", "object.kind", "object.mode", "object.name"}},
		{"object of which nothing but its id is known", event.Event{Object: &event.Object{Kind: "shm", ID: new(int32), Bare: true}},
			[]string{"object", "object.id", "object.kind"}},
		{"the same with its key", event.Event{Object: &event.Object{Kind: "shm", ID: new(int32), Key: 1, Bare: true}},
			[]string{"object", "object.id", "object.key", "object.kind"}},
		{"queue of which nothing but its name is known", event.Event{Object: &event.Object{Kind: "mq", Name: "/a", Bare: true}},
			[]string{"object", "object.kind", "object.name"}},
		{"state of which nothing was readable", event.Event{Object: &event.Object{Kind: "mq", State: &event.State{}}},
			[]string{"object", "object.flags", "object.kind", "object.mode", "object.name", "object.state", "object.state.dest"}},
		{"state of nothing but zeros", event.Event{Object: &event.Object{State: &event.State{
			Messages: new(uint64), Bytes: new(uint64), Attached: new(uint64), CPID: new(uint32), LPID: new(uint32),
			LSPID: new(uint32), LRPID: new(uint32), CUID: new(uint32), CGID: new(uint32), CTime: time.Unix(0, 0).UTC(),
		}}}, []string{
			"object", "object.flags", "object.key", "object.kind", "object.mode", "object.state", "object.state.bytes",
			"object.state.cgid", "object.state.cpid", "object.state.ctime", "object.state.cuid", "object.state.dest",
			"object.state.lpid", "object.state.lrpid", "object.state.lspid", "object.state.messages", "object.state.nattch",
		}},
		{"process 0 of root", event.Event{Process: &event.Process{}}, []string{
			"process", "process.cgroup_id", "process.comm", "process.gid", "process.parent_comm", "process.pid",
			"process.ppid", "process.tid", "process.uid",
		}},
		{"object 0 of root", event.Event{Object: &event.Object{
			ID: new(int32), Size: new(uint64), NSems: new(int32), UID: new(uint32), GID: new(uint32),
			MaxMsg: new(int64), MsgSize: new(int64),
		}}, []string{
			"object", "object.flags", "object.gid", "object.id", "object.key", "object.kind", "object.maxmsg", "object.mode",
			"object.msgsize", "object.nsems", "object.size", "object.uid",
		}},
		{"loss", event.Event{Lost: &event.Lost{}}, []string{"lost", "lost.at_most", "lost.count", "lost.from", "lost.to"}},
		{"start", event.Event{Start: &event.Start{}}, []string{
			"start", "start.arch", "start.boot_id", "start.clock_offset_ns", "start.filters", "start.gaps", "start.host",
			"start.kernel", "start.namespaces", "start.objects", "start.tier", "start.tool", "start.unreadable",
		}},
		{"stop", event.Event{Stop: &event.Stop{}}, []string{
			"stop", "stop.delivered", "stop.dropped", "stop.filtered", "stop.found", "stop.lost", "stop.produced", "stop.reason", "stop.skipped",
			"stop.written",
		}},
		{"log", event.Event{Start: &event.Start{Log: &event.Log{}}}, []string{
			"start", "start.arch", "start.boot_id", "start.clock_offset_ns", "start.filters", "start.gaps", "start.host",
			"start.kernel", "start.log", "start.log.id", "start.log.part", "start.namespaces", "start.objects", "start.tier",
			"start.tool", "start.unreadable",
		}},
		{"seal", event.Event{Seal: &event.Seal{}}, []string{"seal", "seal.crc", "seal.crcs", "seal.first", "seal.hash", "seal.last"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.event.V = event.Version
			line := test.event.AppendJSON(nil)
			got := names(t, line)
			for _, name := range []string{"boot_ns", "event", "seq", "time", "v"} {
				if len(test.want) > 0 && !slices.Contains(test.want, name) {
					delete(got, name)
				}
			}
			if diff := cmp.Diff(slices.Sorted(slices.Values(test.want)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			e, err := event.Parse(line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.event, e, equal); diff != "" {
				t.Errorf("read back, -want +got:\n%s", diff)
			}
		})
	}
}

// TestBare: what nobody knows is not written, even if something is there.
func TestBare(t *testing.T) {
	e := every("shm")
	e.Object.Bare = true
	line := e.AppendJSON(nil)
	got := names(t, line)
	for _, name := range []string{"object.mode", "object.flags"} {
		if got[name] != "" {
			t.Errorf("%s in %s", name, line)
		}
	}
	back, err := event.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	if !back.Object.Bare || back.Object.Mode != 0 || back.Object.Flags != nil || back.Object.Key != e.Object.Key {
		t.Errorf("read back as %+v", back.Object)
	}
	if again := string(back.AppendJSON(nil)); again != string(line) {
		t.Errorf("written again: %s\nnot %s", again, line)
	}
}

// TestExtremes: every number of 64 bits comes through as it is.
func TestExtremes(t *testing.T) {
	e := event.Event{
		V: event.Version, Seq: 1<<64 - 1, BootNS: -1 << 63, Event: event.ObjectCreate,
		NS: &event.Namespace{Inode: 1<<64 - 1, Gen: 1<<32 - 1, ID: 1<<64 - 1},
		Object: &event.Object{
			Kind: "shm", ID: new(int32(1<<31 - 1)), Key: -1, Size: new(uint64(1<<64 - 1)), NSems: new(int32(-1)),
			Mode: 0o777, UID: new(uint32(1<<32 - 1)), GID: new(uint32(1<<32 - 1)), MaxMsg: new(int64(-1 << 63)), MsgSize: new(int64(1<<63 - 1)),
			State: &event.State{
				Messages: new(uint64(1<<64 - 1)), Bytes: new(uint64(1<<64 - 1)), Attached: new(uint64(1<<64 - 1)),
				CPID: new(uint32(1<<32 - 1)), CUID: new(uint32(1<<32 - 1)),
			},
		},
		Process: &event.Process{PID: 1<<32 - 1, CgroupID: 1<<64 - 1},
		Stop:    &event.Stop{Produced: 1<<64 - 1},
	}
	got, err := event.Parse(e.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&e, got, equal); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

var texts = []struct{ name, text, want string }{
	{"empty", "", `""`},
	{"plain", "my prog:1/u", `"my prog:1/u"`},
	{"quote and backslash", `a"b\c`, `"a\"b\\c"`},
	{"not HTML", "<&>'", `"<&>'"`},
	{"C0", "\x00\a\b\t\n\f\r\x1b[2J", `"\u0000\u0007\u0008\u0009\u000a\u000c\u000d\u001b[2J"`},
	{"delete", "a\x7f", `"a\u007f"`},
	{"C1", "\u0080\u0085\u009b31m", `"\u0080\u0085\u009b31m"`},
	{"line separators", "\u2028\u2029", `"\u2028\u2029"`},
	{"bidi", "\u202e\u2066\u2069\u061c", `"\u202e\u2066\u2069\u061c"`},
	{"invisible", "\u00ad\u200b\ufeff\u00a0", `"\u00ad\u200b\ufeff\u00a0"`},
	{"private use", "\ue000", `"\ue000"`},
	{"letters", "čaj 茶 😀", `"čaj 茶 😀"`},
	{"astral, not printable", "\U000e0001\U0010ffff", `"\udb40\udc01\udbff\udfff"`},
	{"the first astral", "\U00010000", `"𐀀"`},
	{"replacement character", "\ufffd", `"` + "\ufffd" + `"`},
}

func TestText(t *testing.T) {
	for _, test := range texts {
		t.Run(test.name, func(t *testing.T) {
			e := &event.Event{V: event.Version, Process: &event.Process{Comm: test.text}}
			line := string(e.AppendJSON(nil))
			if want := `"comm":` + test.want + `,"parent_comm"`; !strings.Contains(line, want) {
				t.Errorf("no %s in %s", want, line)
			}
			checkForeign(t, test.text)
		})
	}
}

// TestNotUnicode: the bytes themselves are beside what JSON can hold of them.
func TestNotUnicode(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"caf\xe9", `"comm":"caf` + "\ufffd" + `","comm_hex":"636166e9"`},
		{"\xff\xfe", `"comm":"` + "\ufffd\ufffd" + `","comm_hex":"fffe"`},
		{"\xed\xa0\x80", `"comm":"` + "\ufffd\ufffd\ufffd" + `","comm_hex":"eda080"`}, // half a surrogate pair
		{"\xe2\x80", `"comm":"` + "\ufffd\ufffd" + `","comm_hex":"e280"`},             // cut by the 15 bytes of a comm
		{"\x9b\"", `"comm":"` + "\ufffd" + `\"","comm_hex":"9b22"`},
	} {
		e := &event.Event{V: event.Version, Process: &event.Process{Comm: test.text}}
		if line := string(e.AppendJSON(nil)); !strings.Contains(line, test.want+`,"parent_comm"`) {
			t.Errorf("%q: no %s in %s", test.text, test.want, line)
		}
		checkForeign(t, test.text)
	}
}

// checkForeign puts text in every place that takes text of others.
func checkForeign(t *testing.T, text string) {
	t.Helper()
	e := &event.Event{
		V:         event.Version,
		NS:        &event.Namespace{Label: text},
		From:      &event.Namespace{Label: text},
		Object:    &event.Object{Kind: "mq", Name: text},
		Process:   &event.Process{Comm: text, ParentComm: text, Cgroup: text},
		Container: &event.Container{ID: strings.ToValidUTF8(text, ""), Runtime: "docker", Name: strings.ToValidUTF8(text, "")},
	}
	checkLine(t, e)
	line := e.AppendJSON(nil)
	var raw struct {
		NS struct {
			Label string `json:"label_hex"`
		}
		From struct {
			Label string `json:"label_hex"`
		}
		Object struct {
			Name string `json:"name_hex"`
		}
		Process struct {
			Comm   string `json:"comm_hex"`
			Parent string `json:"parent_comm_hex"`
			Cgroup string `json:"cgroup_hex"`
		}
	}
	if err := json.Unmarshal(line, &raw); err != nil {
		t.Fatal(err)
	}
	want := ""
	if !utf8.ValidString(text) {
		want = hex.EncodeToString([]byte(text))
	}
	for name, got := range map[string]string{
		"label": raw.NS.Label, "from's label": raw.From.Label, "name": raw.Object.Name, "comm": raw.Process.Comm, "parent_comm": raw.Process.Parent, "cgroup": raw.Process.Cgroup,
	} {
		if got != want {
			t.Errorf("%s_hex of %q is %q, want %q", name, text, got, want)
		}
	}
}

// checkLine holds what is true of every line: it is JSON, it may go to a
// terminal, and it reads back as the event it was.
func checkLine(t *testing.T, e *event.Event) {
	t.Helper()
	line := e.AppendJSON(nil)
	if !json.Valid(line) {
		t.Fatalf("not JSON: %q", line)
	}
	if !utf8.Valid(line) {
		t.Errorf("not UTF-8: %q", line)
	}
	for _, r := range string(line) {
		if !unicode.IsPrint(r) {
			t.Errorf("%U in %q", r, line)
		}
	}
	got, err := event.Parse(line)
	if err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	if diff := cmp.Diff(e, got, equal); diff != "" {
		t.Errorf("read back, -want +got:\n%s", diff)
	}
	if again := got.AppendJSON(nil); string(again) != string(line) {
		t.Errorf("written again: %s\nnot %s", again, line)
	}
}

var stamp = regexp.MustCompile(`"time":"([^"]*)"`)

// TestTime: nine digits and UTC always, so that lines compare as text.
func TestTime(t *testing.T) {
	east := time.FixedZone("", 5*3600+1800)
	for _, test := range []struct {
		time time.Time
		want string
	}{
		{time.Time{}, "0001-01-01T00:00:00.000000000Z"},
		{time.Unix(0, 0), "1970-01-01T00:00:00.000000000Z"},
		{time.Unix(1783999997, 1), "2026-07-14T03:33:17.000000001Z"},
		{time.Unix(1783999997, 500_000_000), "2026-07-14T03:33:17.500000000Z"},
		{time.Unix(1783999997, 999_999_999).In(east), "2026-07-14T03:33:17.999999999Z"},
		{time.Date(2026, 1, 1, 1, 0, 0, 0, east), "2025-12-31T19:30:00.000000000Z"},
	} {
		e := &event.Event{V: event.Version, Time: test.time, Lost: &event.Lost{From: test.time, To: test.time}}
		line := e.AppendJSON(nil)
		if got := stamp.FindSubmatch(line); got == nil || string(got[1]) != test.want {
			t.Errorf("%v: %s, want %s", test.time, line, test.want)
		}
		if n := strings.Count(string(line), test.want); n != 3 {
			t.Errorf("%v: time is %d times in %s, want 3", test.time, n, line)
		}
		checkLine(t, e)
	}
}

func TestParseRefuses(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	for _, test := range []struct{ name, line, want string }{
		{"nothing", "", "read event: unexpected end of JSON input"},
		{"text", "attached", "read event: invalid character 'a' looking for beginning of value"},
		{"half a line", `{"v":1,"seq":`, "read event: unexpected end of JSON input"},
		{"two", `{"v":1}{"v":1}`, "read event: invalid character '{' after top-level value"},
		{"array", `[]`, "read event: json: cannot unmarshal array into Go value of type event.Event"},
		{"null", `null`, "event of version 0: this program reads version 1"},
		{"no version", `{"seq":1}`, "event of version 0: this program reads version 1"},
		{"a version to come", `{"v":2}`, "event of version 2: this program reads version 1"},
		{"a version that changed a type", `{"v":2,"seq":"a","object":{"key":5}}`, "event of version 2: this program reads version 1"},
		{"a version that changed a text", `{"v":2,"object":{"key":"five"}}`, "event of version 2: this program reads version 1"},
		{"negative version", `{"v":-1}`, "event of version -1: this program reads version 1"},
		{"version as text", `{"v":"1"}`, "read event: json: cannot unmarshal string into Go struct field Event.v of type int"},
		{"negative seq", `{"v":1,"seq":-1}`, ""},
		{"fraction", `{"v":1,"boot_ns":1.5}`, ""},
		{"id of 33 bits", `{"v":1,"object":{"id":4294967296}}`, ""},
		{"key", `{"v":1,"object":{"key":"x"}}`, `read event: key "x": not a number of 32 bits`},
		{"key as number", `{"v":1,"object":{"key":5}}`, ""},
		{"mode", `{"v":1,"object":{"mode":"0x1"}}`, `read event: mode "0x1": not permission bits in octal`},
		{"hex", `{"v":1,"process":{"comm_hex":"6"}}`, ""},
		{"time", `{"v":1,"time":"now"}`, ""},
		{"delete in a time", `{"v":1,"time":"` + "\x7f" + `"}`, ""},
		{"long key", `{"v":1,"object":{"key":"` + long + `"}}`, ""},
		{"long mode", `{"v":1,"object":{"mode":"` + long + `"}}`, ""},
		{"long number", `{"v":1,"seq":` + long + `}`, ""},
		{"long time", `{"v":1,"time":"` + long + `"}`, ""},
		{"long wide time", `{"v":1,"time":"` + strings.Repeat("茶", 1000) + `"}`, ""},
		{"long wide key", `{"v":1,"object":{"key":"` + strings.Repeat("茶", 1000) + `"}}`,
			`read event: key "` + strings.Repeat("茶", 51) + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, err := event.Parse([]byte(test.line))
			if err == nil {
				t.Fatalf("read as %+v", e)
			}
			if e != nil {
				t.Errorf("an event besides the error: %+v", e)
			}
			if test.want != "" && err.Error() != test.want {
				t.Errorf("%q, want %q", err, test.want)
			}
			checkShort(t, err)
		})
	}
}

// checkShort: an error is one short line that may go to a terminal.
func checkShort(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if len(text) > 200 {
		t.Errorf("an error of %d bytes: %.200q…", len(text), text)
	}
	if !utf8.ValidString(text) {
		t.Errorf("not UTF-8: %.200q", text)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Errorf("%U in the error %.200q", r, text)
		}
	}
}

// TestParseTolerates: a reader of version 1 reads what later programs of version
// 1 write, who may add fields and types.
func TestParseTolerates(t *testing.T) {
	e, err := event.Parse([]byte(` {"v":1,"event":"namespace.move","novel":{"a":[1]},"process":{"exe":"/bin/sh","pid":5}}` + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Event != "namespace.move" || e.Process == nil || e.Process.PID != 5 {
		t.Errorf("%+v", e)
	}
}

func FuzzParse(f *testing.F) {
	for _, x := range append(session, elsewhere...) {
		f.Add([]byte(x.line))
	}
	f.Add([]byte(`{"v":1,"process":{"comm":"` + "\xff" + `","comm_hex":"ff"}}`))
	f.Add([]byte(`{"v":1,"object":{"key":"0x1ffffffff","mode":"8"}}`))
	f.Add([]byte(`{"v":2,"seq":"\u202e"}`))
	f.Add([]byte(`{"v":1,"process":{"comm":"0123456789abcd茶"},"ns":{"label_hex":"` + strings.Repeat("e8", 5000) + `"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := event.Parse(line)
		if err != nil {
			checkShort(t, err)
			return
		}
		if e.V != event.Version {
			t.Fatalf("version %d", e.V)
		}
		e.Seal = nil // may be as long as it is
		eachText(reflect.ValueOf(e), "", func(name string, v reflect.Value) {
			if n := len(v.String()); n > longest(name) {
				t.Fatalf("%d bytes of %s", n, name)
			}
		})
		once := e.AppendJSON(nil)
		if !json.Valid(once) {
			t.Fatalf("not JSON: %q", once)
		}
		for _, r := range string(once) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U in %q", r, once)
			}
		}
		if !hasYear(e.Time) || e.Lost != nil && !(hasYear(e.Lost.From) && hasYear(e.Lost.To)) ||
			e.Object != nil && e.Object.State != nil && !hasYear(e.Object.State.CTime) {
			return
		}
		again, err := event.Parse(once)
		if err != nil {
			t.Fatalf("%v: %q", err, once)
		}
		if twice := again.AppendJSON(nil); string(twice) != string(once) {
			t.Fatalf("%q\nis written again as\n%q", once, twice)
		}
	})
}

// hasYear: a zone can put a year of four digits out of their range.
func hasYear(t time.Time) bool { return t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 }

func FuzzAppendJSON(f *testing.F) {
	for _, test := range texts {
		f.Add(test.text, test.text, int64(0), uint64(0), int32(0), uint16(0), uint8(0))
	}
	f.Add("caf\xe9", "\xff\u202e", int64(-1), uint64(1<<63), int32(-1), uint16(0o777), uint8(255))
	f.Fuzz(func(t *testing.T, comm, other string, ns int64, wide uint64, narrow int32, bits uint16, has uint8) {
		const comm16 = 16 // TestLong has what is longer
		comm, other = comm[:min(len(comm), comm16)], other[:min(len(other), comm16)]
		valid := strings.ToValidUTF8(other, "?")
		e := &event.Event{
			V: event.Version, Seq: wide, Time: time.Unix(0, ns).UTC(), BootNS: ns, Event: event.Type(valid),
			Errno: valid, Syscall: valid, ABI: valid, Observed: event.Observed(valid), Cause: event.Cause(valid),
		}
		n := uint32(narrow)
		if has&1 != 0 {
			e.NS = &event.Namespace{Inode: wide, Gen: n, ID: wide, Initial: has&2 != 0, Label: comm}
			e.From = &event.Namespace{Inode: ^wide, Gen: n, Label: other}
		}
		if has&2 != 0 {
			e.Object = &event.Object{Kind: valid, Key: event.Key(narrow), Mode: event.ModeOf(int32(bits)), Flags: []string{valid, ""}}
			if has&4 != 0 {
				e.Object.Kind, e.Object.Key, e.Object.Name, e.Object.Inode = "mq", 0, other, &wide
				e.Object.MaxMsg, e.Object.MsgSize = &ns, &ns
			} else if valid == "mq" {
				e.Object.Key = 0
			}
			if has&16 != 0 {
				e.Object.Bare, e.Object.Mode, e.Object.Flags = true, 0, nil
			}
			if has&8 != 0 {
				e.Object.State = &event.State{
					Messages: &wide, Bytes: &wide, Attached: &wide, CPID: &n, LPID: &n, LSPID: &n, LRPID: &n, CUID: &n, CGID: &n,
					CTime: e.Time, Dest: has&1 != 0,
				}
			}
			if has&1 != 0 {
				e.Object.ID, e.Object.Size, e.Object.NSems, e.Object.UID, e.Object.GID = &narrow, &wide, &narrow, &n, &n
			}
		}
		if has&4 != 0 {
			e.Process = &event.Process{
				PID: n, TID: n, NSPID: n, PPID: n, UID: n, GID: n, Comm: comm, ParentComm: other, CgroupID: wide, Cgroup: other,
			}
		}
		if has&8 != 0 {
			e.Container = &event.Container{ID: valid, Runtime: valid, Name: valid, Image: valid, Pod: valid, PodNamespace: valid}
		}
		if has&16 != 0 {
			e.Lost = &event.Lost{Count: wide, From: e.Time, To: e.Time, AtMost: has&1 != 0}
		}
		if has&32 != 0 {
			e.Start = &event.Start{
				Tool: valid, Host: valid, BootID: valid, Kernel: valid, Arch: valid, Tier: valid,
				Gaps: []string{valid}, Filters: []string{valid, valid}, Namespaces: int(n >> 1), ClockOffsetNS: ns,
			}
		}
		if has&64 != 0 {
			e.Stop = &event.Stop{Reason: valid, Produced: wide, Delivered: wide, Written: wide, Found: wide}
		}
		checkLine(t, e)
	})
}
