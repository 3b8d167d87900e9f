package otlp

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/ipctrace/ipctrace/internal/event"
)

// client sends log records, and says what became of them. Not for concurrent use.
type client struct {
	exporter  sdklog.Exporter
	answers   answers
	transport *http.Transport // of HTTP
	provider  *sdklog.LoggerProvider
	logger    log.Logger
	made      batchOf
	timeout   time.Duration
}

// scope is who makes the records and metrics.
const scope = "github.com/ipctrace/ipctrace"

func newClient(ctx context.Context, l link, version string, r *resource.Resource) (*client, error) {
	c := &client{timeout: l.timeout}
	var err error
	if l.protocol == GRPC {
		c.exporter, err = otlploggrpc.New(ctx, c.grpcOptions(l)...)
	} else {
		c.exporter, err = otlploghttp.New(ctx, c.httpOptions(l)...)
	}
	if err != nil {
		return nil, err
	}
	// No limits: what is in an event is bounded. No search for keys that are there
	// twice: there are none.
	c.provider = sdklog.NewLoggerProvider(sdklog.WithResource(r), sdklog.WithProcessor(&c.made), sdklog.WithAllowKeyDuplication(),
		sdklog.WithAttributeCountLimit(-1), sdklog.WithAttributeValueLengthLimit(-1))
	c.logger = c.provider.Logger(scope, log.WithInstrumentationVersion(version), log.WithSchemaURL(semconv.SchemaURL),
		log.WithInstrumentationAttributes(attribute.Int("ipc.version", event.Version)))
	return c, nil
}

// reconnect: gRPC would wait for two minutes for a collector that was long away.
var reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longest},
	MinConnectTimeout: 5 * time.Second,
})

func (c *client) grpcOptions(l link) []otlploggrpc.Option {
	options := []otlploggrpc.Option{
		otlploggrpc.WithRetry(otlploggrpc.RetryConfig{}), // that is ours: so is the order
		otlploggrpc.WithTimeout(l.timeout),
		otlploggrpc.WithDialOption(reconnect, grpc.WithUnaryInterceptor(c.answers.unary)),
	}
	if l.endpoint != "" {
		options = append(options, otlploggrpc.WithEndpointURL(l.endpoint))
	}
	if l.headers != nil {
		options = append(options, otlploggrpc.WithHeaders(l.headers))
	}
	if l.tls != nil {
		options = append(options, otlploggrpc.WithTLSCredentials(credentialsOf(l)))
	}
	return options
}

func (c *client) httpOptions(l link) []otlploghttp.Option {
	c.transport = newTransport(l)
	c.answers.next = c.transport
	options := []otlploghttp.Option{
		otlploghttp.WithRetry(otlploghttp.RetryConfig{}),
		otlploghttp.WithHTTPClient(&http.Client{Transport: &c.answers, CheckRedirect: stay}),
	}
	if l.endpoint != "" {
		options = append(options, otlploghttp.WithEndpointURL(l.endpoint))
	}
	if l.headers != nil {
		options = append(options, otlploghttp.WithHeaders(l.headers))
	}
	return options
}

// send sends entries in one request, once.
func (c *client) send(ctx context.Context, entries []entry) answer {
	c.made.records = slices.Grow(c.made.records[:0], len(entries))
	for i := range entries {
		c.logger.Emit(ctx, c.made.maker.record(&entries[i]))
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	c.answers.last = nil
	err := c.exporter.Export(ctx, c.made.records)
	clear(c.made.records)
	switch {
	case c.answers.last != nil:
		return *c.answers.last
	case ctx.Err() != nil: // before anything was sent
		return answer{fate: waits, text: err.Error()}
	case err != nil:
		return answer{fate: refused, text: err.Error()}
	}
	return answer{fate: accepted}
}

func (c *client) close(ctx context.Context) error {
	err := errors.Join(c.exporter.Shutdown(ctx), c.provider.Shutdown(ctx))
	if c.transport != nil {
		c.transport.CloseIdleConnections()
	}
	return err
}

// batchOf is a processor that keeps records until they are sent: only the SDK can
// make them. It is here that they get their attributes: all at once, which costs less
// than one by one on the way.
type batchOf struct {
	maker   maker
	records []sdklog.Record
}

// Enabled is of the sdklog.Processor, as those below.
func (b *batchOf) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }

// OnEmit takes a record in.
func (b *batchOf) OnEmit(_ context.Context, r *sdklog.Record) error {
	r.SetAttributes(b.maker.attributes...)
	b.records = append(b.records, *r)
	return nil
}

// Shutdown does nothing.
func (b *batchOf) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing.
func (b *batchOf) ForceFlush(context.Context) error { return nil }
