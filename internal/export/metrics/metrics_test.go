package metrics

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
)

// world is a trace that a test makes up.
type world struct {
	inventory *inventory.Inventory
	stats     tracer.Stats
}

func newWorld() *world { return &world{inventory: inventory.New(inventory.Limits{})} }

func (w *world) Stats() tracer.Stats                    { return w.stats }
func (w *world) Ring() (used, size int)                 { return 4096, 8 << 20 }
func (w *world) Look(look func(v *inventory.Inventory)) { look(w.inventory) }
func (w *world) metrics(namespaces int, o ...Output) *Metrics {
	return New(Config{
		Namespaces: namespaces, Version: "v1", Start: event.Start{Tier: "fentry", Kernel: "6.12.0\xff\x1b[2J", Arch: "x86_64"},
		Trace: w, Outputs: func() []Output { return o },
	})
}

var moment = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// space is the n-th namespace.
func space(n int) *event.Namespace {
	return &event.Namespace{Inode: 4026531839 + uint64(n), Gen: 1, Initial: n == 0, Label: map[bool]string{true: "host", false: fmt.Sprint("ns", n)}[n == 0]}
}

// segment is one being made there.
func segment(n int, id int32, size uint64) *event.Event {
	return &event.Event{Event: event.ObjectCreate, Time: moment, BootNS: 1, NS: space(n), Object: &event.Object{Kind: "shm", ID: &id, Size: &size}}
}

func (w *world) apply(events ...*event.Event) {
	for _, e := range events {
		w.inventory.Apply(e)
	}
}

// want compares the series of some metrics with the text that Prometheus would get.
func want(t *testing.T, m *Metrics, text string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(m, strings.NewReader(text), names...); err != nil {
		t.Error(err)
	}
}

func TestContents(t *testing.T) {
	w := newWorld()
	m := w.metrics(0)
	w.apply(segment(0, 1, 4096), segment(0, 2, 100), segment(1, 3, 8192))
	m.Surveyed(&Survey{
		At: moment, Took: time.Second, Orphans: map[Orphans]int{{"shm", true}: 2, {"sem", false}: 1},
		Limits: map[uint64][]Limit{4026531839: {{"SHMMNI", 2, 4}, {"MSGMNI", 0, 0}}},
	})
	want(t, m, `
# HELP ipctrace_objects Objects that are there, by kind and namespace.
# TYPE ipctrace_objects gauge
ipctrace_objects{kind="mq",namespace="4026531839"} 0
ipctrace_objects{kind="msg",namespace="4026531839"} 0
ipctrace_objects{kind="sem",namespace="4026531839"} 0
ipctrace_objects{kind="shm",namespace="4026531839"} 2
ipctrace_objects{kind="mq",namespace="4026531840"} 0
ipctrace_objects{kind="msg",namespace="4026531840"} 0
ipctrace_objects{kind="sem",namespace="4026531840"} 0
ipctrace_objects{kind="shm",namespace="4026531840"} 1
# HELP ipctrace_namespaces IPC namespaces that are there.
# TYPE ipctrace_namespaces gauge
ipctrace_namespaces 2
# HELP ipctrace_namespace_info 1, with the best known name of a namespace.
# TYPE ipctrace_namespace_info gauge
ipctrace_namespace_info{initial="true",label="host",namespace="4026531839"} 1
ipctrace_namespace_info{initial="false",label="ns1",namespace="4026531840"} 1
# HELP ipctrace_limit_used_ratio How much of a limit is used up, from 0 to 1: at 1 a call fails with ENOSPC. As of the last survey. Of "other", the largest.
# TYPE ipctrace_limit_used_ratio gauge
ipctrace_limit_used_ratio{limit="SHMMNI",namespace="4026531839"} 0.5
ipctrace_limit_used_ratio{limit="MSGMNI",namespace="4026531839"} 1
`, "ipctrace_objects", "ipctrace_namespaces", "ipctrace_namespace_info", "ipctrace_limit_used_ratio")
	want(t, m, `
# HELP ipctrace_object_bytes Bytes of objects that are there: of segments their size, of queues what was in them when they were last looked at.
# TYPE ipctrace_object_bytes gauge
ipctrace_object_bytes{kind="mq",namespace="4026531839"} 0
ipctrace_object_bytes{kind="msg",namespace="4026531839"} 0
ipctrace_object_bytes{kind="shm",namespace="4026531839"} 4196
ipctrace_object_bytes{kind="mq",namespace="4026531840"} 0
ipctrace_object_bytes{kind="msg",namespace="4026531840"} 0
ipctrace_object_bytes{kind="shm",namespace="4026531840"} 8192
`, "ipctrace_object_bytes")
}

func TestEvents(t *testing.T) {
	w := newWorld()
	m := w.metrics(0)
	for _, absent := range []what{{"object.fail", "msg", "ENOSPC"}, {"object.mark", "mq", ""}, {"namespace.free", "", ""}} {
		if n, there := m.events.counts[absent]; n != 0 || !there {
			t.Errorf("%+v does not begin with 0", absent)
		}
	}
	failed := &event.Event{Event: event.ObjectFail, Errno: "EEXIST", Object: &event.Object{Kind: "sem"}}
	for _, e := range []*event.Event{segment(0, 1, 1), segment(1, 2, 1), failed, {Event: event.NamespaceCreate, NS: space(2)}} {
		if err := m.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	m.events.clear()
	want(t, m, `
# HELP ipctrace_events_total Events told, by what happened, to what kind of object, and with which error.
# TYPE ipctrace_events_total counter
ipctrace_events_total{errno="",event="namespace.create",kind=""} 1
ipctrace_events_total{errno="",event="object.create",kind="shm"} 2
ipctrace_events_total{errno="EEXIST",event="object.fail",kind="sem"} 1
`, "ipctrace_events_total")
}

// clear takes out what has not happened.
func (v *events) clear() {
	for k, n := range v.counts {
		if n == 0 {
			delete(v.counts, k)
		}
	}
}

func TestAccount(t *testing.T) {
	w := newWorld()
	w.stats = tracer.Stats{Produced: 10, Delivered: 6, Lost: 3, Pending: 1, Skipped: 2}
	m := w.metrics(0,
		Output{Name: "record", Delivered: 4, Waiting: 1, Lost: map[string]uint64{"queue": 1}},
		Output{Name: "otlp", Delivered: 2, Spooled: 4, SpoolLimits: 100, SpoolBytes: 50, Retries: new(uint64(7)), Lost: map[string]uint64{}})
	want(t, m, `
# HELP ipctrace_events_lost_total Events lost, by where: for want of room in the kernel's ring buffer (ring), or on the way to an output.
# TYPE ipctrace_events_lost_total counter
ipctrace_events_lost_total{reason="full",stage="ring"} 3
ipctrace_events_lost_total{reason="queue",stage="record"} 1
# HELP ipctrace_output_spooled Events that wait in an output's spool on disk.
# TYPE ipctrace_output_spooled gauge
ipctrace_output_spooled{output="otlp"} 4
# HELP ipctrace_output_delivered_total Events that an output has delivered.
# TYPE ipctrace_output_delivered_total counter
ipctrace_output_delivered_total{output="otlp"} 2
ipctrace_output_delivered_total{output="record"} 4
# HELP ipctrace_hooks_skipped_total Runs of hooks that the kernel skipped: at most so many events are missing besides those lost.
# TYPE ipctrace_hooks_skipped_total counter
ipctrace_hooks_skipped_total 2
`, "ipctrace_events_lost_total", "ipctrace_output_spooled", "ipctrace_output_delivered_total", "ipctrace_hooks_skipped_total")
}

// An output that sends tells how often it tried again, also without a spool; one that
// does not, does not.
func TestRetries(t *testing.T) {
	m := newWorld().metrics(0, Output{Name: "record"}, Output{Name: "otlp", Retries: new(uint64(3))})
	want(t, m, `
# HELP ipctrace_output_retries_total How often an output had to send again, or could not reach its end.
# TYPE ipctrace_output_retries_total counter
ipctrace_output_retries_total{output="otlp"} 3
`, "ipctrace_output_retries_total", "ipctrace_output_spool_limit_bytes")
}

// However many namespaces come and go, there are as many series; what is in those
// without series of their own is counted all the same; and whoever has a place keeps it.
func TestPlaces(t *testing.T) {
	const most = 5
	w := newWorld()
	m := w.metrics(most)
	w.apply(segment(0, 0, 1), segment(1, 1, 1))
	series := count(t, m)
	largest := 0
	for n := 2; n < 10_000; n++ {
		w.apply(segment(n, int32(n), 1))
		if n%3 != 0 {
			w.apply(&event.Event{Event: event.NamespaceFree, Time: moment, NS: space(n)})
		}
		if n%500 == 0 {
			largest = max(largest, count(t, m))
			if total, live := objectsIn(t, m), w.live(); total != live {
				t.Fatalf("%d objects told, %d are there", total, live)
			}
		}
	}
	if perPlace := series/2 + 10; largest > (most+1)*perPlace+50 {
		t.Errorf("%d series of %d namespaces, %d with two", largest, most, series)
	}
	if has(t, m, space(2).String()) || !has(t, m, space(0).String()) || !has(t, m, space(1).String()) || !has(t, m, other) {
		t.Error("the first ones, which live, are told, those that ended are not")
	}
	w.apply(&event.Event{Event: event.NamespaceFree, Time: moment, NS: space(1)})
	if has(t, m, space(1).String()) {
		t.Error("the series of a namespace that ended are there")
	}
}

func (w *world) live() int {
	_, objects := w.inventory.Live()
	return objects
}

// each shows all series of this program's own.
func each(t *testing.T, m *Metrics, show func(name string, s *dto.Metric)) {
	t.Helper()
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			if strings.HasPrefix(f.GetName(), "ipctrace_") {
				show(f.GetName(), s)
			}
		}
	}
}

func count(t *testing.T, m *Metrics) (n int) {
	t.Helper()
	each(t, m, func(string, *dto.Metric) { n++ })
	return n
}

func objectsIn(t *testing.T, m *Metrics) (n int) {
	t.Helper()
	each(t, m, func(name string, s *dto.Metric) {
		if name == "ipctrace_objects" {
			n += int(s.GetGauge().GetValue())
		}
	})
	return n
}

func has(t *testing.T, m *Metrics, namespace string) (found bool) {
	t.Helper()
	each(t, m, func(_ string, s *dto.Metric) {
		for _, l := range s.GetLabel() {
			found = found || l.GetName() == "namespace" && l.GetValue() == namespace
		}
	})
	return found
}

// Names of others do no harm, and what lints metrics finds nothing.
func TestHostile(t *testing.T) {
	w := newWorld()
	m := w.metrics(0)
	e := segment(1, 1, 1)
	e.NS.Label = strings.Repeat("\xff\n\x1b[31m\"}", 1000)
	w.apply(e)
	each(t, m, func(name string, s *dto.Metric) {
		for _, l := range s.GetLabel() {
			if !utf8.ValidString(l.GetValue()) || strings.ContainsAny(l.GetValue(), "\x1b\n") || len(l.GetValue()) > 4*maxText {
				t.Errorf("%s: %s=%q", name, l.GetName(), l.GetValue())
			}
		}
	})
	if problems, err := testutil.GatherAndLint(m); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

// TestLimitsReused: a namespace has not the limits of the one that had its inode number
// when they were looked for.
func TestLimitsReused(t *testing.T) {
	w := newWorld()
	m := w.metrics(0)
	next := segment(1, 1, 1)
	next.NS.Gen, next.Time = 2, moment.Add(time.Second)
	w.apply(next)
	limits := map[uint64][]Limit{next.NS.Inode: {{"SHMMNI", 4, 4}}}
	m.Surveyed(&Survey{At: moment, Limits: limits})
	want(t, m, "", "ipctrace_limit_used_ratio", "ipctrace_limit")
	m.Surveyed(&Survey{At: moment.Add(2 * time.Second), Limits: limits})
	want(t, m, `
# HELP ipctrace_limit_used_ratio How much of a limit is used up, from 0 to 1: at 1 a call fails with ENOSPC. As of the last survey. Of "other", the largest.
# TYPE ipctrace_limit_used_ratio gauge
ipctrace_limit_used_ratio{limit="SHMMNI",namespace="4026531840.2"} 1
`, "ipctrace_limit_used_ratio")
}
