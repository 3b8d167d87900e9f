package metrics

import (
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/prometheus/client_golang/prometheus"
)

// kinds in the order in which they are told.
var kinds = [...]string{"msg", "shm", "sem", "mq"}

// other is the label of all namespaces that have no series of their own.
const other = "other"

// contents tells what is there, by namespace.
type contents struct {
	trace  Trace
	places *places
	survey *survey
}

func newContents(c Config, s *survey) *contents {
	return &contents{c.Trace, newPlaces(c.Namespaces), s}
}

var (
	objects        = desc("objects", "Objects that are there, by kind and namespace.", "namespace", "kind")
	objectBytes    = desc("object_bytes", "Bytes of objects that are there: of segments their size, of queues what was in them when they were last looked at.", "namespace", "kind")
	namespaces     = desc("namespaces", "IPC namespaces that are there.")
	namespacesRest = desc("namespaces_other", "Of these, how many have no series of their own, but are in the namespace \"other\".")
	namespaceInfo  = desc("namespace_info", "1, with the best known name of a namespace.", "namespace", "label", "initial")
	limitMax       = desc("limit", "What the kernel lets a namespace have at most: kernel.shmmni, shmall (pages), msgmni, semmni and semmns, fs.mqueue.queues_max.", "namespace", "limit")
	limitRatio     = desc("limit_used_ratio", "How much of a limit is used up, from 0 to 1: at 1 a call fails with ENOSPC. As of the last survey. Of \"other\", the largest.", "namespace", "limit")
	forgotten      = desc("forgotten_total", "What was forgotten for want of room in memory: it may be there, and is not counted.", "what")
)

// Describe is of prometheus.Collector.
func (c *contents) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{objects, objectBytes, namespaces, namespacesRest, namespaceInfo, limitMax, limitRatio, forgotten} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (c *contents) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	last := c.survey.last.Load()
	var seen sight
	c.trace.Look(func(v *inventory.Inventory) { seen = c.places.look(v, last) }) // told afterwards: who scrapes may be slow
	gauge(namespaces, float64(seen.namespaces))
	gauge(namespacesRest, float64(seen.rest))
	for _, p := range seen.places {
		if p.name != other {
			gauge(namespaceInfo, 1, p.name, text(p.label), map[bool]string{true: "true", false: "false"}[p.initial])
		}
		for i, kind := range kinds {
			gauge(objects, float64(p.objects[i]), p.name, kind)
			if kind != "sem" {
				gauge(objectBytes, float64(p.bytes[i]), p.name, kind)
			}
		}
		for _, l := range p.limits {
			if p.name != other {
				gauge(limitMax, float64(l.Max), p.name, l.Name)
			}
			gauge(limitRatio, l.ratio(), p.name, l.Name)
		}
	}
	for what, n := range map[string]uint64{"object": seen.totals.ForgottenObjects, "namespace": seen.totals.ForgottenNamespaces} {
		to <- prometheus.MustNewConstMetric(forgotten, prometheus.CounterValue, float64(n), what)
	}
}

// ratio is 1 for what may not be had at all.
func (l Limit) ratio() float64 {
	if l.Max == 0 {
		return 1
	}
	return float64(l.Used) / float64(l.Max)
}

// place is what is told of one namespace, or of all others together.
type place struct {
	name, label string
	initial     bool
	objects     [len(kinds)]int
	bytes       [len(kinds)]uint64
	limits      []Limit
}

func (p *place) add(n *inventory.Namespace, limits []Limit) {
	for _, o := range n.Objects() {
		i := kindOf(o.Kind)
		if i < 0 {
			continue
		}
		p.objects[i]++
		p.bytes[i] += bytesOf(o)
	}
	for _, l := range limits {
		p.addLimit(l)
	}
}

// addLimit: limits of different namespaces have no sum. The one that is used up most
// is the one to know of.
func (p *place) addLimit(l Limit) {
	for i := range p.limits {
		if p.limits[i].Name == l.Name {
			if l.ratio() > p.limits[i].ratio() {
				p.limits[i] = l
			}
			return
		}
	}
	p.limits = append(p.limits, l)
}

func kindOf(name string) int {
	for i, k := range kinds {
		if k == name {
			return i
		}
	}
	return -1
}

func bytesOf(o *inventory.Object) uint64 {
	switch {
	case o.Size != nil && o.Kind == "shm":
		return *o.Size
	case o.State != nil && o.State.Bytes != nil:
		return *o.State.Bytes
	}
	return 0
}
