package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/collector"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// deploy is where the files for those who run it are.
const deploy = "../../deploy"

// prometheus is one that runs, and scrapes a daemon.
type prometheus struct {
	t   *testing.T
	url string
}

// scraping starts a Prometheus that scrapes d, with the alert rules of deploy/.
func scraping(t *testing.T, d *serving) *prometheus {
	t.Helper()
	program := kerneltest.NeedProgram(t, "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(deploy, "prometheus/alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
rule_files: [%q]
scrape_configs:
  - job_name: ipctrace
    static_configs: [{targets: [%q]}]
`, rules, strings.TrimPrefix(d.url, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	p := &prometheus{t: t, url: "http://" + address}
	cmd := exec.Command(program, "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", address, "--log.level", "warn")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	d.await("Prometheus is ready", func() bool {
		r, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return p
}

// freeAddress is one that nobody listens at, as far as can be said.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answer is what Prometheus says to a query.
type promAnswer struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
}

func (p *prometheus) ask(path string) (a promAnswer) {
	p.t.Helper()
	r, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		p.t.Fatalf("%v: %s", err, text)
	}
	return a
}

// query is the sum of what PromQL comes to.
func (p *prometheus) query(expr string) (sum float64, answer promAnswer) {
	p.t.Helper()
	a := p.ask("/api/v1/query?query=" + url.QueryEscape(expr))
	if a.Status != "success" {
		p.t.Fatalf("%s: %s", expr, a.Error)
	}
	for _, r := range a.Data.Result {
		n, err := strconv.ParseFloat(r.Value[1].(string), 64)
		if err != nil {
			p.t.Fatal(err)
		}
		sum += n
	}
	return sum, a
}

// TestServePrometheus: what a real Prometheus has scraped is what was made, promtool
// has nothing to say against the metrics, the alert rules work on them, and so does
// every query of the dashboard.
func TestServePrometheus(t *testing.T) {
	kerneltest.NeedRoot(t)
	promtool := kerneltest.NeedProgram(t, "promtool")
	config := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(config, []byte("metrics: {survey: 1s}"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := serveHere(t, "--config", config, "--comm", mine)
	p := scraping(t, d)
	h := holdMaker(t, "-comm", mine, "keep", "shmget:0:4096:0600", "keep", "shmget:0:4096:0600", "semget:3:1:0")
	made := func(expr string, want float64) {
		t.Helper()
		var got float64
		d.await(expr, func() bool { got, _ = p.query(expr); return got == want })
	}
	made(`ipctrace_objects{kind="shm"}`, 2)
	made(`ipctrace_object_bytes{kind="shm"}`, 8192)
	made(`ipctrace_events_total{event="object.create",kind="shm"}`, 2)
	made(`ipctrace_events_total{event="object.fail",kind="sem",errno="ENOENT"}`, 1)
	d.await("limits", func() bool { n, _ := p.query("ipctrace_limit_used_ratio > 0"); return n > 0 })
	dashboard(t, p)
	h.end()
	made(`ipctrace_objects{kind="shm"} or vector(0)`, 0)

	_, page := d.get("/metrics")
	check := exec.Command(promtool, "check", "metrics")
	check.Stdin = strings.NewReader(string(page))
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v: %s", err, out)
	}
	d.await("all rules were evaluated", func() bool {
		healthy := 0
		for _, g := range p.ask("/api/v1/rules").Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				if r.Health == "ok" {
					healthy++
				}
			}
		}
		return healthy == 8
	})
	d.end(exitDone)
}

// dashboard asks every query of the dashboard. Those of what is always there have an
// answer.
func dashboard(t *testing.T, p *prometheus) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, "grafana/dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) < 10 {
		t.Fatalf("%d panels", len(d.Panels))
	}
	mayBeEmpty := []string{"What happens", "What fails", "From the kernel", "Waiting for outputs"}
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$namespace", ".*").Replace(target.Expr)
			deadline := time.Now().Add(10 * time.Second)
			for {
				_, answer := p.query(expr)
				if len(answer.Data.Result) > 0 {
					break
				}
				optional := false
				for _, title := range mayBeEmpty {
					optional = optional || strings.HasPrefix(panel.Title, title)
				}
				if optional {
					break
				}
				if time.Now().After(deadline) {
					t.Errorf("panel %q shows nothing: %s", panel.Title, expr)
					break
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
	}
}

// TestAlerts runs promtool's tests of the rules.
func TestAlerts(t *testing.T) {
	promtool := kerneltest.NeedProgram(t, "promtool")
	cmd := exec.Command(promtool, "test", "rules", "alerts_test.yaml")
	cmd.Dir = filepath.Join(deploy, "prometheus")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestServeSides: many calls at full speed, counted by a real Prometheus, sent to a real
// collector, and recorded. All sides have as many, but for what each says that it lost.
// IPCTRACE_CALLS says how many: a million takes a minute or two.
func TestServeSides(t *testing.T) {
	kerneltest.NeedRoot(t)
	calls := 100_000
	if text := os.Getenv("IPCTRACE_CALLS"); text != "" {
		var err error
		if calls, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	c := collector.New(t, collector.Options{Forward: sink.URL})
	c.Start()
	file := filepath.Join(t.TempDir(), "log")
	d := serveHere(t, "--otlp", "http://"+c.HTTP, "--spool", filepath.Join(t.TempDir(), "spool"), "--spool-size", "2G", "--record", file, "--comm", mine)
	p := scraping(t, d)
	runMaker(t, 64, "-unshare", "-comm", mine, "-threads", "2", "-repeat", fmt.Sprint(calls/2), "msgget:7:01600")
	var s series
	d.awaitLong("all is delivered", func() bool {
		s = d.scrape()
		return s.happened()+s.sum("ipctrace_events_lost_total", "stage=ring") >= float64(calls) && s.sum("ipctrace_output_waiting")+s.sum("ipctrace_output_spooled") == 0
	})
	s.addsUp(t)
	lostInRing := s.sum("ipctrace_events_lost_total", "stage=ring")
	if told := s.happened(); told+lostInRing < float64(calls) {
		t.Errorf("%v told, %v lost, %d made", told, lostInRing, calls)
	}
	d.await("Prometheus has scraped that", func() bool {
		told, _ := p.query("sum(ipctrace_events_total)")
		return told == s.sum("ipctrace_events_total")
	})
	accepted := func() float64 { return float64(c.Counter("otelcol_receiver_accepted_log_records")) }
	delivered, lost, told := s.sum("ipctrace_output_delivered_total", "output=otlp"), s.sum("ipctrace_events_lost_total", "stage=otlp"), s.sum("ipctrace_events_total")
	if accepted() != delivered {
		t.Errorf("%v delivered, the collector has %v", delivered, accepted())
	}
	// Where some were lost, records tell of that, and are delivered too.
	if all := delivered + lost; all < told || all > told+lost {
		t.Errorf("%v told, %v delivered and %v lost by otlp", told, delivered, lost)
	}
	if recorded, told := s.sum("ipctrace_output_delivered_total", "output=record")+s.sum("ipctrace_events_lost_total", "stage=record"), s.happened(); recorded != told {
		t.Errorf("%v told, %v recorded or lost", told, recorded)
	}
	t.Logf("%v told, %v lost in the ring; the collector has %v; otlp lost %v, record %v", s.happened(), lostInRing, accepted(),
		s.sum("ipctrace_events_lost_total", "stage=otlp"), s.sum("ipctrace_events_lost_total", "stage=record"))
	d.end(exitDone)
	out, err := exec.Command("ipctrace", "verify", file).CombinedOutput()
	t.Logf("verify: %v: %s", err, out)
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
