package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/collector"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestServeCollector: a real collector, and a log beside it, have as many events as the
// kernel told of, also when the collector was away for a while.
func TestServeCollector(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(strings.ReplaceAll(protocol, "/", " "), func(t *testing.T) {
			c := collector.New(t, collector.Options{})
			c.Start()
			t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
			t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")
			url := "http://" + c.HTTP
			if protocol == "grpc" {
				url = "http://" + c.GRPC
			}
			log := filepath.Join(t.TempDir(), "log")
			d := serveHere(t, "--otlp", url, "--spool", filepath.Join(t.TempDir(), "spool"), "--record", log, "--comm", mine)
			said := func(is func(series) bool) func() bool { return func() bool { return is(d.scrape()) } }
			made := func() {
				t.Helper()
				runMaker(t, 64, "-unshare", "-comm", mine, "-repeat", "1000", "msgget:0:0600")
			}
			made()
			d.await("delivery", said(func(s series) bool {
				return s.sum("ipctrace_output_delivered_total", "output=otlp") >= 1000 && s.sum("ipctrace_output_waiting", "output=otlp") == 0
			}))
			before := c.Counter("otelcol_receiver_accepted_log_records")
			c.Kill()
			made()
			d.await("spool", said(func(s series) bool { return s.sum("ipctrace_output_spooled", "output=otlp") >= 1000 }))
			c.Start()
			d.await("delivery", said(func(s series) bool {
				return s.sum("ipctrace_output_spooled", "output=otlp")+s.sum("ipctrace_output_waiting", "output=otlp") == 0
			}))
			d.end(exitDone)
			has := before + c.Counter("otelcol_receiver_accepted_log_records")
			if want := fmt.Sprintf("ipctrace: otlp: %d delivered, 0 waiting, 0 lost", has); !strings.Contains(d.words(), want) {
				t.Errorf("no %q in %s", want, d.words())
			}
			if metrics := c.Counter("otelcol_receiver_accepted_metric_points"); metrics == 0 {
				t.Error("no metrics")
			}
			events := 0
			for _, e := range recordedIn(t, log) {
				if e.Seal == nil {
					events++
				}
			}
			if uint64(events) != has {
				t.Errorf("the log has %d events, the collector %d", events, has)
			}
		})
	}
}

// TestServeSpoolRights: without rights, and told to write nowhere else, it spools, and
// finds the collector that comes later.
func TestServeSpoolRights(t *testing.T) {
	kerneltest.NeedRoot(t)
	path := kerneltest.Public(t, "ipctrace")
	dir := publicDir(t)
	if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, someone, someone)); err != nil {
		t.Fatal(err)
	}
	c := collector.New(t, collector.Options{})
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")
	spool := filepath.Join(dir, "spool")
	d := &serving{t: t, client: http.DefaultClient, over: make(chan struct{})}
	d.cmd = exec.Command(path, "serve", "--listen", "127.0.0.1:0", "--otlp", "http://"+c.HTTP, "--spool", spool, "--user", "1000", "--looks=false", "--comm", mine)
	d.start()
	runMaker(t, 64, "-unshare", "-comm", mine, "msgget:0:0600")
	d.await("spool", func() bool { return d.scrape().sum("ipctrace_output_spooled", "output=otlp") > 0 })
	if info, err := os.Stat(spool); err != nil || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != someone {
		t.Errorf("%v %v", info, err)
	}
	c.Start()
	d.await("delivery", func() bool {
		s := d.scrape()
		return s.sum("ipctrace_output_spooled", "output=otlp") == 0 && s.sum("ipctrace_output_delivered_total", "output=otlp") > 0
	})
	d.end(exitDone)
	if left, err := filepath.Glob(spool + "/*.spool"); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}
