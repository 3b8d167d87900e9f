package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// account tells what became of all that the kernel recorded.
type account struct {
	trace   Trace
	outputs func() []Output
}

func newAccount(c Config) *account { return &account{c.Trace, c.Outputs} }

var (
	produced = desc("events_produced_total", "Events that the kernel's hooks recorded, behind its filters. It is delivered, lost and pending together.")
	received = desc("events_delivered_total", "Events that came from the kernel to this program, before its own filters.")
	pending  = desc("events_pending", "Events that are in the ring buffer.")
	lost     = desc("events_lost_total", "Events lost, by where: for want of room in the kernel's ring buffer (ring), or on the way to an output.", "stage", "reason")
	skipped  = desc("hooks_skipped_total", "Runs of hooks that the kernel skipped: at most so many events are missing besides those lost.")
	cgroups  = desc("cgroups_lost_total", "Cgroups made that the kernel could not tell of: what happened in them may have no container.")
	ringUsed = desc("ring_used_bytes", "Bytes of the ring buffer that were not read yet.")
	ringSize = desc("ring_size_bytes", "Size of the ring buffer.")

	outputDelivered  = desc("output_delivered_total", "Events that an output has delivered.", "output")
	outputWaiting    = desc("output_waiting", "Events that wait in an output's queue in memory.", "output")
	outputSpooled    = desc("output_spooled", "Events that wait in an output's spool on disk.", "output")
	outputSpoolBytes = desc("output_spool_bytes", "Size of an output's spool on disk.", "output")
	outputSpoolLimit = desc("output_spool_limit_bytes", "How large an output's spool may become.", "output")
	outputRetries    = desc("output_retries_total", "How often an output had to send again, or could not reach its end.", "output")
)

// Describe is of prometheus.Collector.
func (a *account) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		produced, received, pending, lost, skipped, cgroups, ringUsed, ringSize,
		outputDelivered, outputWaiting, outputSpooled, outputSpoolBytes, outputSpoolLimit, outputRetries,
	} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (a *account) Collect(to chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, t prometheus.ValueType, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, t, float64(n), labels...)
	}
	s := a.trace.Stats()
	tell(produced, prometheus.CounterValue, s.Produced)
	tell(received, prometheus.CounterValue, s.Delivered)
	tell(pending, prometheus.GaugeValue, s.Pending)
	tell(lost, prometheus.CounterValue, s.Lost, "ring", "full")
	tell(skipped, prometheus.CounterValue, s.Skipped)
	tell(cgroups, prometheus.CounterValue, s.CgroupsLost)
	used, size := a.trace.Ring()
	tell(ringUsed, prometheus.GaugeValue, uint64(used))
	tell(ringSize, prometheus.GaugeValue, uint64(size))
	for _, o := range a.outputs() {
		tell(outputDelivered, prometheus.CounterValue, o.Delivered, o.Name)
		tell(outputWaiting, prometheus.GaugeValue, o.Waiting, o.Name)
		for reason, n := range o.Lost {
			tell(lost, prometheus.CounterValue, n, o.Name, reason)
		}
		if o.Retries != nil {
			tell(outputRetries, prometheus.CounterValue, *o.Retries, o.Name)
		}
		if o.SpoolLimits == 0 {
			continue
		}
		tell(outputSpooled, prometheus.GaugeValue, o.Spooled, o.Name)
		tell(outputSpoolBytes, prometheus.GaugeValue, o.SpoolBytes, o.Name)
		tell(outputSpoolLimit, prometheus.GaugeValue, o.SpoolLimits, o.Name)
	}
}
