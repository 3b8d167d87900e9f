package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sys/unix"
)

// mine is what programs are called whose calls are counted: other tests make objects
// on this machine at the same time.
const mine = "ipctrace-serve"

// serving is a running ipctrace serve.
type serving struct {
	t      *testing.T
	cmd    *exec.Cmd
	client *http.Client
	url    string // of its metrics, without a path

	mu   sync.Mutex // guards said
	said strings.Builder
	over chan struct{} // closed when stderr has ended
}

// serveHere starts one at a port that is free, and waits until it is ready.
func serveHere(t *testing.T, args ...string) *serving {
	t.Helper()
	loopback(t)
	d := &serving{t: t, client: http.DefaultClient, over: make(chan struct{})}
	d.cmd = exec.Command("ipctrace", append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	d.start()
	return d
}

func (d *serving) start() {
	d.t.Helper()
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = d.cmd.Process.Kill(); _ = d.cmd.Wait() })
	ready := make(chan bool, 1)
	go func() {
		defer close(d.over)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			d.mu.Lock()
			d.said.WriteString(lines.Text() + "\n")
			_, address, _ := strings.Cut(lines.Text(), "metrics and health on ")
			address, _, _ = strings.Cut(address, ",")
			if address != "" {
				d.url = "http://" + address
			}
			d.mu.Unlock()
			if strings.HasPrefix(lines.Text(), "ipctrace: ready: ") {
				ready <- true
			}
		}
		ready <- false
	}()
	if !<-ready {
		_ = d.cmd.Wait()
		d.t.Fatalf("%q is not ready: %s", d.cmd.Args, d.words())
	}
}

// words is what it has said so far.
func (d *serving) words() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.said.String()
}

// await waits for something to become true.
func (d *serving) await(what string, is func() bool) {
	d.t.Helper()
	d.within(30*time.Second, what, is)
}

// awaitLong waits for what takes its time.
func (d *serving) awaitLong(what string, is func() bool) {
	d.t.Helper()
	d.within(4*time.Minute, what, is)
}

func (d *serving) within(limit time.Duration, what string, is func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(limit); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("not within %v: %s\n%s", limit, what, d.words())
		}
	}
}

func (d *serving) signal(s os.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
}

// end ends it, and wants this exit status.
func (d *serving) end(status int) {
	d.t.Helper()
	d.signal(syscall.SIGTERM)
	hang := time.AfterFunc(time.Minute, func() { _ = d.cmd.Process.Kill() })
	defer hang.Stop()
	<-d.over
	_ = d.cmd.Wait()
	if got := d.cmd.ProcessState.ExitCode(); got != status {
		d.t.Errorf("exit status %d, want %d: %s", got, status, d.words())
	}
}

// get asks for a page.
func (d *serving) get(path string) (status int, body []byte) {
	d.t.Helper()
	r, err := d.client.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err = io.ReadAll(r.Body); err != nil {
		d.t.Fatal(err)
	}
	return r.StatusCode, body
}

// series are those of one scrape.
type series map[string]*dto.MetricFamily

func (d *serving) scrape() series {
	d.t.Helper()
	status, body := d.get("/metrics")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if status != http.StatusOK || err != nil {
		d.t.Fatalf("%d %v: %s", status, err, body)
	}
	return families
}

// sum is of the series of a metric that have these labels: "event=object.create".
func (s series) sum(name string, labels ...string) (sum float64) {
	for _, m := range s[name].GetMetric() {
		has := map[string]bool{}
		for _, l := range m.GetLabel() {
			has[l.GetName()+"="+l.GetValue()] = true
		}
		all := true
		for _, l := range labels {
			all = all && has[l]
		}
		if all {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum
}

// happened is how many events of objects and namespaces were told.
func (s series) happened() float64 {
	sum := s.sum("ipctrace_events_total")
	for _, t := range []event.Type{event.TraceStart, event.TraceStop, event.TraceLost} {
		sum -= s.sum("ipctrace_events_total", "event="+string(t))
	}
	return sum
}

// adds up: what is produced is delivered, lost, or still in the ring; and what was
// told is recorded, lost, or waits.
func (s series) addsUp(t *testing.T) {
	t.Helper()
	produced, delivered := s.sum("ipctrace_events_produced_total"), s.sum("ipctrace_events_delivered_total")
	if lost, pending := s.sum("ipctrace_events_lost_total", "stage=ring"), s.sum("ipctrace_events_pending"); produced != delivered+lost+pending {
		t.Errorf("produced %v, delivered %v, lost %v, pending %v", produced, delivered, lost, pending)
	}
}

// loopback has a guest's 127.0.0.1 work.
func loopback(t *testing.T) {
	t.Helper()
	if kerneltest.Guest() == "" {
		return
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		t.Fatal(err)
	}
}
