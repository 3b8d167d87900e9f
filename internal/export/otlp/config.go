// Package otlp sends events to an OpenTelemetry Collector, or to what else speaks
// OTLP: a log record each, and the metrics of a Prometheus registry, so that those
// are defined once. docs/otlp.md says what becomes of which field, and of events
// while the collector is away.
//
// Who has events gives them to [Output.Write], which never waits. What is to be sent
// waits in memory, and when that does not get on, in a spool on disk; it is sent in
// order, and stays until the collector has said that it has it. Delivered + lost +
// waiting = produced, always.
package otlp

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Protocol is how OTLP is spoken.
type Protocol string

// The protocols.
const (
	GRPC Protocol = "grpc"
	HTTP Protocol = "http/protobuf"
)

// Config says where to, and how. What is left out is as the variables OTEL_* say, or
// as is usual where there are none.
type Config struct {
	Version string // of ipctrace

	Endpoint string   // URL without the path of a signal: "https://gateway:4317"
	Protocol Protocol // default HTTP
	Headers  map[string]string

	CA, Certificate, Key string // files (PEM): who may have signed the collector's certificate; ours

	Queue      int           // events that wait in memory at most; default DefaultQueue
	Batch      int           // events in a request at most; default 512
	Delay      time.Duration // how long a request waits for more events; default 1s
	Spool      string        // directory; "": none
	SpoolBytes int64         // its bound; default DefaultSpoolBytes

	Metrics  prometheus.Gatherer // nil: no metrics
	Interval time.Duration       // of metrics; default 1m

	Begin func()            // nil, or is called first by the goroutine that puts events into the spool
	Put   func(boot int64)  // nil, or is told of each batch that was taken when its oldest event happened (BootNS)
	Warn  func(text string) // tells people what went wrong, and when it is over
}

// Wrong is what is wrong with a field of a Config, which is called as in the
// configuration file: endpoint, protocol, headers, ca, certificate, queue.
type Wrong struct {
	Field string
	err   error
}

func (w *Wrong) Error() string { return "otlp: " + w.Field + ": " + w.err.Error() }

// Unwrap is why it is wrong.
func (w *Wrong) Unwrap() error { return w.err }

func wrong(field, format string, args ...any) error {
	return &Wrong{field, fmt.Errorf(format, args...)}
}

// Check says what is wrong with a Config, before anything is opened.
func (c Config) Check() error {
	if err := c.complete(); err != nil {
		return err
	}
	for _, f := range []flow{logs, metrics} {
		if _, err := c.link(f); err != nil {
			return err
		}
	}
	return nil
}

// Defaults of a Config.
const (
	DefaultQueue      = 65536 // a flood that is read at once: about 1 KB each
	DefaultSpoolBytes = 256 << 20
)

// flow is a sort of what is sent.
type flow struct{ name, path string }

var (
	logs    = flow{"LOGS", "/v1/logs"}
	metrics = flow{"METRICS", "/v1/metrics"}
)

// env is a variable for the signal, or else the one for all signals.
func (s flow) env(name string) string { return os.Getenv(s.variable(name)) }

// variable is which of the two is given.
func (s flow) variable(name string) string {
	if own := "OTEL_EXPORTER_OTLP_" + s.name + "_" + name; os.Getenv(own) != "" {
		return own
	}
	return "OTEL_EXPORTER_OTLP_" + name
}

// choice reads a variable that has few values. Not all exporters say that they do not
// understand one.
func (s flow) choice(name string, values ...string) (string, error) {
	text := strings.ToLower(s.env(name))
	if text != "" && !slices.Contains(values, text) {
		return "", fmt.Errorf("%s=%q: must be %s", s.variable(name), text, strings.Join(values, " or "))
	}
	return text, nil
}

// link is how a signal is sent.
type link struct {
	protocol Protocol
	endpoint string // URL as the exporter takes it; "": it reads the variables
	name     string // for people
	headers  map[string]string
	tls      *tls.Config // nil: as usual
	timeout  time.Duration
}

// complete fills in what is left out.
func (c *Config) complete() error {
	batch, err := number64("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", 512)
	if err != nil {
		return err
	}
	queue, err := number64("OTEL_BLRP_MAX_QUEUE_SIZE", DefaultQueue)
	if err != nil {
		return err
	}
	delay, err := number64("OTEL_BLRP_SCHEDULE_DELAY", 1000)
	if err != nil {
		return err
	}
	c.Batch = cmp.Or(c.Batch, int(batch))
	c.Queue = cmp.Or(c.Queue, int(queue))
	c.Delay = cmp.Or(c.Delay, time.Duration(delay)*time.Millisecond)
	c.SpoolBytes = cmp.Or(c.SpoolBytes, DefaultSpoolBytes)
	if c.Batch < 1 || c.Queue < c.Batch {
		return wrong("queue", "%d events for requests of %d: must be at least as large, and not 0", c.Queue, c.Batch)
	}
	return nil
}

// number64 reads a variable.
func number64(name string, otherwise int64) (int64, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s=%q: not a number from 1 on", name, text)
	}
	return n, nil
}

// link says how a signal is sent.
func (c *Config) link(s flow) (link, error) {
	l := link{headers: c.Headers}
	l.protocol = cmp.Or(c.Protocol, Protocol(s.env("PROTOCOL")), HTTP)
	if l.protocol != GRPC && l.protocol != HTTP {
		return l, wrong("protocol", "%q: must be %s or %s", l.protocol, GRPC, HTTP)
	}
	usual := map[Protocol]string{GRPC: "http://localhost:4317", HTTP: "http://localhost:4318"}
	base := c.Endpoint
	l.name = cmp.Or(base, s.env("ENDPOINT"), usual[l.protocol])
	if base == "" && s.env("ENDPOINT") == "" {
		base = usual[l.protocol]
	}
	u, err := c.address(s, l)
	if err != nil {
		return l, err
	}
	switch {
	case l.protocol == GRPC: // its exporter for logs cannot read one without a scheme
		l.endpoint = u.String()
	case base != "":
		l.endpoint = strings.TrimSuffix(base, "/") + s.path
	}
	if _, err := s.choice("COMPRESSION", "gzip", "none"); err != nil {
		return l, err
	}
	if err := c.checkHeaders(s); err != nil {
		return l, err
	}
	if l.tls, err = c.tls(s); err != nil {
		return l, err
	}
	if l.tls != nil && u.Scheme == "http" {
		return l, wrong("endpoint", "%s is without TLS, and there are certificates: write https://", l.name)
	}
	l.timeout = 10 * time.Second
	if text := s.env("TIMEOUT"); text != "" {
		ms, err := strconv.ParseInt(text, 10, 32)
		if err != nil || ms < 1 {
			return l, fmt.Errorf("%s=%q: not milliseconds", s.variable("TIMEOUT"), text)
		}
		l.timeout = time.Duration(ms) * time.Millisecond
	}
	return l, nil
}

// address reads where a link goes to. A variable of gRPC may name it without a scheme. What
// is wrong with it is told without it, where there may be a password in it.
func (c *Config) address(s flow, l link) (*url.URL, error) {
	insecure, err := s.choice("INSECURE", "true", "false")
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(l.name)
	is := err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
	switch {
	case is && u.User == nil:
		return u, nil
	case is || strings.Contains(l.name, "@"):
		err = errors.New("must be without user and password, which would not be sent: put them into the header authorization")
	case c.Endpoint == "" && l.protocol == GRPC && !strings.Contains(l.name, "://"):
		if insecure == "true" {
			return &url.URL{Scheme: "http", Host: l.name}, nil
		}
		return &url.URL{Scheme: "https", Host: l.name}, nil
	default:
		err = fmt.Errorf("%q: must be a URL: https://HOST:PORT, or http:// without TLS", l.name)
	}
	if c.Endpoint == "" {
		return nil, fmt.Errorf("%s: %w", s.variable("ENDPOINT"), err)
	}
	return nil, &Wrong{"endpoint", err}
}

// tls is nil where no files are named.
func (c *Config) tls(s flow) (*tls.Config, error) {
	ca := cmp.Or(c.CA, s.env("CERTIFICATE"))
	cert, key := cmp.Or(c.Certificate, s.env("CLIENT_CERTIFICATE")), cmp.Or(c.Key, s.env("CLIENT_KEY"))
	if ca == "" && cert == "" && key == "" {
		return nil, nil
	}
	own := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, wrong("ca", "%w", err)
		}
		own.RootCAs = x509.NewCertPool()
		if !own.RootCAs.AppendCertsFromPEM(text) {
			return nil, wrong("ca", "%s: no certificate in it: must be PEM", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, wrong("certificate", "a client's certificate and its key are needed together")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, wrong("certificate", "%s: %w", cert, err)
		}
		own.Certificates = []tls.Certificate{pair}
	}
	return own, nil
}
