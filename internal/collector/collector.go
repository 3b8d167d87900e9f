package collector

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// Collector is one that runs, or may.
type Collector struct {
	t       testing.TB
	binary  string
	config  string // file
	GRPC    string // address that it takes OTLP at
	HTTP    string // likewise
	metrics string // address of its own metrics
	env     []string

	cmd *exec.Cmd
	out output
}

// Options of a Collector.
type Options struct {
	Forward string // URL that it sends all to, and answers when that has answered; "": it writes all to stdout
	JSON    bool   // as JSON
	TLS     string // directory with server.crt and server.key; "": none
}

// New prepares a collector. Where there is none, the test is skipped; in CI it fails.
func New(t testing.TB, o Options) *Collector {
	t.Helper()
	binary, err := Build(t.Context())
	if err != nil {
		kerneltest.Lacks(t, err.Error())
	}
	c := &Collector{t: t, binary: binary, config: filepath.Join(t.TempDir(), "collector.yaml"), GRPC: Address(t), HTTP: Address(t), metrics: Address(t)}
	if err := os.WriteFile(c.config, []byte(c.text(o)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Kill() })
	return c
}

// Deployed is one with a configuration that is to be tried. Where it listens at 4317 and
// 4318, it does at other ports.
func Deployed(t testing.TB, file string, env ...string) *Collector {
	t.Helper()
	c := New(t, Options{})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	here := string(text)
	for port, address := range map[string]string{":4317": c.GRPC, ":4318": c.HTTP} {
		_, free, _ := net.SplitHostPort(address)
		here = strings.ReplaceAll(here, "${env:IPCTRACE_LISTEN}"+port, "127.0.0.1:"+free)
	}
	host, port, _ := net.SplitHostPort(c.metrics)
	here = strings.Replace(here, "\nservice:\n", fmt.Sprintf("\nservice:\n  telemetry:\n    metrics:\n      readers: [{pull: {exporter: {prometheus: {host: %q, port: %s}}}}]\n", host, port), 1)
	if err := os.WriteFile(c.config, []byte(here), 0o600); err != nil {
		t.Fatal(err)
	}
	c.env = env
	return c
}

// Address is one of this machine that nobody uses.
func Address(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// text is its configuration.
func (c *Collector) text(o Options) string {
	server, encoding := "", "proto"
	if o.JSON {
		encoding = "json"
	}
	if o.TLS != "" {
		server += fmt.Sprintf("\n        tls: {cert_file: %[1]s/server.crt, key_file: %[1]s/server.key}", o.TLS)
	}
	exporter, to := "debug", "debug: {verbosity: detailed}"
	if o.Forward != "" {
		exporter = "otlp_http"
		to = fmt.Sprintf("otlp_http: {endpoint: %q, compression: none, encoding: %s, sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}", o.Forward, encoding)
	}
	host, port, _ := net.SplitHostPort(c.metrics)
	return fmt.Sprintf(`receivers:
  otlp:
    protocols:
      grpc:
        endpoint: %s%s
      http:
        endpoint: %s%s
exporters:
  %s
service:
  telemetry:
    metrics:
      readers: [{pull: {exporter: {prometheus: {host: %q, port: %s}}}}]
  pipelines:
    logs: {receivers: [otlp], exporters: [%s]}
    metrics: {receivers: [otlp], exporters: [%s]}
`, c.GRPC, server, c.HTTP, server, to, host, port, exporter, exporter)
}

// Start starts it, and waits until it takes what is sent.
func (c *Collector) Start() {
	c.t.Helper()
	c.cmd = exec.Command(c.binary, "--config", c.config)
	c.cmd.Env = append(os.Environ(), c.env...)
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	c.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	for range 600 {
		if dials(c.GRPC) && dials(c.HTTP) && dials(c.metrics) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("the collector does not start:\n%s", c.Output())
}

func dials(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// Kill ends it as kill -9 does.
func (c *Collector) Kill() {
	if c.cmd != nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		c.cmd = nil
	}
}

// Pause makes it answer nobody, until the next call.
func (c *Collector) Pause(pause bool) {
	c.t.Helper()
	sig := unix.SIGCONT
	if pause {
		sig = unix.SIGSTOP
	}
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.t.Fatal(err)
	}
}

// Output is what it has written so far.
func (c *Collector) Output() string { return c.out.String() }

// Counter is one of its own, summed up over all labels.
func (c *Collector) Counter(name string) uint64 {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.metrics+"/metrics", http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		c.t.Fatal(err)
	}
	total := 0.0
	lines := regexp.MustCompile(`(?m)^`+name+`(_total)?(\{.*\})? (\S+)$`).FindAllStringSubmatch(text.String(), -1)
	for _, line := range lines {
		n, err := strconv.ParseFloat(strings.TrimSpace(line[3]), 64)
		if err != nil {
			c.t.Fatal(err)
		}
		total += n
	}
	return uint64(total)
}

// Validate asks the collector whether it understands a configuration.
func Validate(t testing.TB, file string, env ...string) (string, error) {
	t.Helper()
	binary, err := Build(t.Context())
	if err != nil {
		kerneltest.Lacks(t, err.Error())
	}
	cmd := exec.CommandContext(t.Context(), binary, "validate", "--config", file)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// output is written by the process and read by the test.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
