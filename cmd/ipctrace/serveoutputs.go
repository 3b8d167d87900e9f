package main

import (
	"fmt"
	"iter"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/metrics"
	"github.com/ipctrace/ipctrace/internal/export/otlp"
	"github.com/ipctrace/ipctrace/internal/journal"
)

// outputs is the sink of a daemon: each event goes to all of them. Each has a queue of
// its own, and what finds no room there is lost there, and counted: none can hold up
// another, or the reading.
type outputs struct {
	metrics *metrics.Metrics
	log     *journal.Journal // nil: none is kept
	otlp    *otlp.Output     // nil: nothing is sent
	health  *health
	warn    func(text string)
	ended   bool // the log: people know
}

// Write never fails: an output counts itself what it lost.
func (o *outputs) Write(e *event.Event) error {
	_ = o.metrics.Write(e)
	if o.log != nil {
		if err := o.log.Write(e); err != nil && !o.ended {
			o.ended = true
			o.warn(fmt.Sprintf("record: %v: what comes now is lost, and counted, until a restart", err))
		}
	}
	if o.otlp != nil {
		_ = o.otlp.Write(e)
	}
	return nil
}

// Flush is called several times a second by who reads.
func (o *outputs) Flush() error {
	o.health.beat()
	return nil
}

// Stateless is of the log alone: the others begin with what was found.
func (o *outputs) Stateless() bool { return o.log != nil && o.log.Stateless() }

// Tell tells it.
func (o *outputs) Tell(state iter.Seq[*event.Event]) error { return o.log.Tell(state) }
