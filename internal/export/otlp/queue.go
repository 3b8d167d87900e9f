package otlp

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Reason is why an event was lost.
type Reason string

// The reasons.
const (
	LostQueue    Reason = "queue"    // no room in memory; there is no spool, or it takes them, but not as fast as they come
	LostSpool    Reason = "spool"    // no room in memory, nor in the spool; or its disk failed, or was altered
	LostRefused  Reason = "refused"  // the collector refused it
	LostRejected Reason = "rejected" // the collector took the request, but not all that was in it
	LostClosed   Reason = "closed"   // it could not be sent before the end, and there is no spool
)

// Counts are of records: of the events given to Write, what was in the spool at the
// start, and each trace.lost of this output's own. At every moment Produced =
// Delivered + Waiting + Spooled + all Lost.
type Counts struct {
	Produced  uint64
	Delivered uint64 // the collector has said that it has them
	Waiting   uint64 // in memory, those being sent among them
	Spooled   uint64 // in the spool, likewise
	Lost      map[Reason]uint64
	Retries   uint64 // requests that were sent again

	SpoolBytes, SpoolLimit int64
}

// queue numbers events and keeps them in memory, and counts. Guarded by the Output.
type queue struct {
	limit     int
	spoolFull bool    // the spool has no room, or its disk fails
	entries   []entry // the oldest first
	seq       uint64  // of the last one
	stream    string
	owed      event.Owed // losses that are not told yet
	closed    bool       // nothing comes any more
	counts    Counts     // but for Waiting

	dropped, droppedEvents uint64 // of this stream, for want of room; of these, what the kernel told
}

func newQueue(limit int) queue {
	lost := map[Reason]uint64{LostQueue: 0, LostSpool: 0, LostRefused: 0, LostRejected: 0, LostClosed: 0}
	return queue{limit: limit, stream: newStream(), counts: Counts{Lost: lost}}
}

// newStream is the name of a stream: with it and ipc.seq a record is told from all
// others, also from one that comes twice.
func newStream() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

func (q *queue) full() bool { return len(q.entries) >= q.limit }

// add takes a copy of an event in, or counts it.
func (q *queue) add(e *event.Event) {
	own := e.Clone()
	switch {
	case e.Start != nil:
		q.begin(own)
		return
	case e.Stop != nil:
		stop := *e.Stop
		stop.Written -= min(q.droppedEvents, stop.Written)
		stop.Dropped = q.dropped
		own.Stop = &stop
	case q.full() && e.Lost != nil:
		q.owed.Add(e, *e.Lost)
		return
	case q.full():
		q.drop(e)
		return
	}
	q.pay()
	q.line(own, false)
}

// begin is a stream: it is numbered from 1. What was lost before is told at the end of
// the one before, if there is one.
func (q *queue) begin(e *event.Event) {
	if q.seq > 0 {
		q.pay()
	}
	q.seq, q.stream = 0, newStream()
	q.dropped, q.droppedEvents = 0, 0
	q.line(e, false)
	q.pay()
}

// line numbers an event.
func (q *queue) line(e *event.Event, own bool) {
	q.seq++
	e.V, e.Seq = event.Version, q.seq
	q.entries = append(q.entries, entry{event: e, stream: q.stream, observed: time.Now(), own: own})
	q.counts.Produced++
}

// drop counts an event that there is no room for.
func (q *queue) drop(e *event.Event) {
	q.counts.Produced++
	if q.spoolFull {
		q.counts.Lost[LostSpool]++
	} else {
		q.counts.Lost[LostQueue]++
	}
	q.dropped++
	if e.Observed == event.ObservedHook {
		q.droppedEvents++
	}
	q.owed.Add(e, event.Lost{Count: 1, From: e.Time, To: e.Time, Stage: event.StageOutput})
}

// pay tells what was lost by now.
func (q *queue) pay() {
	for i := range q.owed {
		q.line(q.owed[i].Clone(), true)
	}
	q.owed = q.owed[:0]
}

// remove lets go of the n oldest.
func (q *queue) remove(n int) {
	clear(q.entries[:n])
	q.entries = q.entries[n:]
	if len(q.entries) == 0 {
		q.entries = nil
	}
}

// lose counts what the collector did not take, and owes the stream word of it, but
// not of word of losses: that would never end.
func (q *queue) lose(reason Reason, n uint64, of []entry) {
	q.counts.Lost[reason] += n
	var first, last *event.Event
	for i := range of {
		if of[i].own {
			continue
		}
		if first == nil {
			first = of[i].event
		}
		last = of[i].event
	}
	if first != nil && n > 0 {
		q.owed.Add(last, event.Lost{Count: n, From: first.Time, To: last.Time, Stage: event.StageOutput})
	}
}

// loseUnseen counts what was in the spool, and can no longer be read.
func (q *queue) loseUnseen(n uint64) {
	if n == 0 {
		return
	}
	q.counts.Lost[LostSpool] += n
	now := time.Now()
	q.owed.Add(&event.Event{Time: now}, event.Lost{Count: n, From: now, To: now, Stage: event.StageOutput})
}

func (q *queue) total() Counts {
	c := q.counts
	c.Waiting = uint64(len(q.entries))
	c.Lost = maps.Clone(c.Lost)
	return c
}
