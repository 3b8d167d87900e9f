package otlp_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(sendInto); dir != "" {
		sendUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

type reply = collectorlogs.ExportLogsServiceResponse

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// began is when all that is sent here happened.
var began = time.Date(2026, 7, 14, 4, 33, 17, 123, time.UTC)

func start() *event.Event {
	return &event.Event{Seq: 1, Time: began, Event: event.TraceStart, Start: &event.Start{
		Tool: "ipctrace test", Host: "web-1", Kernel: "6.18.5", Arch: "x86_64", Tier: "fentry", Gaps: []string{}, Filters: []string{},
	}}
}

// create is the nth object made.
func create(n int) *event.Event {
	at := began.Add(time.Duration(n) * time.Millisecond)
	return &event.Event{
		Time: at, BootNS: int64(n) * 1e6, Event: event.ObjectCreate,
		NS:     &event.Namespace{Inode: 4026531839, Gen: 1, ID: 4098, Initial: true, Label: "host"},
		Object: &event.Object{Kind: "msg", ID: new(int32(n)), Key: event.Key(n), Mode: 0o600, Flags: []string{"IPC_CREAT"}, UID: new(uint32), GID: new(uint32)},
		Process: &event.Process{
			PID: 4711, TID: 4711, NSPID: 4711, PPID: 1, Comm: "ipcmk", ParentComm: "systemd", CgroupID: 1,
			Cgroup: fmt.Sprintf("/system.slice/job-%d.service", n%10),
		},
		Syscall: "msgget", ABI: "x86_64",
	}
}

// record is one that came.
type record struct {
	*logspb.LogRecord
	resource []*commonpb.KeyValue
	request  int // in which it came
}

func (r record) attribute(key string) *commonpb.AnyValue { return find(r.Attributes, key) }

func find(all []*commonpb.KeyValue, key string) *commonpb.AnyValue {
	for _, a := range all {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

func (r record) seq() int64     { return r.attribute("ipc.seq").GetIntValue() }
func (r record) stream() string { return r.attribute("ipc.stream").GetStringValue() }

// sink takes OTLP over HTTP, and answers as it is told.
type sink struct {
	*httptest.Server

	mu       sync.Mutex
	requests int
	records  []record
	metrics  map[string]float64
	body     []byte                                                                                           // of the last request
	answer   func(request int, records []record) (status int, reply *collectorlogs.ExportLogsServiceResponse) // nil: takes all
}

func newSink(t testing.TB) *sink {
	s := &sink{metrics: map[string]float64{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.SetKeepAlivesEnabled(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var text io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		text, _ = gzip.NewReader(r.Body)
	}
	body, err := io.ReadAll(text)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body = body
	if r.Header.Get("Content-Type") == "application/json" { // only looked at
		w.Header().Set("Content-Type", "application/json")
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	if r.URL.Path == "/v1/metrics" {
		s.takeMetrics(body)
		return
	}
	var request collectorlogs.ExportLogsServiceRequest
	if r.URL.Path != "/v1/logs" || proto.Unmarshal(body, &request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.requests++
	came := recordsOf(&request, s.requests)
	status, reply := http.StatusOK, &collectorlogs.ExportLogsServiceResponse{}
	if s.answer != nil {
		status, reply = s.answer(s.requests, came)
	}
	if status == http.StatusOK || status == answerLost {
		s.records = append(s.records, came...)
	}
	if status == answerLost {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(status)
	if reply != nil {
		text, _ := proto.Marshal(reply)
		_, _ = w.Write(text)
	}
}

// answerLost is of a sink that has taken a request, and ends the connection.
const answerLost = -1

func recordsOf(request *collectorlogs.ExportLogsServiceRequest, n int) (all []record) {
	for _, r := range request.ResourceLogs {
		for _, s := range r.ScopeLogs {
			for _, l := range s.LogRecords {
				all = append(all, record{LogRecord: l, resource: r.Resource.GetAttributes(), request: n})
			}
		}
	}
	return all
}

func (s *sink) takeMetrics(body []byte) {
	var request collectormetrics.ExportMetricsServiceRequest
	if proto.Unmarshal(body, &request) != nil {
		return
	}
	for _, r := range request.ResourceMetrics {
		for _, sm := range r.ScopeMetrics {
			for _, m := range sm.Metrics {
				for _, p := range m.GetSum().GetDataPoints() {
					s.metrics[m.Name] = p.GetAsDouble()
				}
			}
		}
	}
}

func (s *sink) setAnswer(answer func(int, []record) (int, *collectorlogs.ExportLogsServiceResponse)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// status answers so to all.
func status(code int) func(int, []record) (int, *collectorlogs.ExportLogsServiceResponse) {
	return func(int, []record) (int, *collectorlogs.ExportLogsServiceResponse) { return code, nil }
}

func (s *sink) lastBody() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body
}

func (s *sink) all() []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

func (s *sink) metric(name string) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.metrics[name]
}

// warnings are what people were told.
type warnings struct {
	mu   sync.Mutex
	text []string
}

func (w *warnings) add(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.text)
}

// clear keeps the variables of who runs the tests out of them.
func clearEnv(t testing.TB) {
	t.Helper()
	for _, name := range []string{
		"ENDPOINT", "PROTOCOL", "HEADERS", "TIMEOUT", "COMPRESSION", "CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY", "INSECURE",
	} {
		for _, signal := range []string{"", "LOGS_", "METRICS_"} {
			t.Setenv("OTEL_EXPORTER_OTLP_"+signal+name, "")
		}
	}
}

func open(t testing.TB, cfg otlp.Config) *otlp.Output {
	t.Helper()
	if cfg.Warn == nil {
		cfg.Warn = func(text string) { t.Errorf("unexpected: %s", text) }
	}
	if cfg.Delay == 0 {
		cfg.Delay = 20 * time.Millisecond
	}
	o, err := otlp.Open(t.Context(), cfg)
	must(t, err)
	return o
}

func write(t testing.TB, o *otlp.Output, events ...*event.Event) {
	t.Helper()
	for _, e := range events {
		must(t, o.Write(e))
	}
}

// writeObjects writes some, without more in memory than there is room for.
func writeObjects(t testing.TB, o *otlp.Output, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		write(t, o, create(n))
		if n%1000 == 999 {
			eventually(t, o, "room in memory", func(c otlp.Counts) bool { return c.Waiting < 2000 })
		}
	}
}

func closeWithin(t testing.TB, o *otlp.Output, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return o.Close(ctx)
}

// balanced are the counts, which are to add up.
func balanced(t testing.TB, o *otlp.Output) otlp.Counts {
	t.Helper()
	c := o.Counts()
	sum := c.Delivered + c.Waiting + c.Spooled
	for _, n := range c.Lost {
		sum += n
	}
	if sum != c.Produced {
		t.Fatalf("delivered + lost + waiting = %d, produced %d: %+v", sum, c.Produced, c)
	}
	return c
}

// eventually waits for what is said to come; how long that takes is no matter.
func eventually(t testing.TB, o *otlp.Output, what string, is func(otlp.Counts) bool) {
	t.Helper()
	for range 6000 {
		if is(balanced(t, o)) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %s: %+v", what, o.Counts())
}

// inOrder is that all numbers from 1 to last came, in order, in one stream, and twice
// at most within what one request can hold.
func inOrder(t testing.TB, records []record, last int64, batch int64) (twice int) {
	t.Helper()
	next := int64(1)
	for i, r := range records {
		seq := r.seq()
		if r.stream() != records[0].stream() {
			t.Fatalf("record %d: stream %s, the first was %s", i, r.stream(), records[0].stream())
		}
		switch {
		case seq == next:
			next++
		case seq < next && next-seq <= batch:
			twice++
			next = seq + 1
		default:
			t.Fatalf("record %d: seq %d, want %d", i, seq, next)
		}
	}
	if next != last+1 {
		t.Fatalf("the last was %d, want %d", next-1, last)
	}
	return twice
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}
