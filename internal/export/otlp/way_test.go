package otlp_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/ipctrace/ipctrace/internal/export/otlp"
)

// TestRedirected: a proxy that wants https, or a login, has not taken what it was sent,
// though the page that it names answers 200. Nor does that page get our headers.
func TestRedirected(t *testing.T) {
	clearEnv(t)
	page := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed") }))
	t.Cleanup(page.Close)
	proxy := httptest.NewServer(http.RedirectHandler(page.URL, http.StatusFound))
	t.Cleanup(proxy.Close)
	var told warnings
	o := open(t, otlp.Config{Endpoint: proxy.URL, Headers: map[string]string{"X-Token": "secret"}, Warn: told.add})
	write(t, o, start(), create(1))
	eventually(t, o, "retry", func(c otlp.Counts) bool { return c.Retries > 0 || c.Delivered > 0 })
	_ = closeWithin(t, o, 100*time.Millisecond)
	if c := balanced(t, o); c.Delivered != 0 || c.Lost[otlp.LostClosed] != 2 {
		t.Errorf("%+v", c)
	}
	if text := strings.Join(told.all(), "\n"); !strings.Contains(text, "302 Found") {
		t.Errorf("%s", text)
	}
}

// TestRejectedParameters: a content type may have parameters.
func TestRejectedParameters(t *testing.T) {
	clearEnv(t)
	text, err := proto.Marshal(&collectorlogs.ExportLogsServiceResponse{
		PartialSuccess: &collectorlogs.ExportLogsPartialSuccess{RejectedLogRecords: 1},
	})
	must(t, err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-protobuf; charset=utf-8")
		_, _ = w.Write(text)
	}))
	t.Cleanup(s.Close)
	o := open(t, otlp.Config{Endpoint: s.URL, Warn: func(string) {}})
	write(t, o, start(), create(1))
	must(t, closeWithin(t, o, time.Minute))
	if c := balanced(t, o); c.Lost[otlp.LostRejected] == 0 {
		t.Errorf("%+v", c)
	}
}

// TestSecrets: what is wrong with a password or its neighbours is said without it.
func TestSecrets(t *testing.T) {
	for name, test := range map[string]struct {
		cfg otlp.Config
		env map[string]string
	}{
		"variable":          {env: map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic hunter2,x"}},
		"variable, escape":  {env: map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2%zz"}},
		"of gRPC":           {cfg: otlp.Config{Protocol: otlp.GRPC}, env: map[string]string{"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "authorization=hunter2,x"}},
		"of metrics":        {env: map[string]string{"OTEL_EXPORTER_OTLP_METRICS_HEADERS": "hunter2"}},
		"header":            {cfg: otlp.Config{Headers: map[string]string{"authorization": "hunter2\n"}}},
		"header's name":     {cfg: otlp.Config{Headers: map[string]string{"x y": "hunter2"}}},
		"endpoint":          {cfg: otlp.Config{Endpoint: "https://me:hunter2@gateway:4318"}},
		"no URL":            {cfg: otlp.Config{Endpoint: "me:hunter2@gateway:4318"}},
		"endpoint variable": {env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://me:hunter2@gateway:4318"}},
	} {
		t.Run(name, func(t *testing.T) {
			clearEnv(t)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			test.cfg.Warn = func(text string) { t.Errorf("told: %s", text) }
			if err := test.cfg.Check(); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestFlood: what comes faster than the spool takes it is lost for want of memory, and
// not of a larger spool.
func TestFlood(t *testing.T) {
	clearEnv(t)
	o := open(t, spooled(t, otlp.Config{Endpoint: away, Batch: 10, Queue: 10}))
	write(t, o, start())
	e := create(1)
	eventually(t, o, "loss", func(c otlp.Counts) bool {
		for range 100 {
			write(t, o, e)
		}
		return c.Lost[otlp.LostQueue] > 0
	})
	must(t, closeWithin(t, o, 10*time.Second))
	if c := balanced(t, o); c.Lost[otlp.LostSpool] != 0 {
		t.Errorf("%+v", c)
	}
}

// TestNoScheme: a variable of gRPC may name host and port alone.
func TestNoScheme(t *testing.T) {
	clearEnv(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	g := grpc.NewServer()
	collectorlogs.RegisterLogsServiceServer(g, &collectorlogs.UnimplementedLogsServiceServer{})
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", l.Addr().String())
	t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
	var told warnings
	o := open(t, otlp.Config{Warn: told.add})
	write(t, o, start())
	eventually(t, o, "answer", func(c otlp.Counts) bool { return c.Retries > 0 })
	_ = closeWithin(t, o, 0)
	if text := strings.Join(told.all(), "\n"); !strings.Contains(text, "Unimplemented") {
		t.Errorf("%s", text)
	}
}

// TestCloseSpoolFull: what finds no room in the spool at the end is sent, if the
// collector takes it in time.
func TestCloseSpoolFull(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(status(http.StatusServiceUnavailable))
	o := open(t, spooled(t, otlp.Config{Endpoint: s.URL, Queue: 2000, SpoolBytes: 64 << 10}))
	write(t, o, start())
	for n := 1; n < 4000; n++ {
		write(t, o, create(n))
	}
	eventually(t, o, "full spool", func(c otlp.Counts) bool { return c.Spooled > 0 && c.Waiting > 1500 && c.Retries > 2 })
	s.setAnswer(nil)
	must(t, closeWithin(t, o, time.Minute))
	if c := balanced(t, o); c.Lost[otlp.LostClosed] > 0 || c.Spooled+c.Waiting > 0 {
		t.Errorf("%+v", c)
	}
}

// TestSpoolTakenAway: what somebody removes from the spool while it waits is counted,
// and told.
func TestSpoolTakenAway(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(status(http.StatusServiceUnavailable))
	cfg := spooled(t, otlp.Config{Endpoint: s.URL, SpoolBytes: 256 << 10})
	o := open(t, cfg)
	write(t, o, start())
	for n := range 300 {
		write(t, o, create(n))
	}
	eventually(t, o, "spool", func(c otlp.Counts) bool { return c.Spooled == 301 })
	files, _ := filepath.Glob(filepath.Join(cfg.Spool, "*.spool"))
	must(t, os.Remove(files[1]))
	s.setAnswer(nil)
	eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Spooled == 0 })
	write(t, o, create(300))
	must(t, closeWithin(t, o, time.Minute))
	all := s.all()
	told := all[len(all)-2].attribute("ipc.lost.count").GetIntValue() + all[len(all)-1].attribute("ipc.lost.count").GetIntValue()
	if c := balanced(t, o); c.Lost[otlp.LostSpool] == 0 || uint64(told) != c.Lost[otlp.LostSpool] {
		t.Errorf("%d told: %+v", told, c)
	}
}
