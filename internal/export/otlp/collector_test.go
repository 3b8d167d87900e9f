package otlp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/ipctrace/ipctrace/internal/collector"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
)

// eachProtocol runs a test with both, each with a collector of its own that hands all
// on to a sink.
func eachProtocol(t *testing.T, test func(t *testing.T, c *collector.Collector, s *sink, cfg otlp.Config)) {
	for _, protocol := range []otlp.Protocol{otlp.GRPC, otlp.HTTP} {
		t.Run(strings.ReplaceAll(string(protocol), "/", " "), func(t *testing.T) {
			clearEnv(t)
			s := newSink(t)
			c := collector.New(t, collector.Options{Forward: s.URL})
			c.Start()
			test(t, c, s, otlp.Config{Protocol: protocol, Endpoint: "http://" + address(c, protocol)})
		})
	}
}

func address(c *collector.Collector, protocol otlp.Protocol) string {
	if protocol == otlp.GRPC {
		return c.GRPC
	}
	return c.HTTP
}

// TestCollector: a real collector says that it has as many as were sent, logs and
// metrics, and hands on each once, in order.
func TestCollector(t *testing.T) {
	eachProtocol(t, func(t *testing.T, c *collector.Collector, s *sink, cfg otlp.Config) {
		registry := prometheus.NewRegistry()
		counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "ipctrace_events_total", Help: "x"})
		registry.MustRegister(counter)
		cfg.Metrics = registry
		o := open(t, cfg)
		write(t, o, start())
		writeObjects(t, o, 1, 5000)
		counter.Add(4999)
		must(t, closeWithin(t, o, time.Minute))
		if twice := inOrder(t, s.all(), 5000, 0); twice != 0 {
			t.Errorf("%d twice", twice)
		}
		n := c.Counter("otelcol_receiver_accepted_log_records")
		if sent := balanced(t, o); sent.Delivered != 5000 || n != sent.Delivered {
			t.Errorf("the collector has %d: %+v", n, sent)
		}
		if got := s.metric("ipctrace_events_total"); got != 4999 {
			t.Errorf("metric: %v", got)
		}
	})
}

// TestCollectorSays is what a collector makes of a record.
func TestCollectorSays(t *testing.T) {
	clearEnv(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
	c := collector.New(t, collector.Options{})
	c.Start()
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+c.GRPC)
	t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
	o := open(t, otlp.Config{Version: "1.2.3"})
	e := create(7)
	e.Process.Comm = "a\x1b\xff"
	write(t, o, start(), e)
	must(t, closeWithin(t, o, time.Minute))
	want := []string{
		"service.name: Str(ipctrace)", "service.version: Str(1.2.3)", "host.name: Str(", "host.arch: Str(", "os.type: Str(linux)", "os.version: Str(",
		"deployment.environment.name: Str(test)", "EventName: ipctrace.object.create", "SeverityText: INFO", "Timestamp: 2026-07-14 04:33:17.007000123",
		`Body: Str(object.create msg 7 key 0x00000007 in 4026531839 host: a\x1b` + "\ufffd[4711])",
		"ipc.seq: Int(2)", "ipc.key: Str(0x00000007)", "ipc.id: Int(7)", "process.pid: Int(4711)", "ipc.process.comm_hex: Str(611bff)", "ipc.flags: Slice([\"IPC_CREAT\"])",
	}
	said := ""
	for range 500 { // it is written a little later
		if said = c.Output(); strings.Contains(said, "ipc.seq: Int(2)") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("no %s in what the collector says:\n%s", w, said)
		}
	}
}

// TestCollectorKilled: a collector that is killed in the middle of a flood and comes
// back, again and again, has all of it, in order, and twice at most what it had not
// said that it has.
func TestCollectorKilled(t *testing.T) {
	eachProtocol(t, func(t *testing.T, c *collector.Collector, s *sink, cfg otlp.Config) {
		cfg = spooled(t, cfg)
		o := open(t, cfg)
		write(t, o, start())
		n := 1
		for range 3 {
			writeObjects(t, o, n, n+1500)
			n += 1500
			c.Kill()
			writeObjects(t, o, n, n+1500)
			n += 1500
			eventually(t, o, "spool", func(c otlp.Counts) bool { return c.Waiting == 0 && c.Spooled > 0 })
			c.Start()
		}
		eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Waiting+c.Spooled == 0 })
		must(t, closeWithin(t, o, time.Minute))
		twice := inOrder(t, s.all(), int64(n), 512)
		if c := balanced(t, o); c.Delivered != uint64(n) {
			t.Errorf("%+v", c)
		}
		t.Logf("%d of %d came twice", twice, n)
	})
}

// TestCollectorHangs: one that does not answer is one that is away.
func TestCollectorHangs(t *testing.T) {
	eachProtocol(t, func(t *testing.T, c *collector.Collector, s *sink, cfg otlp.Config) {
		t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3000")
		var told warnings
		cfg = spooled(t, cfg)
		cfg.Warn = told.add
		o := open(t, cfg)
		write(t, o, start())
		writeObjects(t, o, 1, 1000)
		eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Delivered == 1000 })
		c.Pause(true)
		writeObjects(t, o, 1000, 3000)
		eventually(t, o, "spool", func(c otlp.Counts) bool { return c.Spooled == 2000 })
		c.Pause(false)
		eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Delivered == 3000 })
		must(t, closeWithin(t, o, time.Minute))
		inOrder(t, s.all(), 3000, 512)
		if text := strings.Join(told.all(), "\n"); !strings.Contains(text, "does not take events") {
			t.Errorf("%s", text)
		}
	})
}

// TestTLS: who cannot be trusted gets nothing; nothing is lost by it.
func TestTLS(t *testing.T) {
	right, other := newCA(t), newCA(t)
	for _, protocol := range []otlp.Protocol{otlp.GRPC, otlp.HTTP} {
		for name, test := range map[string]struct {
			ca   *authority
			host string // in the certificate
			want string // "": it is trusted
		}{
			"good":       {right, "127.0.0.1", ""},
			"unknown CA": {other, "127.0.0.1", "unknown authority"},
			"wrong name": {right, "127.0.0.2", "not 127.0.0.1"},
		} {
			t.Run(strings.ReplaceAll(string(protocol), "/", " ")+" "+name, func(t *testing.T) {
				clearEnv(t)
				s := newSink(t)
				c := collector.New(t, collector.Options{Forward: s.URL, TLS: test.ca.server(t, test.host)})
				c.Start()
				var told warnings
				t.Setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", right.file)
				o := open(t, spooled(t, otlp.Config{Protocol: protocol, Endpoint: "https://" + address(c, protocol), Warn: told.add}))
				write(t, o, start(), create(1))
				if test.want != "" {
					eventually(t, o, "refusal", func(otlp.Counts) bool { return len(told.all()) > 0 })
				}
				must(t, closeWithin(t, o, time.Minute))
				counts := balanced(t, o)
				switch text := strings.Join(told.all(), "\n"); {
				case test.want == "" && (counts.Delivered != 2 || text != ""):
					t.Errorf("%+v %s", counts, text)
				case test.want != "" && (counts.Spooled != 2 || !strings.Contains(text, test.want)):
					t.Errorf("%+v %s, want %s", counts, text, test.want)
				}
			})
		}
	}
}

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

func newCA(t testing.TB) *authority {
	a := &authority{cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, file: filepath.Join(t.TempDir(), "ca.crt")}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	must(t, err)
	a.cert, err = x509.ParseCertificate(der)
	must(t, err)
	writePEM(t, a.file, "CERTIFICATE", der)
	return a
}

// server is a directory with the certificate and key of one.
func (a *authority) server(t testing.TB, host string) string {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	cert := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(host)}}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key.Public(), a.key)
	must(t, err)
	writePEM(t, filepath.Join(dir, "server.crt"), "CERTIFICATE", der)
	der, err = x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	writePEM(t, filepath.Join(dir, "server.key"), "PRIVATE KEY", der)
	return dir
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

func basic(password string) map[string]string {
	return map[string]string{"authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("ipctrace:"+password))}
}

// TestPassword: with a wrong one all waits, and with the right one all is sent. A gate
// before the collector asks for it.
func TestPassword(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	c := collector.New(t, collector.Options{Forward: s.URL})
	c.Start()
	behind, err := url.Parse("http://" + c.HTTP)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	transport := &http.Transport{}
	proxy.Transport = transport
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "right" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { gate.Close(); transport.CloseIdleConnections() })
	var told warnings
	cfg := spooled(t, otlp.Config{Endpoint: gate.URL, Headers: basic("wrong"), Warn: told.add})
	o := open(t, cfg)
	write(t, o, start(), create(1))
	eventually(t, o, "refusal", func(c otlp.Counts) bool { return c.Retries > 0 })
	must(t, closeWithin(t, o, time.Minute))
	if c := balanced(t, o); c.Spooled != 2 || !strings.Contains(strings.Join(told.all(), "\n"), "401 Unauthorized") {
		t.Fatalf("%+v %q", c, told.all())
	}
	cfg.Headers = basic("right")
	o = open(t, cfg)
	must(t, closeWithin(t, o, time.Minute))
	if c := balanced(t, o); c.Delivered != 2 {
		t.Errorf("%+v", c)
	}
	inOrder(t, s.all(), 2, 0)
}

// guarded answers over gRPC as it is told.
type guarded struct {
	collectorlogs.UnimplementedLogsServiceServer
	answers chan error // the last stays
	took    chan int
}

func (g *guarded) Export(_ context.Context, r *collectorlogs.ExportLogsServiceRequest) (*collectorlogs.ExportLogsServiceResponse, error) {
	err := <-g.answers
	if err != nil {
		return nil, err
	}
	g.answers <- nil
	g.took <- len(recordsOf(r, 0))
	return &collectorlogs.ExportLogsServiceResponse{}, nil
}

// TestGRPCAnswers: which of them are about what is sent, and which about the way.
func TestGRPCAnswers(t *testing.T) {
	for code, lost := range map[codes.Code]uint64{
		codes.Unauthenticated: 0, codes.PermissionDenied: 0, codes.Unavailable: 0, codes.Unimplemented: 0, codes.DeadlineExceeded: 0,
		codes.InvalidArgument: 1, codes.Internal: 1, codes.ResourceExhausted: 1,
	} {
		t.Run(code.String(), func(t *testing.T) {
			clearEnv(t)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			g := &guarded{answers: make(chan error, 2), took: make(chan int, 10)}
			g.answers <- grpcstatus.Error(code, "as the test wants it")
			server := grpc.NewServer()
			collectorlogs.RegisterLogsServiceServer(server, g)
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(server.Stop)
			o := open(t, otlp.Config{Protocol: otlp.GRPC, Endpoint: "http://" + listener.Addr().String(), Warn: func(string) {}})
			write(t, o, start())
			eventually(t, o, "answer", func(c otlp.Counts) bool { return c.Retries+c.Lost[otlp.LostRefused] > 0 })
			g.answers <- nil
			must(t, closeWithin(t, o, time.Minute))
			c := balanced(t, o)
			if c.Lost[otlp.LostRefused] != lost {
				t.Errorf("%+v", c)
			}
		})
	}
}
