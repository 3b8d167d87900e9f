package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
)

// meter sends the metrics of a registry, now and then. They are totals: those that
// could not be sent are in the next.
type meter struct {
	provider  *sdkmetric.MeterProvider
	transport *http.Transport // of HTTP
}

func newMeter(ctx context.Context, cfg *Config, l link, r *resource.Resource) (*meter, error) {
	m := &meter{}
	var exporter sdkmetric.Exporter
	var err error
	if l.protocol == GRPC {
		exporter, err = otlpmetricgrpc.New(ctx, meterGRPCOptions(l)...)
	} else {
		m.transport = newTransport(l)
		exporter, err = otlpmetrichttp.New(ctx, meterHTTPOptions(l, m.transport)...)
	}
	if err != nil {
		return nil, err
	}
	options := []sdkmetric.PeriodicReaderOption{sdkmetric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(cfg.Metrics)))}
	if cfg.Interval > 0 {
		options = append(options, sdkmetric.WithInterval(cfg.Interval))
	}
	reader := sdkmetric.NewPeriodicReader(&telling{Exporter: exporter, to: l.name, warn: cfg.Warn}, options...)
	m.provider = sdkmetric.NewMeterProvider(sdkmetric.WithResource(r), sdkmetric.WithReader(reader))
	return m, nil
}

func meterGRPCOptions(l link) []otlpmetricgrpc.Option {
	options := []otlpmetricgrpc.Option{
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{}), // the next are soon to come
		otlpmetricgrpc.WithTimeout(l.timeout),
		otlpmetricgrpc.WithDialOption(reconnect),
	}
	if l.endpoint != "" {
		options = append(options, otlpmetricgrpc.WithEndpointURL(l.endpoint))
	}
	if l.headers != nil {
		options = append(options, otlpmetricgrpc.WithHeaders(l.headers))
	}
	if l.tls != nil {
		options = append(options, otlpmetricgrpc.WithTLSCredentials(credentialsOf(l)))
	}
	return options
}

func meterHTTPOptions(l link, transport *http.Transport) []otlpmetrichttp.Option {
	options := []otlpmetrichttp.Option{
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{}),
		otlpmetrichttp.WithHTTPClient(&http.Client{Transport: transport, Timeout: l.timeout, CheckRedirect: stay}),
	}
	if l.endpoint != "" {
		options = append(options, otlpmetrichttp.WithEndpointURL(l.endpoint))
	}
	if l.headers != nil {
		options = append(options, otlpmetrichttp.WithHeaders(l.headers))
	}
	return options
}

// close sends the last ones.
func (m *meter) close(ctx context.Context) error {
	err := m.provider.Shutdown(ctx)
	if m.transport != nil {
		m.transport.CloseIdleConnections()
	}
	return err
}

// telling tells people once that metrics cannot be sent, and once that they can.
type telling struct {
	sdkmetric.Exporter
	to      string
	warn    func(string)
	failing bool
}

// Export is of the sdkmetric.Exporter. That it failed has been told.
func (t *telling) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	err := t.Exporter.Export(ctx, data)
	failed := err != nil && !errors.Is(err, context.Canceled)
	switch {
	case failed && !t.failing:
		t.warn(fmt.Sprintf("otlp: metrics to %s: %s: the next ones are tried", t.to, brief(err.Error())))
	case err == nil && t.failing:
		t.warn(fmt.Sprintf("otlp: metrics to %s are taken again", t.to))
	}
	t.failing = failed
	return nil
}
