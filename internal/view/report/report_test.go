package report

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

// logOf puts what can be read of a log on a page.
func logOf(t testing.TB, text []byte, limits Limits) *Log {
	t.Helper()
	log := New(limits)
	var trace *Trace
	var first, last time.Time
	end := func() {
		if trace != nil {
			trace.End(first, last, 0)
		}
	}
	for line := range bytes.Lines(text) {
		e, err := event.Parse(line)
		if err != nil {
			continue
		}
		if trace == nil || e.Start != nil && e.Seq == 1 {
			end()
			var start event.Start
			if e.Start != nil {
				start = *e.Start
			}
			trace, first = log.Begin(start, e.Start == nil, e.Time), e.Time
		}
		trace.Add(e)
		last = e.Time
	}
	end()
	return log
}

// sessionLog is the trace of docs/events.md.
func sessionLog(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../../../cmd/ipctrace/testdata/replay/session.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (go test -update writes it anew): %s", name, diff)
	}
}

// eachField puts each field of an object on a line of its own.
func eachField(t *testing.T, text []byte) []byte {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value := bytes.ReplaceAll(fields[name], []byte(`,"`), []byte("\n\t,\""))
		fmt.Fprintf(&lines, "%s: %s\n", name, value)
	}
	return lines.Bytes()
}

// TestSession: what the page has of the trace of docs/events.md.
func TestSession(t *testing.T) {
	log := logOf(t, sessionLog(t), Limits{})
	trace := log.traces[0]
	lanes := trace.arrange()
	text, err := trace.encode(lanes)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "session.json", eachField(t, text))
	facts, err := json.MarshalIndent(trace.facts(lanes), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "facts.json", append(facts, '\n'))
	var drawing bytes.Buffer
	if err := log.SVG(&drawing); err != nil {
		t.Fatal(err)
	}
	golden(t, "session.svg", drawing.Bytes())
}

// steps of a story are events, a second apart.
type step struct {
	typ  event.Type
	what func(*event.Event)
}

func id(n int32, key event.Key) func(*event.Event) {
	return func(e *event.Event) { e.Object = &event.Object{Kind: "msg", ID: &n, Key: key} }
}

func queue(name string, inode uint64) func(*event.Event) {
	return func(e *event.Event) {
		e.Object = &event.Object{Kind: "mq", Name: name}
		if inode != 0 {
			e.Object.Inode = &inode
		}
	}
}

func gone(cause event.Cause, what func(*event.Event)) func(*event.Event) {
	return func(e *event.Event) { what(e); e.Cause = cause }
}

func nothing(*event.Event) {}

// TestLives: what is known of objects after what happened to them. A life is told as
// where it begins, ends, and by what.
func TestLives(t *testing.T) {
	type life struct {
		born, end int // seconds; end −1: it is there
		before    bool
		cause     event.Cause
	}
	for name, c := range map[string]struct {
		tier  string
		steps []step
		want  []life
	}{
		"made and removed": {"fentry", []step{{typ: event.ObjectCreate, what: id(1, 5)}, {typ: event.ObjectOpen, what: id(1, 5)}, {typ: event.ObjectRemove, what: gone("rmid", id(1, 5))}},
			[]life{{0, 2, false, "rmid"}}},
		"left":               {"fentry", []step{{typ: event.ObjectCreate, what: id(1, 5)}}, []life{{0, -1, false, ""}}},
		"there before":       {"fentry", []step{{typ: event.ObjectFound, what: id(1, 5)}, {typ: event.ObjectOpen, what: id(1, 5)}}, []life{{0, -1, true, ""}}},
		"only its end":       {"fentry", []step{{typ: event.ObjectRemove, what: gone("rmid", id(1, 5))}}, []life{{0, 0, true, "rmid"}}},
		"its id again":       {"fentry", []step{{typ: event.ObjectCreate, what: id(1, 5)}, {typ: event.ObjectCreate, what: id(1, 6)}}, []life{{0, 1, false, ""}, {1, -1, false, ""}}},
		"another key":        {"syscall", []step{{typ: event.ObjectGet, what: id(1, 5)}, {typ: event.ObjectGet, what: id(1, 6)}}, []life{{0, 1, false, ""}, {1, -1, false, ""}}},
		"with its namespace": {"fentry", []step{{typ: event.ObjectCreate, what: id(1, 5)}, {typ: event.NamespaceFree, what: nothing}}, []life{{0, 1, false, "namespace"}}},
		"queues of one name": {"fentry", []step{
			{typ: event.ObjectCreate, what: queue("/a", 1)}, {typ: event.ObjectMark, what: queue("/a", 1)},
			{typ: event.ObjectCreate, what: queue("/a", 2)}, {typ: event.ObjectRemove, what: gone("unlink", queue("/a", 1))},
		}, []life{{0, 3, false, "unlink"}, {2, -1, false, ""}}},
		"an unlinked queue": {"syscall", []step{{typ: event.ObjectCreate, what: queue("/a", 1)}, {typ: event.ObjectMark, what: queue("/a", 1)}}, []life{{0, 1, false, "unlink"}}},
		"outlived": {"fentry", []step{
			{typ: event.ObjectCreate, what: queue("/a", 1)}, {typ: event.NamespaceFree, what: nothing}, {typ: event.ObjectRemove, what: gone("unlink", queue("/a", 1))},
		}, []life{{0, 2, false, "unlink"}}},
		"nothing to know by": {"fentry", []step{{typ: event.ObjectOpen, what: func(e *event.Event) { e.Object = &event.Object{Kind: "msg"} }}, {typ: event.ObjectOpen, what: nothing}}, nil},
		"marked and detached": {"fentry", []step{
			{typ: event.ObjectCreate, what: id(1, 5)}, {typ: event.ObjectMark, what: id(1, 5)},
			{typ: event.ObjectOpen, what: id(1, 0)}, {typ: event.ObjectRemove, what: gone("detach", id(1, 0))},
		}, []life{{0, 3, false, "detach"}}},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Unix(0, 0)
			trace := New(Limits{}).Begin(event.Start{Tier: c.tier}, false, begin)
			for i, s := range c.steps {
				e := &event.Event{Event: s.typ, Time: begin.Add(time.Duration(i) * time.Second), NS: &event.Namespace{Inode: 1, Gen: 1}}
				s.what(e)
				trace.Add(e)
			}
			trace.End(begin, begin, 0)
			var got []life
			for _, o := range trace.lives {
				l := life{int(o.born / time.Second), -1, o.Existing, o.Cause}
				if o.gone {
					l.end = int(o.end / time.Second)
				}
				got = append(got, l)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(life{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLimitOf: which limit an error tells of, and how certain that is.
func TestLimitOf(t *testing.T) {
	size, none, some := uint64(1), int32(0), int32(300)
	for _, c := range []struct {
		object        event.Object
		errno         string
		name, certain string
	}{
		{event.Object{Kind: "msg"}, "ENOSPC", "MSGMNI", ""},
		{event.Object{Kind: "shm"}, "ENOSPC", "SHMMNI or SHMALL", likely},
		{event.Object{Kind: "sem"}, "ENOSPC", "SEMMNI or SEMMNS", likely},
		{event.Object{Kind: "mq"}, "ENOSPC", "queues_max", likely},
		{event.Object{Kind: "mq"}, "EMFILE", "RLIMIT_MSGQUEUE or RLIMIT_NOFILE", likely},
		{event.Object{Kind: "msg"}, "ENOMEM", "memory", likely},
		{event.Object{Kind: "shm", Size: &size, Flags: []string{"IPC_CREAT"}}, "EINVAL", "SHMMAX", perhaps},
		{event.Object{Kind: "shm", Size: &size}, "EINVAL", "", ""},
		{event.Object{Kind: "sem", NSems: &some, Flags: []string{"IPC_CREAT"}}, "EINVAL", "SEMMSL", perhaps},
		{event.Object{Kind: "sem", NSems: &none, Flags: []string{"IPC_CREAT"}}, "EINVAL", "", ""},
		{event.Object{Kind: "msg"}, "EMFILE", "", ""},
		{event.Object{Kind: "msg"}, "EEXIST", "", ""},
		{event.Object{Kind: "\x1b"}, "ENOSPC", "", ""},
	} {
		if name, certainty := limitOf(&event.Event{Object: &c.object, Errno: c.errno}); name != c.name || certainty != c.certain {
			t.Errorf("%s %s: %q %q, want %q %q", c.object.Kind, c.errno, name, certainty, c.name, c.certain)
		}
	}
}

// TestParents: children stand under the namespace that they were born in, also where a
// log says that one descends from itself.
func TestParents(t *testing.T) {
	trace := New(Limits{}).Begin(event.Start{}, false, time.Unix(0, 0))
	ns := func(inode uint64) *event.Namespace {
		return &event.Namespace{Inode: inode, Gen: 1, Initial: inode == 1}
	}
	born := func(child, parent uint64) {
		trace.Add(&event.Event{Event: event.NamespaceCreate, Time: time.Unix(1, 0), NS: ns(child), From: ns(parent)})
	}
	trace.Add(&event.Event{Event: event.NamespaceFound, NS: ns(9)})
	trace.Add(&event.Event{Event: event.NamespaceFound, NS: ns(1)})
	born(2, 1)
	born(3, 2)
	born(4, 1)
	born(7, 7)
	born(8, 6)
	born(6, 8)
	born(8, 6)
	type row struct {
		Inode uint64
		Depth int
	}
	var got []row
	for _, l := range trace.arrange() {
		got = append(got, row{l.Inode, l.depth})
	}
	want := []row{{1, 0}, {2, 1}, {3, 2}, {4, 1}, {9, 0}, {7, 0}, {8, 0}, {6, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestLeftOut: what was gone before the time that is shown is not on the page, and what
// was there is.
func TestLeftOut(t *testing.T) {
	trace := New(Limits{}).Begin(event.Start{}, false, time.Unix(0, 0))
	note := func(second int64, typ event.Type, inode uint64, what func(*event.Event)) {
		e := &event.Event{Event: typ, Time: time.Unix(second, 0), NS: &event.Namespace{Inode: inode, Gen: 1}}
		what(e)
		trace.Note(e)
	}
	born := func(from uint64) func(*event.Event) {
		return func(e *event.Event) { e.From = &event.Namespace{Inode: from, Gen: 1} }
	}
	note(1, event.NamespaceFound, 1, nothing)
	note(2, event.NamespaceCreate, 2, born(1))
	note(3, event.NamespaceCreate, 3, born(2))
	note(4, event.ObjectCreate, 2, id(1, 5))
	note(5, event.ObjectCreate, 3, id(1, 6))
	note(5, event.ObjectCreate, 3, id(2, 7))
	note(6, event.ObjectRemove, 3, id(2, 7))
	note(6, event.NamespaceFree, 2, nothing)
	trace.End(time.Unix(10, 0), time.Unix(20, 0), 0)
	var inodes []uint64
	for _, l := range trace.arrange() {
		inodes = append(inodes, l.Inode)
	}
	if diff := cmp.Diff([]uint64{1, 3}, inodes); diff != "" {
		t.Error(diff)
	}
	if len(trace.lives) != 1 || trace.lives[0].Key != 6 || trace.objects != 1 {
		t.Errorf("%d objects, %d with a line", trace.objects, len(trace.lives))
	}
}

// TestUnheard: an event of a type that is not known is on the page where its namespace is
// known, and of no object; else it is counted.
func TestUnheard(t *testing.T) {
	trace := New(Limits{}).Begin(event.Start{}, false, time.Unix(0, 0))
	add := func(typ event.Type, inode uint64) {
		e := &event.Event{Event: typ, NS: &event.Namespace{Inode: inode, Gen: 1}}
		id(1, 5)(e)
		trace.Add(e)
	}
	add(event.NamespaceFound, 1)
	add("object.weighed", 1)
	add("object.weighed", 2)
	trace.End(time.Unix(0, 0), time.Unix(1, 0), 0)
	if kept, _ := trace.kept.all(); len(kept) != 2 || trace.unseen.unheard != 1 || len(trace.lives) != 0 || len(trace.order) != 1 {
		t.Errorf("%d events on the page, %d unheard, %d objects, %d namespaces", len(kept), trace.unseen.unheard, len(trace.lives), len(trace.order))
	}
}

// TestBounds: what a page has no room for is counted, and said.
func TestBounds(t *testing.T) {
	limits := Limits{Events: 100, Objects: 40, Namespaces: 5, Losses: 3}
	trace := New(limits).Begin(event.Start{}, false, time.Unix(0, 0))
	const n = 3000
	var left int
	for i := range n {
		at := time.Unix(int64(i), 0)
		ns := &event.Namespace{Inode: 1 + uint64(i%7), Gen: 1}
		number := int32(i)
		o := &event.Object{Kind: "msg", ID: &number, Key: event.Key(i)}
		trace.Add(&event.Event{Seq: uint64(2 * i), Event: event.ObjectCreate, Time: at, NS: ns, Object: o})
		if i%300 == 0 {
			if ns.Inode <= 5 {
				left++
			}
			continue
		}
		trace.Add(&event.Event{Seq: uint64(2*i + 1), Event: event.ObjectRemove, Time: at, NS: ns, Object: o, Cause: event.CauseRMID})
		trace.Add(&event.Event{Event: event.TraceLost, Time: at, Lost: &event.Lost{Count: 1, From: at, To: at}})
	}
	trace.End(time.Unix(0, 0), time.Unix(n, 0), 0)
	kept, before := trace.kept.all()
	if len(kept) != 100 || before != 50 || trace.kept.omitted() != trace.kept.total-100 {
		t.Errorf("%d events kept, %d before the others; %d omitted of %d", len(kept), before, trace.kept.omitted(), trace.kept.total)
	}
	for i := 1; i < len(kept); i++ {
		if kept[i].seq <= kept[i-1].seq {
			t.Errorf("seq %d behind %d", kept[i].seq, kept[i-1].seq)
		}
	}
	if len(trace.lives) > 40 || trace.omitted+len(trace.lives) != trace.objects {
		t.Errorf("%d objects and %d omitted, of %d", len(trace.lives), trace.omitted, trace.objects)
	}
	there := 0
	for _, o := range trace.lives {
		if o.left() {
			there++
		}
	}
	if there != left {
		t.Errorf("%d left behind, want %d", there, left)
	}
	if len(trace.order) != 5 || len(trace.beyond) != 2 || trace.unseen.beyond == 0 {
		t.Errorf("%d namespaces, %d beyond, with %d events", len(trace.order), len(trace.beyond), trace.unseen.beyond)
	}
	var sum uint32
	for _, count := range trace.bins.events {
		sum += count
	}
	if uint64(sum) != trace.kept.total || len(trace.bins.events) > mostBins {
		t.Errorf("%d events in %d bins, want %d", sum, len(trace.bins.events), trace.kept.total)
	}
	if len(trace.losses) != 3 || trace.losses[0].Count+trace.losses[1].Count+trace.losses[2].Count != trace.lost.Kernel {
		t.Errorf("losses: %v, of %d", trace.losses, trace.lost.Kernel)
	}
	if got := trace.warnings(); len(got) != 5 {
		t.Errorf("%d warnings: %q", len(got), got)
	}
}

// TestOnlyEnded: a trace that is over before what is shown begins is not on the page.
func TestOnlyEnded(t *testing.T) {
	log := New(Limits{})
	for range 2 {
		log.Begin(event.Start{Host: "past"}, false, time.Unix(0, 0))
	}
	log.Begin(event.Start{Host: "shown"}, false, time.Unix(5, 0)).End(time.Unix(5, 0), time.Unix(6, 0), 0)
	var page strings.Builder
	if err := log.HTML(&page); err != nil || log.Traces() != 1 {
		t.Fatalf("%d traces, %v", log.Traces(), err)
	}
	if text := page.String(); !strings.Contains(text, "IPC on shown") || strings.Contains(text, "past") {
		t.Error(text)
	}
}

// TestClocks: neither a clock that was set back nor one that nobody read hides a birth or
// an end.
func TestClocks(t *testing.T) {
	trace := New(Limits{}).Begin(event.Start{}, false, time.Unix(10, 0))
	ns := &event.Namespace{Inode: 1, Gen: 1}
	trace.Add(&event.Event{Event: event.NamespaceCreate, Time: time.Unix(9, 0), NS: ns})
	end := &event.Event{Event: event.ObjectRemove, NS: ns}
	id(1, 5)(end)
	trace.Add(end)
	trace.End(time.Time{}, time.Unix(11, 0), 0)
	if at, seen := trace.birth(trace.order[0]); !seen || at != -time.Second {
		t.Errorf("born at %v, seen %v", at, seen)
	}
	if len(trace.lives) != 1 || !trace.lives[0].gone {
		t.Errorf("%d objects", len(trace.lives))
	}
}
