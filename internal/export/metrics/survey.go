package metrics

import (
	"sync/atomic"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/prometheus/client_golang/prometheus"
)

// Survey is what only the kernel's own lists tell, and is looked for now and then.
type Survey struct {
	Limits  map[uint64][]Limit // by inode number of the namespace
	Orphans map[Orphans]int
	At      time.Time
	Took    time.Duration
}

// limitsOf are those of a namespace, none where the survey found another one of its
// inode number.
func (s *Survey) limitsOf(n *inventory.Namespace) []Limit {
	if s == nil || n.Gen > 1 && n.First.After(s.At) {
		return nil
	}
	return s.Limits[n.Inode]
}

// Limit is one of a namespace's.
type Limit struct {
	Name      string // "SHMMNI"
	Used, Max uint64
}

// Orphans are objects of a kind that nobody has a use for: surely, or perhaps.
type Orphans struct {
	Kind string
	Sure bool
}

// survey is the last one.
type survey struct{ last atomic.Pointer[Survey] }

// Surveyed takes in the newest one.
func (m *Metrics) Surveyed(s *Survey) { m.survey.last.Store(s) }

var (
	orphans    = desc("orphans", "Objects that nobody uses: segments without anyone attached whose maker has ended (certain yes), and what may be one (certain no). As of the last survey.", "kind", "certain")
	surveyTime = desc("survey_timestamp_seconds", "When the last survey of limits and orphans began, in Unix time.")
	surveyTook = desc("survey_duration_seconds", "How long it took.")
)

// Describe is of prometheus.Collector.
func (v *survey) Describe(to chan<- *prometheus.Desc) {
	to <- orphans
	to <- surveyTime
	to <- surveyTook
}

// Collect is of prometheus.Collector.
func (v *survey) Collect(to chan<- prometheus.Metric) {
	s := v.last.Load()
	if s == nil {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, kind := range kinds {
		gauge(orphans, float64(s.Orphans[Orphans{kind, true}]), kind, "yes")
		gauge(orphans, float64(s.Orphans[Orphans{kind, false}]), kind, "no")
	}
	gauge(surveyTime, float64(s.At.UnixNano())/1e9)
	gauge(surveyTook, s.Took.Seconds())
}
