// Package metrics tells Prometheus what a trace knows: how many events of what sort
// there were, what is there now by namespace, how near the kernel's limits it is, and
// what was lost where. Everything is counted where it happens and looked up when
// somebody asks; how many series there are is bounded, whatever happens on the machine.
package metrics

import (
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// DefaultNamespaces is how many namespaces have series of their own, unless Config
// says otherwise.
const DefaultNamespaces = 100

// Trace is what is asked at each scrape.
type Trace interface {
	Stats() tracer.Stats
	Ring() (used, size int)
	// Look shows the inventory as it is now. It stays as it is until look returns,
	// and what comes meanwhile waits.
	Look(look func(*inventory.Inventory))
}

// Output is an output's account. Of what it was given it has delivered some, lost
// some, and the rest waits, in memory or in a spool.
type Output struct {
	Name                        string
	Delivered, Waiting, Spooled uint64 // events
	Lost                        map[string]uint64
	Retries                     *uint64 // nil: it does not send
	SpoolBytes, SpoolLimits     uint64  // a limit of 0: it has no spool
}

// Config says what to tell of.
type Config struct {
	Namespaces int // that have series of their own; the others share one called "other"; 0: DefaultNamespaces
	Version    string
	Start      event.Start
	Trace      Trace
	Outputs    func() []Output
}

// Metrics is a registry of all of it, and what counts events. Write is for one
// goroutine, all else for any.
type Metrics struct {
	*prometheus.Registry
	events *events
	survey survey
	delays *prometheus.HistogramVec
}

// New returns Metrics that have counted nothing.
func New(c Config) *Metrics {
	if c.Namespaces <= 0 {
		c.Namespaces = DefaultNamespaces
	}
	m := &Metrics{Registry: prometheus.NewRegistry(), events: newEvents()}
	m.delays = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ipctrace_event_delay_seconds",
		Help:    "From the moment something happened in the kernel until an output had delivered the event; of each batch, the oldest one.",
		Buckets: prometheus.ExponentialBuckets(0.001, 2, 16), // 1 ms to 33 s
	}, []string{"output"})
	m.MustRegister(
		m.events, &m.survey, m.delays, newAccount(c), newContents(c, &m.survey), newInfo(c),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Write counts an event that was told.
func (m *Metrics) Write(e *event.Event) error {
	m.events.count(e)
	return nil
}

// Delay is of one output; it takes seconds.
func (m *Metrics) Delay(output string) prometheus.Observer { return m.delays.WithLabelValues(output) }

// desc is a metric of this program's; its name is without the prefix.
func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ipctrace_"+name, help, labels, nil)
}

// info is what does not change.
type info struct{ build, trace prometheus.Metric }

func newInfo(c Config) *info {
	constant := func(d *prometheus.Desc, labels ...string) prometheus.Metric {
		return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, 1, labels...)
	}
	return &info{
		build: constant(desc("build_info", "1, with the version of this program.", "version"), text(c.Version)),
		trace: constant(desc("trace_info", "1, with what the hooks are in.", "tier", "kernel", "arch"), text(c.Start.Tier), text(c.Start.Kernel), text(c.Start.Arch)),
	}
}

func (i *info) Describe(to chan<- *prometheus.Desc) { to <- i.build.Desc(); to <- i.trace.Desc() }

func (i *info) Collect(to chan<- prometheus.Metric) { to <- i.build; to <- i.trace }
