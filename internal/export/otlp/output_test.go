package otlp_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
)

// TestSent: all that is written comes, once and in order, numbered anew.
func TestSent(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	o := open(t, otlp.Config{Endpoint: s.URL, Version: "1.2.3"})
	write(t, o, start())
	writeObjects(t, o, 1, 5000)
	must(t, closeWithin(t, o, time.Minute))
	if twice := inOrder(t, s.all(), 5000, 512); twice != 0 {
		t.Errorf("%d came twice", twice)
	}
	c := balanced(t, o)
	if c.Delivered != 5000 || c.Waiting != 0 {
		t.Errorf("%+v", c)
	}
	if o.Write(create(1)) == nil {
		t.Error("taken after the end")
	}
}

// TestStreams: another stream begins at 1, under another name.
func TestStreams(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	o := open(t, otlp.Config{Endpoint: s.URL})
	write(t, o, start(), create(1), start(), create(2))
	must(t, closeWithin(t, o, time.Minute))
	got := s.all()
	if len(got) != 4 || got[2].seq() != 1 || got[3].seq() != 2 || got[1].stream() == got[2].stream() || len(got[0].stream()) != 32 {
		t.Errorf("%d records", len(got))
	}
}

// TestQueueFull: what finds no room in memory is counted, and told in its place.
func TestQueueFull(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(status(http.StatusServiceUnavailable))
	var told warnings
	o := open(t, otlp.Config{Endpoint: s.URL, Queue: 600, Warn: told.add})
	write(t, o, start())
	for n := 1; n < 1000; n++ {
		write(t, o, create(n))
	}
	write(t, o, &event.Event{Time: began, Event: event.TraceLost, Lost: &event.Lost{Count: 7, From: began, To: began}})
	c := balanced(t, o)
	if c.Waiting != 600 || c.Lost[otlp.LostQueue] != 400 {
		t.Errorf("%+v", c)
	}
	eventually(t, o, "second try", func(c otlp.Counts) bool { return c.Retries > 1 })
	s.setAnswer(nil)
	eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Waiting == 0 })
	write(t, o, create(1000), &event.Event{Time: began.Add(time.Hour), Event: event.TraceStop, Stop: &event.Stop{Reason: "signal", Written: 1000}})
	must(t, closeWithin(t, o, time.Minute))
	got := s.all()
	inOrder(t, got, 604, 512)
	var lost []int64
	for _, r := range got[600:602] {
		lost = append(lost, r.attribute("ipc.lost.count").GetIntValue())
	}
	same(t, lost, []int64{400, 7})
	last := got[603]
	same(t, []int64{last.attribute("ipc.stop.written").GetIntValue(), last.attribute("ipc.stop.dropped").GetIntValue()}, []int64{600, 400})
	if text := strings.Join(told.all(), "\n"); strings.Count(text, "does not take events (503 Service Unavailable)") != 1 || strings.Count(text, "takes events again") != 1 {
		t.Errorf("%s", text)
	}
}

// TestRejected: what the collector did not take of a request is lost, and told.
func TestRejected(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(func(n int, _ []record) (int, *collectorlogs.ExportLogsServiceResponse) {
		reply := &collectorlogs.ExportLogsServiceResponse{}
		if n == 1 {
			reply.PartialSuccess = &collectorlogs.ExportLogsPartialSuccess{RejectedLogRecords: 3, ErrorMessage: "too old"}
		}
		return http.StatusOK, reply
	})
	var told warnings
	o := open(t, otlp.Config{Endpoint: s.URL, Warn: told.add})
	write(t, o, start(), create(1), create(2), create(3), create(4))
	eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Waiting == 0 })
	write(t, o, create(5))
	must(t, closeWithin(t, o, time.Minute))
	if c := balanced(t, o); c.Delivered != 4 || c.Lost[otlp.LostRejected] != 3 { // and the trace.lost
		t.Errorf("%+v", c)
	}
	if got := s.all(); len(got) != 7 || got[5].attribute("ipc.lost.count").GetIntValue() != 3 {
		t.Errorf("%d records", len(got))
	}
	if all := told.all(); len(all) != 1 || !strings.Contains(all[0], "rejected 3 of 5 events, which are lost: too old") {
		t.Errorf("%q", all)
	}
}

// TestRefused: an event that is not liked does not keep the others from being taken.
func TestRefused(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(func(_ int, came []record) (int, *collectorlogs.ExportLogsServiceResponse) {
		for _, r := range came {
			if r.attribute("ipc.id").GetIntValue() == 700 {
				return http.StatusBadRequest, nil
			}
		}
		return http.StatusOK, nil
	})
	var told warnings
	o := open(t, otlp.Config{Endpoint: s.URL, Warn: told.add})
	write(t, o, start())
	writeObjects(t, o, 1, 1500)
	must(t, closeWithin(t, o, time.Minute))
	if c := balanced(t, o); c.Lost[otlp.LostRefused] != 1 || c.Delivered != 1499 {
		t.Errorf("%+v", c)
	}
	if all := told.all(); len(all) != 1 || !strings.Contains(all[0], "refused an event, which is lost: 400 Bad Request") {
		t.Errorf("%q", all)
	}
}

// TestWrongPassword: what is wrong with the way, and not with what is sent, somebody
// will mend: it waits.
func TestWayThatFails(t *testing.T) {
	clearEnv(t)
	for _, code := range []int{401, 403, 404, 429, 502, 503, 504} {
		s := newSink(t)
		s.setAnswer(func(n int, _ []record) (int, *collectorlogs.ExportLogsServiceResponse) {
			if n == 1 {
				return code, nil
			}
			return http.StatusOK, nil
		})
		var told warnings
		o := open(t, otlp.Config{Endpoint: s.URL, Warn: told.add})
		write(t, o, start(), create(1))
		must(t, closeWithin(t, o, time.Minute))
		if c := balanced(t, o); c.Delivered != 2 || c.Retries != 1 {
			t.Errorf("%d: %+v %q", code, c, told.all())
		}
	}
}

// TestCloseAway: where nobody takes what is left, it is lost, and the end does not
// wait for ever.
func TestCloseAway(t *testing.T) {
	clearEnv(t)
	o := open(t, otlp.Config{Endpoint: "http://127.0.0.1:1", Warn: func(string) {}})
	write(t, o, start(), create(1))
	err := closeWithin(t, o, 100*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "2 events could not be sent to http://127.0.0.1:1") {
		t.Errorf("%v", err)
	}
	if c := balanced(t, o); c.Lost[otlp.LostClosed] != 2 {
		t.Errorf("%+v", c)
	}
}

// TestMetrics: those of a registry are sent, the last ones at the end.
func TestMetrics(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "ipctrace_events_total", Help: "x"})
	registry.MustRegister(counter)
	o := open(t, otlp.Config{Endpoint: s.URL, Metrics: registry})
	counter.Add(42)
	must(t, closeWithin(t, o, time.Minute))
	if got := s.metric("ipctrace_events_total"); got != 42 {
		t.Errorf("%v", got)
	}
}

// TestConfig: what cannot work is said at once.
func TestConfig(t *testing.T) {
	for name, test := range map[string]struct {
		cfg  otlp.Config
		env  map[string]string
		want string
	}{
		"endpoint":        {cfg: otlp.Config{Endpoint: "gateway:4317"}, want: `endpoint: "gateway:4317": must be a URL`},
		"no scheme":       {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "gateway:4318"}, want: `OTEL_EXPORTER_OTLP_ENDPOINT: "gateway:4318": must be a URL`},
		"protocol":        {env: map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, want: `protocol: "http/json"`},
		"logs protocol":   {env: map[string]string{"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "x"}, want: `protocol: "x"`},
		"timeout":         {env: map[string]string{"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, want: `OTEL_EXPORTER_OTLP_TIMEOUT="10s": not milliseconds`},
		"no CA":           {cfg: otlp.Config{CA: "/nowhere"}, want: "open /nowhere"},
		"TLS without":     {cfg: otlp.Config{Endpoint: "http://x:1", CA: "main_test.go"}, want: "no certificate in it"},
		"key alone":       {cfg: otlp.Config{Key: "x"}, want: "needed together"},
		"compression":     {env: map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, want: "zstd"},
		"of metrics":      {cfg: otlp.Config{Metrics: prometheus.NewRegistry()}, env: map[string]string{"OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "zstd"}, want: `OTEL_EXPORTER_OTLP_METRICS_COMPRESSION="zstd"`},
		"insecure":        {env: map[string]string{"OTEL_EXPORTER_OTLP_INSECURE": "maybe"}, want: `OTEL_EXPORTER_OTLP_INSECURE="maybe"`},
		"headers":         {env: map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "x"}, want: "header"},
		"batch":           {env: map[string]string{"OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "many"}, want: `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="many"`},
		"queue":           {cfg: otlp.Config{Queue: 10}, want: "queue: 10 events for requests of 512"},
		"spool too small": {cfg: otlp.Config{Spool: t.TempDir(), SpoolBytes: 5}, want: "spool of 5 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			test.cfg.Warn = func(text string) { t.Errorf("told: %s", text) }
			if _, err := otlp.Open(t.Context(), test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
