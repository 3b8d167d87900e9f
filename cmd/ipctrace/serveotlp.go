package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ipctrace/ipctrace/internal/export/metrics"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
	prom "github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// otlpConfig is of what is sent to an OpenTelemetry Collector. What is left out is as
// the variables OTEL_* say.
type otlpConfig struct {
	Endpoint    string            `yaml:"endpoint"`
	Protocol    string            `yaml:"protocol"`
	Headers     map[string]string `yaml:"headers"`
	CA          string            `yaml:"ca"`
	Certificate string            `yaml:"certificate"`
	Key         string            `yaml:"key"`
	Queue       int               `yaml:"queue"`
	Spool       string            `yaml:"spool"`
	SpoolSize   string            `yaml:"spool_size"`
	Metrics     bool              `yaml:"metrics"`
	Interval    time.Duration     `yaml:"interval"`
}

// wanted says whether anything is to be sent: an endpoint is named, here or in the
// environment.
func (c *otlpConfig) wanted() bool {
	return c.Endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT") != ""
}

// config reads those that are text.
func (c *otlpConfig) config(given func(flag string) bool) (*otlp.Config, error) {
	if !c.wanted() {
		if c.Spool != "" {
			return nil, refused("spool", " %s: is for events on their way: add --otlp URL", c.Spool)
		}
		return nil, nil
	}
	bytes, err := size("spool-size", c.SpoolSize, given)
	switch {
	case err != nil:
		return nil, err
	case c.Interval < 0:
		return nil, refused("otlp.interval", " %v: must not be negative", c.Interval)
	}
	cfg := &otlp.Config{
		Version: version(), Endpoint: c.Endpoint, Protocol: otlp.Protocol(c.Protocol), Headers: c.Headers,
		CA: c.CA, Certificate: c.Certificate, Key: c.Key,
		Queue: c.Queue, Spool: c.Spool, SpoolBytes: bytes, Interval: c.Interval,
	}
	var wrong *otlp.Wrong
	switch err := cfg.Check(); {
	case errors.As(err, &wrong) && wrong.Field == "endpoint":
		return nil, refused("otlp", " %w", wrong.Unwrap())
	case errors.As(err, &wrong):
		return nil, refused("otlp."+wrong.Field, ": %w", wrong.Unwrap())
	case err != nil: // a variable
		return nil, usage(err)
	}
	return cfg, nil
}

// openOTLP begins to send, if that was asked for.
func (s *server) openOTLP(ctx context.Context) (err error) {
	cfg := s.plan.otlp
	if cfg == nil {
		return nil
	}
	cfg.Warn = s.warn
	cfg.Put = s.delayOf("otlp")
	cfg.Begin = func() { _ = prioritize(s.cfg.Nice) }
	if s.cfg.OTLP.Metrics {
		cfg.Metrics = prom.GathererFunc(s.gather)
	}
	s.otlp, err = otlp.Open(ctx, *cfg)
	return err
}

// gather is the metrics, once there are any.
func (s *server) gather() ([]*dto.MetricFamily, error) {
	m := s.gathered.Load()
	if m == nil {
		return nil, nil
	}
	return m.Gather()
}

// closeOTLP sends what there is, within the time that outputs have.
func (s *server) closeOTLP() error {
	if s.otlp == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Drain*9/10) // a little of it is for the spool
	defer cancel()
	return s.otlp.Close(ctx)
}

func (s *server) otlpAccount() metrics.Output {
	n := s.otlp.Counts()
	lost := map[string]uint64{}
	for reason, n := range n.Lost {
		lost[string(reason)] = n
	}
	return metrics.Output{
		Name: "otlp", Delivered: n.Delivered, Waiting: n.Waiting, Spooled: n.Spooled, Lost: lost,
		Retries: &n.Retries, SpoolBytes: uint64(n.SpoolBytes), SpoolLimits: uint64(n.SpoolLimit),
	}
}

func (c *otlpConfig) target() string {
	if c.Endpoint == "" {
		return "OTLP as the environment says"
	}
	return fmt.Sprintf("OTLP to %s", printable(c.Endpoint))
}
