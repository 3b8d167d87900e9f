package otlp_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
)

// BenchmarkSent is what an event costs that is sent at once, and BenchmarkSpooled one
// that has waited in the spool.
func BenchmarkSent(b *testing.B) {
	benchmark(b, otlp.Config{}, func(*otlp.Output) {})
}

func BenchmarkSpooled(b *testing.B) {
	benchmark(b, otlp.Config{Spool: filepath.Join(b.TempDir(), "spool"), SpoolBytes: 8 << 30}, func(o *otlp.Output) {
		for c := o.Counts(); c.Spooled < c.Produced; c = o.Counts() {
			time.Sleep(time.Millisecond)
		}
	})
}

func benchmark(b *testing.B, cfg otlp.Config, wait func(*otlp.Output)) {
	clearEnv(b)
	open := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-open:
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	cfg.Endpoint, cfg.Queue, cfg.Warn, cfg.Delay = s.URL, 16384, func(string) {}, time.Millisecond
	o, err := otlp.Open(b.Context(), cfg)
	must(b, err)
	if cfg.Spool == "" {
		close(open)
	}
	var events [64]*event.Event
	for i := range events {
		events[i] = create(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		must(b, o.Write(events[i%len(events)]))
		for i%1024 == 0 && o.Counts().Waiting > 8000 {
			time.Sleep(time.Millisecond)
		}
	}
	wait(o)
	if cfg.Spool != "" {
		close(open)
	}
	for c := o.Counts(); c.Waiting+c.Spooled > 0; c = o.Counts() {
		time.Sleep(time.Millisecond)
	}
	if c := o.Counts(); c.Delivered != uint64(b.N) {
		b.Fatalf("%+v", c)
	}
	must(b, o.Close(b.Context()))
}
