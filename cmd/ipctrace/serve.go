package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/ipctrace/ipctrace/internal/export/metrics"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
)

func newServe() *cobra.Command {
	var s server
	var file string
	command := &cobra.Command{
		Use:   "serve [--config FILE]",
		Short: "Run as a daemon: metrics for Prometheus, OTLP, a log",
		Long: `serve traces until it is told to end, and feeds what others look at, any of them at
once: metrics that Prometheus scrapes, an OpenTelemetry Collector, a log as ipctrace
record keeps it. What is slow or away holds up nothing else. docs/serve.md describes
the configuration and the metrics, docs/otlp.md what is sent.

SIGHUP reads the filters of the configuration again, and begins a new log file where
logrotate has moved the old one. SIGTERM and Ctrl-C end it, with all that was recorded
by then. Under systemd it says when it is ready, and feeds the watchdog.

Exit status: 0 done · 1 an output failed, or was not done in time · 2 wrong usage, or a
wrong configuration · 3 this kernel or these privileges cannot.

Environment:
  OTEL_EXPORTER_OTLP_ENDPOINT
              as --otlp; docs/otlp.md has the other variables that start with
              OTEL_EXPORTER_OTLP_
  OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES
              go before what ipctrace says of itself

Files:
  /etc/ipctrace/serve.yaml
              what the systemd unit has it read`,
		Example: `  sudo ipctrace serve                          # metrics on 127.0.0.1:9464
  sudo ipctrace serve --record /var/log/ipctrace.jsonl
  sudo ipctrace serve --otlp http://localhost:4318 --spool /var/lib/ipctrace/spool`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			s.stderr = c.ErrOrStderr()
			return s.run(c, file)
		},
	}
	s.cfg.add(command.Flags())
	command.Flags().StringVar(&file, "config", "", "read this `FILE`; what flags say goes before")
	return command
}

// server is ipctrace serve.
type server struct {
	cfg    serveConfig
	plan   *plan
	filter atomic.Pointer[stream.Filter] // that holds now
	stderr io.Writer

	trace   *trace
	out     outputs
	log     *journal.Journal // nil: none is kept
	otlp    *otlp.Output     // nil: nothing is sent
	metrics *metrics.Metrics
	health  health
	witness func() error // ends that of the log
	address net.Addr     // of the metrics

	gathered atomic.Pointer[metrics.Metrics] // nil: there are none yet
}

func (s *server) run(c *cobra.Command, file string) (err error) {
	if err := s.cfg.load(file, c.Flags()); err != nil {
		return err
	}
	if s.plan, err = s.cfg.plan(); err != nil {
		return err
	}
	s.filter.Store(&s.plan.filter)
	if err := s.become(); err != nil {
		return err
	}
	defer ignoreHangup()()
	listener, err := s.listen()
	if err != nil {
		return err
	}
	if listener != nil {
		defer listener.Close()
		s.address = listener.Addr()
	}
	if err := s.openLog(); err != nil {
		return err
	}
	if err := s.openOTLP(c.Context()); err != nil {
		return errors.Join(err, s.closeLog())
	}
	if err := s.openTrace(c.Context()); err != nil {
		return errors.Join(err, s.closeOutputs())
	}
	defer s.trace.Close()
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	background := newBackground(ctx, cancel)
	background.run(func(ctx context.Context) error { return s.serveHTTP(ctx, listener) })
	background.run(s.survey)
	background.run(s.watch)
	background.run(s.becomeReady)
	defer s.reloadOnHangup(func() { s.reload(c) })()
	err = s.trace.follow(ctx, 0, &s.out)
	cancel(nil)
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	return s.end(errors.Join(err, background.wait()))
}

func (s *server) warn(text string) { fmt.Fprintf(s.stderr, "ipctrace: %s\n", printable(text)) }

// openLog begins to keep one, if that was asked for.
func (s *server) openLog() (err error) {
	cfg := s.plan.log
	if cfg == nil {
		return nil
	}
	cfg.Warn = func(text string) { s.warn("record: " + text) }
	cfg.Put = s.delayOf("record")
	if s.witness, err = s.cfg.Record.open(cfg); err != nil {
		return s.cfg.place(err)
	}
	s.log, err = journal.Open(*cfg)
	return err
}

func (s *server) closeLog() error {
	if s.log == nil {
		return nil
	}
	return errors.Join(s.log.Close(), s.witness())
}

// closeOutputs gives each its time.
func (s *server) closeOutputs() error {
	sent := make(chan error, 1)
	go func() { sent <- s.closeOTLP() }()
	return errors.Join(s.closeLog(), <-sent)
}

// delayOf observes how long the oldest event of a batch took to an output. The metrics
// are there by the time that there is a batch.
func (s *server) delayOf(output string) func(boot int64) {
	return func(boot int64) {
		var clock tracer.Clock
		s.gathered.Load().Delay(output).Observe((clock.Boot() - time.Duration(boot)).Seconds())
	}
}

func (s *server) openTrace(ctx context.Context) (err error) {
	s.trace, err = openTrace(ctx, tracer.Config{Tier: s.plan.tier, RingBytes: s.plan.ring}, s.plan.filter, s.cfg.Containers, s.stderr)
	if err != nil {
		return err
	}
	if s.otlp != nil {
		collectAfter(sendGC)
	}
	s.trace.start.Filters = s.plan.words
	s.metrics = metrics.New(metrics.Config{
		Namespaces: s.cfg.Metrics.MaxNamespaces, Version: version(), Start: s.trace.start,
		Trace: traceMetrics{s.trace}, Outputs: s.outputs,
	})
	s.gathered.Store(s.metrics)
	s.out = outputs{metrics: s.metrics, log: s.log, otlp: s.otlp, health: &s.health, warn: s.warn}
	if err := prioritize(s.cfg.Nice); err != nil {
		s.warn(fmt.Sprintf("nice %d: %v: in a flood more is lost: needs CAP_SYS_NICE, or nice: 0", s.cfg.Nice, err))
	}
	return nil
}

// traceMetrics is what the metrics ask of a trace.
type traceMetrics struct{ *trace }

func (t traceMetrics) Stats() tracer.Stats { return t.tracer.Stats() }

func (t traceMetrics) Ring() (used, size int) { return t.tracer.Ring() }

func (t traceMetrics) Look(look func(*inventory.Inventory)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inventory.Relabel(t.label)
	look(t.inventory)
}

// outputs is the account of each.
func (s *server) outputs() []metrics.Output {
	var all []metrics.Output
	if s.log != nil {
		n := s.log.Counts()
		all = append(all, metrics.Output{Name: "record", Delivered: n.Written, Waiting: n.Waiting, Lost: map[string]uint64{"queue": n.Dropped}})
	}
	if s.otlp != nil {
		all = append(all, s.otlpAccount())
	}
	return all
}

// end gives the outputs time to get rid of what they have, and says what became of it.
func (s *server) end(err error) error {
	drained := make(chan error, 1)
	go func() { drained <- s.closeOutputs() }()
	select {
	case closed := <-drained:
		err = errors.Join(err, closed)
	case <-time.After(s.cfg.Drain):
		err = errors.Join(err, fmt.Errorf("outputs were not done within %v (drain)", s.cfg.Drain))
	}
	s.summary()
	return whole(err)
}

func (s *server) summary() {
	n := s.trace.tracer.Stats()
	s.warn(fmt.Sprintf("%s produced = %d delivered + %d lost", plural(n.Produced, "event"), n.Delivered, n.Lost+n.Pending))
	for _, o := range s.outputs() {
		var lost uint64
		for _, n := range o.Lost {
			lost += n
		}
		s.warn(fmt.Sprintf("%s: %d delivered, %d waiting, %d lost", o.Name, o.Delivered, o.Waiting+o.Spooled, lost))
	}
}
