package event_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/docs"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/eventtest"
)

// TestSchemaGolden: the lines of the contract are what the schema says, and have no
// field that it does not name. Those of docs/events.md are the same lines.
func TestSchemaGolden(t *testing.T) {
	for _, x := range append(session, elsewhere...) {
		eventtest.Check(t, []byte(x.line))
		if err := eventtest.Published([]byte(x.line)); err != nil {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// TestSchemaFormat: one way to lay it out, so that changes of it are changes.
func TestSchemaFormat(t *testing.T) {
	var b bytes.Buffer
	if err := json.Indent(&b, docs.EventSchema, "", "  "); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(docs.EventSchema)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestSchemaNames: the schema names the events and the fields that there are, each
// field with a description, and no others.
func TestSchemaNames(t *testing.T) {
	want := map[string]string{}
	for _, kind := range []string{"shm", "mq"} {
		e := every(kind)
		for _, text := range []*string{
			&e.NS.Label, &e.From.Label, &e.Object.Name, &e.Process.Comm, &e.Process.ParentComm, &e.Process.Cgroup, &e.Start.Log.File, &e.Start.Log.Torn.File,
			&e.History.LastUser.Comm, &e.History.LastUser.ParentComm, &e.History.LastUser.Cgroup,
		} {
			*text = "\xff"
		}
		maps.Copy(want, names(t, e.AppendJSON(nil)))
	}
	type schema struct {
		Description string
		Ref         string `json:"$ref"`
		Properties  map[string]schema
		Defs        map[string]schema `json:"$defs"`
		Examples    json.RawMessage
	}
	var root schema
	if err := json.Unmarshal(docs.EventSchema, &root); err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	var walk func(prefix string, s schema)
	walk = func(prefix string, s schema) {
		for name, p := range s.Properties {
			got[prefix+name] = true
			if p.Description == "" {
				t.Errorf("%s%s has no description", prefix, name)
			}
			walk(prefix+name+".", root.Defs[strings.TrimPrefix(p.Ref, "#/$defs/")])
		}
	}
	walk("", root)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("-written +schema:\n%s", diff)
	}
	var types []event.Type
	if err := json.Unmarshal(root.Properties["event"].Examples, &types); err != nil {
		t.Fatal(err)
	}
	all := append(slices.Clone(event.Types), event.ObjectState, event.NamespaceState, event.TraceState, event.TraceStart, event.TraceLost, event.TraceStop, event.TraceSeal)
	if diff := cmp.Diff(all, types); diff != "" {
		t.Errorf("-events +schema:\n%s", diff)
	}
}

// altered is a line with other fields: by their paths, nil for one to be removed.
func altered(t *testing.T, line string, fields map[string]any) []byte {
	t.Helper()
	top := object(t, line)
	for path, v := range fields {
		o := top
		parts := strings.Split(path, ".")
		for _, part := range parts[:len(parts)-1] {
			o = o[part].(map[string]any)
		}
		if name := parts[len(parts)-1]; v != nil {
			o[name] = v
		} else {
			delete(o, name)
		}
	}
	b, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// object is a line with its numbers as they stand in it.
func object(t *testing.T, line string) map[string]any {
	t.Helper()
	var o map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&o); err != nil {
		t.Fatal(err)
	}
	return o
}

// judge is that the schema takes a line or refuses it.
func judge(t *testing.T, line []byte, wants bool) {
	t.Helper()
	if err := eventtest.Published(line); wants && err != nil {
		t.Errorf("%v: %s", err, line)
	} else if !wants && err == nil {
		t.Errorf("taken: %s", line)
	}
}

// of reports whether an example is one of those whose names begin so.
func (x example) of(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(x.name, name) })
}

// TestSchemaRequired: no field can be left out of the examples but these. Where one
// needs another, that one alone cannot.
func TestSchemaRequired(t *testing.T) {
	objects := []string{"object.create", "object.open", "object.get", "object.fail", "object.mark", "object.remove"}
	ends := []string{"object.mark", "object.remove", "object.state"}
	all := []string{""}
	optional := map[string][]string{
		"observed": {"object.remove", "namespace.free"},
		"ns":       append([]string{"namespace.create", "namespace.join", "namespace.free"}, objects...), "ns.id": all,
		"from": all, "from.id": all,
		"object.size": ends, "object.nsems": ends, "object.ino": all, "object.name_hex": all,
		"object.state": {"object.state made"}, "object.key": {"object.state of what"}, "object.state.messages": all, "object.state.bytes": all, "object.state.nattch": all, "object.state.cpid": all,
		"object.state.lpid": all, "object.state.cuid": all, "object.state.cgid": all, "object.state.ctime": all,
		"cause":          all,
		"process.ns_pid": all, "process.comm_hex": all, "process.cgroup": all,
		"container": all, "container.name": all, "container.image": all,
		"syscall":         append([]string{"object.create mq"}, ends...),
		"process":         {"namespace.state", "object.state"},
		"history.boot_ns": all, "history.marked": all, "history.opens": all, "history.last_user": all,
		"history.last_user.ns_pid": all, "history.last_user.cgroup": all,
		"lost.stage": all, "start.log": all, "start.log.file": all, "start.log.after": all, "start.log.torn": all,
	}
	for _, x := range append(session, elsewhere...) {
		for path := range names(t, []byte(x.line)) {
			judge(t, altered(t, x.line, map[string]any{path: nil}), x.of(optional[path]))
		}
	}
}

// TestSchemaAbsent: no field of another example can be added to an example, but these.
func TestSchemaAbsent(t *testing.T) {
	allowed := map[string][]string{
		"observed": {"object.remove namespace", "namespace.free"},
		"from":     {"namespace.create", "namespace.join"},
		"cause":    {"object.remove"},
		"process":  {"object.remove namespace", "object.state of what"},
		"container": {
			"object.create", "object.open", "object.get", "object.fail", "object.remove rmid", "object.remove of what",
			"namespace.create", "namespace.join", "object.state made",
		},
		"object.key": {"object.remove of what"}, "object.nsems": {"object.remove of what", "object.state of what"},
		"object.name_hex": {"object.create mq", "object.mark mq", "object.remove unlink"},
	}
	values := map[string]any{}
	examples := append(session, elsewhere...)
	for _, x := range examples {
		top := object(t, x.line)
		maps.Copy(values, top)
		of, _ := top["object"].(map[string]any)
		for name, v := range of {
			values["object."+name] = v
		}
	}
	values["object.state"] = map[string]any{"dest": false} // which all kinds have
	for _, x := range examples {
		has := names(t, []byte(x.line))
		for path, v := range values {
			if of, _, nested := strings.Cut(path, "."); has[path] == "" && (!nested || has[of] != "") {
				judge(t, altered(t, x.line, map[string]any{path: v}), x.of(allowed[path]))
			}
		}
	}
}

// TestSchemaTypes: no value can be of another type.
func TestSchemaTypes(t *testing.T) {
	others := map[string][]string{
		"number": {`"1"`, `1.5`, `true`, `null`, `[]`, `{}`},
		"string": {`1`, `true`, `null`, `[]`, `{}`},
		"bool":   {`"true"`, `1`, `null`, `[]`, `{}`},
		"array":  {`""`, `1`, `null`, `[1]`, `[null]`, `{}`},
		"object": {`""`, `1`, `null`, `[]`, `{}`},
	}
	for _, x := range append(session, elsewhere...) {
		for path, of := range names(t, []byte(x.line)) {
			for _, v := range others[of] {
				judge(t, altered(t, x.line, map[string]any{path: json.RawMessage(v)}), false)
			}
		}
	}
}

// TestSchemaValues: what a field can be and what not.
func TestSchemaValues(t *testing.T) {
	const hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for _, test := range []struct {
		example, path, right, wrong string // JSON values, one after the other
	}{
		{"object.create msg", "v", `1`, `0 2 -1`},
		{"object.create msg", "seq", `1 18446744073709551615`, `0 -1 18446744073709551616`},
		{"object.create msg", "time", `"0000-01-01T00:00:00.000000000Z" "2028-02-29T23:59:59.999999999Z"`,
			`"2026-07-14T04:33:18.25000100Z" "2026-07-14T04:33:18.2500010000Z" "2026-07-14T04:33:18Z" "2026-07-14T04:33:18.250001000" ` +
				`"2026-07-14T04:33:18.250001000+00:00" "2026-07-14t04:33:18.250001000z" "2026-13-14T04:33:18.250001000Z" ` +
				`"2026-02-30T04:33:18.250001000Z" "2026-07-14T24:33:18.250001000Z" "2026-07-14T04:33:18.250001000Z\n" ""`},
		{"object.create msg", "boot_ns", `0 9223372036854775807`, `-1 9223372036854775808`},
		{"object.create msg", "event", ``, `"" "object.fail" "object.found" "namespace.create" "trace.start"`},
		{"object.remove found", "observed", `"snapshot" "another"`, `""`},
		{"object.create msg", "ns.inode", `1 18446744073709551615`, `0 -1 18446744073709551616`},
		{"object.create msg", "ns.gen", `1 4294967295`, `0 -1 4294967296`},
		{"object.create msg", "ns.id", `1 18446744073709551615`, `0 18446744073709551616`},
		{"object.create msg", "ns.label", `"" "\u202e"`, ``},
		{"object.create msg", "ns.label_hex", `"ff" "80ff"`, `"" "f" "FF" "0xff" 255`},
		{"namespace.create", "from.gen", `2`, `0`},
		{"object.create msg", "object.kind", `"msg" "another"`, `"" "mq"`},
		{"object.create shm", "object.kind", `"shm"`, `"msg" "sem"`},
		{"object.create msg", "object.id", `0 2147483647`, `-1 2147483648`},
		{"object.create msg", "object.key", `"0x00000000" "0xffffffff"`, `"6c54b6c4" "0x6c54b6c" "0x6c54b6c44" "0X6C54B6C4" "0x6C54B6C4" ""`},
		{"object.create mq", "object.name", `"" "/\ufffd"`, ``},
		{"object.create mq", "object.ino", `0 18446744073709551615`, `-1`},
		{"object.create mq", "object.maxmsg", `0 9223372036854775807`, `-1 9223372036854775808`},
		{"object.create mq", "object.msgsize", `-9223372036854775808 9223372036854775807`, `9223372036854775808`},
		{"object.create shm", "object.size", `0 18446744073709551615`, `-1`},
		{"object.fail", "object.nsems", `-2147483648 2147483647`, `-2147483649 2147483648`},
		{"object.create msg", "object.mode", `"0000" "0777"`, `"644" "0888" "00644" "1777" "rw-" ""`},
		{"object.create msg", "object.flags", `[] ["0x1000"]`, `[""]`},
		{"object.create msg", "object.uid", `0 4294967295`, `-1 4294967296`},
		{"object.found", "object.state.nattch", `0 18446744073709551615`, `-1`},
		{"object.found", "object.state.cpid", `1 4294967295`, `0 -1 4294967296`},
		{"object.found", "object.state.lpid", `1 4294967295`, `0 4294967296`},
		{"object.found", "object.state.cuid", `0 4294967295`, `-1`},
		{"object.found", "object.state.ctime", `"2026-07-14T02:30:00.000000000Z"`, `"2026-07-14T02:30:00.000000001Z" "2026-07-14T02:30:00Z"`},
		{"object.found", "object.state.messages", ``, `0`},
		{"object.found", "object.state.lspid", ``, `1`},
		{"object.found mq", "object.state.nattch", ``, `0`},
		{"object.found mq", "object.state.cuid", ``, `0`},
		{"object.remove rmid", "cause", `"rmid" "another"`, `""`},
		{"object.fail", "errno", `"E2BIG" "errno 531"`, `"" "enospc" "errno" "531"`},
		{"object.create msg", "process.pid", `0 4294967295`, `-1 4294967296`},
		{"object.create msg", "process.ns_pid", `1`, `0`},
		{"object.create msg", "process.uid", `0 4294967295`, `-1 4294967296`},
		{"object.create msg", "process.cgroup_id", `0 18446744073709551615`, `-1`},
		{"object.create msg", "process.comm", `"" "\u001b[2J"`, ``},
		{"object.create msg", "process.comm_hex", `"ff"`, `"" "f"`},
		{"object.create msg", "process.parent_comm_hex", `"ff"`, `"" "f"`},
		{"object.create msg", "process.cgroup_hex", `"ff"`, `"" "f"`},
		{"object.create msg", "process.cgroup", `"/"`, `""`},
		{"object.create msg", "process.followed", `true`, `false 1`},
		{"object.create shm", "container.id", `"web"`, `""`},
		{"object.create shm", "container.runtime", `"another"`, `""`},
		{"object.create shm", "container.name", `"another"`, `""`},
		{"object.create shm", "container.image", `"another"`, `""`},
		{"object.create shm", "container.pod", `"another"`, `""`},
		{"object.create shm", "container.pod_namespace", `"another"`, `""`},
		{"object.create msg", "syscall", `"another"`, `""`},
		{"object.create msg", "abi", `"riscv64"`, `""`},
		{"trace.lost exact", "lost.count", `1 18446744073709551615`, `0 -1`},
		{"trace.lost exact", "lost.from", ``, `"2026-07-14T04:33:20Z" ""`},
		{"trace.lost exact", "lost.stage", `"output" "another"`, `""`},
		{"trace.start", "start.tier", `"another"`, `""`},
		{"trace.start", "start.objects", `0 9223372036854775807`, `-1 9223372036854775808`},
		{"trace.start", "start.clock_offset_ns", `-9223372036854775808 9223372036854775807`, `-9223372036854775809 9223372036854775808`},
		{"trace.start in a log", "start.log.id", `"00"`, `"" "x"`},
		{"trace.start in a log", "start.log.part", `1 4294967295`, `0`},
		{"trace.start in a log", "start.log.after", `"` + hash + `"`, `"" "` + hash + `0" "` + strings.ToUpper(hash) + `"`},
		{"trace.start in a log", "start.log.torn.file_hex", `"ff"`, `"" "f"`},
		{"trace.start in a log", "start.log.torn.bytes", `1`, `0`},
		{"trace.start in a log", "start.log.torn.sha256", `"` + hash + `"`, `"" "` + hash[1:] + `"`},
		{"trace.stop", "stop.reason", `"another"`, `""`},
		{"trace.stop", "stop.dropped", `0 18446744073709551615`, `-1`},
		{"trace.stop", "stop.cgroups_lost", `1 18446744073709551615`, `0 -1`},
		{"trace.seal", "seal.first", `1`, `0`},
		{"trace.seal", "seal.last", `0`, `-1`},
		{"trace.seal", "seal.late", `true`, `false`},
		{"trace.seal", "seal.crcs", `"" "00000000ffffffff"`, `"0000000" "0000000g"`},
		{"trace.seal", "seal.key", `"` + hash + `"`, `"" "00"`},
		{"trace.seal", "seal.hash", `"` + hash + `"`, `"" "` + hash + hash + `"`},
		{"trace.seal", "seal.signature", `"` + hash + hash + `"`, `"` + hash + `"`},
		{"trace.seal", "seal.crc", `"00000000"`, `"0" "0x00000000"`},
	} {
		x := named(t, test.example)
		for wants, values := range map[bool]string{true: test.right, false: test.wrong} {
			d := json.NewDecoder(strings.NewReader(values))
			for d.More() {
				var v json.RawMessage
				if err := d.Decode(&v); err != nil {
					t.Fatalf("%s: %v", values, err)
				}
				judge(t, altered(t, x.line, map[string]any{test.path: v}), wants)
			}
		}
	}
}

// named is the first example whose name begins so.
func named(t *testing.T, name string) example {
	t.Helper()
	examples := append(session, elsewhere...)
	i := slices.IndexFunc(examples, func(x example) bool { return x.of([]string{name}) })
	if i < 0 {
		t.Fatalf("no example %q", name)
	}
	return examples[i]
}

// TestSchemaTogether: what goes only with another, or not with it.
func TestSchemaTogether(t *testing.T) {
	owner := map[string]any{"object.uid": 0, "object.gid": 0}
	noOwner := map[string]any{"object.uid": nil, "object.gid": nil}
	bare := map[string]any{"object.key": nil, "object.mode": nil, "object.flags": nil}
	for _, test := range []struct {
		example string
		fields  map[string]any
		wants   bool
	}{
		{"object.mark", map[string]any{"process": nil, "container": nil, "syscall": nil, "abi": nil}, true},
		{"object.create msg", map[string]any{"process": nil, "syscall": nil, "abi": nil}, false},
		{"object.create mq", map[string]any{"process": nil, "container": nil, "syscall": nil, "abi": nil}, false},
		{"object.create mq", map[string]any{"observed": "snapshot"}, false},
		{"object.create msg", noOwner, false},
		{"object.create shm", noOwner, false},
		{"object.create sem", noOwner, false},
		{"object.create msg", bare, false},
		{"object.create shm", bare, false},
		{"object.create sem", bare, false},
		{"object.open", bare, false},
		{"object.get", bare, false},
		{"object.fail", bare, false},
		{"object.create mq", map[string]any{"object.mode": nil, "object.flags": nil, "object.uid": nil, "object.gid": nil}, true},
		{"object.create mq", map[string]any{"object.maxmsg": nil, "object.msgsize": nil}, true},
		{"object.found mq", map[string]any{"object.mode": nil, "object.flags": nil}, false},
		{"object.found mq", map[string]any{"object.uid": nil, "object.gid": nil}, false},
		{"object.create msg", map[string]any{"object.maxmsg": 10, "object.msgsize": 8192}, false},
		{"object.open", owner, false},
		{"object.get", owner, false},
		{"object.fail", owner, false},
		{"object.remove found", owner, true},
		{"object.remove rmid", bare, true},
		{"object.remove rmid", map[string]any{"observed": "snapshot"}, false},
		{"object.remove rmid", map[string]any{"observed": "snapshot", "process": nil, "syscall": nil, "abi": nil}, true},
		{"namespace.free", map[string]any{"process": object(t, named(t, "object.open").line)["process"]}, false},
		{"object.open", map[string]any{"process.cgroup_hex": "2f"}, true},
		{"object.open", map[string]any{"process.cgroup_hex": "2f", "process.cgroup": nil}, false},
		{"trace.seal", map[string]any{"seal.key": nil, "seal.signature": nil}, true},
	} {
		judge(t, altered(t, named(t, test.example).line, test.fields), test.wants)
	}
}

// TestSchemaState: each kind has a state of its own.
func TestSchemaState(t *testing.T) {
	has := map[string][]string{
		"msg": {"messages", "bytes", "lspid", "lrpid", "cuid", "cgid", "ctime"},
		"shm": {"nattch", "cpid", "lpid", "cuid", "cgid", "ctime"},
		"sem": {"cuid", "cgid", "ctime"},
		"mq":  {"messages", "bytes", "ctime"},
	}
	for kind, fields := range has {
		of := map[string]any{"object.kind": kind, "object.size": nil}
		switch kind {
		case "shm":
			of["object.size"] = 16384
		case "sem":
			of["object.nsems"] = 3
		case "mq":
			of["object.id"], of["object.key"], of["object.name"] = nil, nil, "/jobs"
		}
		for _, field := range slices.Concat(slices.Collect(maps.Values(has))...) {
			of["object.state"] = map[string]any{"dest": false, field: 1}
			if field == "ctime" {
				of["object.state"] = map[string]any{"dest": false, field: "2026-07-14T02:30:00.000000000Z"}
			}
			judge(t, altered(t, named(t, "object.found").line, of), slices.Contains(fields, field))
		}
	}
}

// TestSchemaTolerates: programs of version 1 to come may add fields and events. Of an
// event that it does not know the schema knows what the fields are, not which it has.
// The strict one is for what this program writes.
func TestSchemaTolerates(t *testing.T) {
	for _, x := range append(session, elsewhere...) {
		for path, of := range names(t, []byte(x.line)) {
			if of == "object" {
				line := altered(t, x.line, map[string]any{path + ".novel": 1, "novel": []int{1}})
				judge(t, line, true)
				if err := eventtest.Strict(line); err == nil {
					t.Errorf("strictly taken: %s", line)
				}
			}
		}
		judge(t, altered(t, x.line, map[string]any{"event": "object.novel"}), true)
	}
	const novel = `{"v":1,"seq":1,"time":"2026-07-14T04:33:17.000000123Z","boot_ns":0,"event":"novel"}`
	judge(t, []byte(novel), true)
	judge(t, altered(t, novel, map[string]any{"v": 2}), false)
	judge(t, altered(t, novel, map[string]any{"process": map[string]any{}}), false)
	judge(t, []byte(novel+"{}"), false)
	judge(t, []byte("[]"), false)
	judge(t, nil, false)
}
