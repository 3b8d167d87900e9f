package journal

import (
	"crypto/ed25519"
	"sync/atomic"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// batch is lines on their way to the file, and the seals among them, which are
// still blank.
type batch struct {
	bytes []byte
	seams []seam
	lines uint64 // of all batches up to the last of this

	events uint64 // likewise, without what tells of the trace or of its state
	oldest int64  // CLOCK_BOOTTIME, ns, of the first event; 0: it has none
}

// seam is where a seal is.
type seam struct {
	from, to int
	named    bool // the line behind it names its hash
	ends     bool // the part: the line behind it begins the next
}

// queue numbers and encodes lines. Guarded by the Journal.
type queue struct {
	limit int // bytes
	key   ed25519.PrivateKey
	now   func() (time.Time, time.Duration)

	encoder  event.Encoder
	batch    batch
	spare    batch // the one before, for its room
	rooms    rooms
	seq      uint64     // of the last line
	lines    uint64     // of all streams
	events   uint64     // likewise
	unsealed uint64     // lines since the last seal
	since    time.Time  // when the first of them came
	reopen   bool       // look whether the file was moved
	closed   bool       // nothing comes any more
	stalled  bool       // there was no room for too long: what finds none is lost at once
	owed     event.Owed // losses that are not told yet

	start event.Start // of the stream, for the parts to come
	stop  *event.Stop // nil: the stream goes on
	log   event.Log   // where the next line goes
	size  int64       // of the part, bytes
	begun time.Time   // the part, wall clock

	stateless atomic.Pointer[event.Event] // the trace.start of this part, while it has not been told what is there; else nil
	state     int64                       // bytes of what is there, of size

	most                   int64
	age                    time.Duration
	dropped, droppedEvents uint64 // of this stream: lost for want of room; of these, what the kernel told
	droppedInAll           uint64 // of all streams
}

func newQueue(cfg *Config, end *ending) *queue {
	r := newRooms(cfg.Queue)
	return &queue{
		rooms: r, batch: batch{bytes: r[0][:0]}, spare: batch{bytes: r[1][:0]}, limit: cfg.Queue, key: cfg.Key, now: cfg.Now, most: cfg.RotateSize, age: cfg.RotateEvery,
		seq: end.seq, unsealed: end.unsealed, log: end.log, size: end.size, begun: end.begun,
	}
}

func (q *queue) full() bool { return len(q.batch.bytes) >= q.limit }

// add takes a copy of an event in, or counts it.
func (q *queue) add(e *event.Event) {
	own := *e
	switch {
	case e.Start != nil:
		q.begin(&own)
	case e.Stop != nil:
		q.pay()
		q.stop = q.totals(e.Stop)
		own.Stop = q.stop
	case q.full() && e.Lost != nil:
		q.owed.Add(e, *e.Lost)
		return
	case q.full():
		q.drop(e)
		return
	}
	q.pay()
	if happened(e) {
		q.events++
		if q.batch.oldest == 0 {
			q.batch.oldest = e.BootNS
		}
	}
	q.line(&own)
	if q.unsealed >= sealLines || q.complete(e.Time) {
		q.seal(false, q.complete(e.Time), e.Time)
	}
}

// happened says whether e is of an object or a namespace, and so one of those that
// Counts counts.
func happened(e *event.Event) bool { return e.Event.IsObject() || e.Event.IsNamespace() }

// begin is a stream: it is numbered from 1. What the one before has left without a
// seal is sealed, also where it was another program's. Its first line names the seal
// before it: where that is on its way to the file already, one of no lines stands in.
func (q *queue) begin(e *event.Event) {
	own := q.stop != nil
	if q.unsealed > 0 || own {
		q.log.After = blankHash
		q.seal(!own, false, q.begun)
		q.batch.seams[len(q.batch.seams)-1].named = true
	}
	q.seq, q.stop, q.dropped, q.droppedEvents = 0, nil, 0, 0
	q.start = *e.Start
	log := q.log
	q.log.Torn = nil
	q.start.Log = &log
	start := q.start
	e.Start = &start
	if q.begun.IsZero() {
		q.begun = e.Time
	}
}

// line appends one.
func (q *queue) line(e *event.Event) {
	from := len(q.batch.bytes)
	q.seq++
	q.lines++
	e.V, e.Seq = event.Version, q.seq
	q.batch.bytes = append(q.encoder.AppendJSON(q.batch.bytes, e), '\n')
	q.batch.lines, q.batch.events = q.lines, q.events
	q.size += int64(len(q.batch.bytes) - from)
	if e.Seal != nil {
		return
	}
	if q.unsealed == 0 {
		q.since = time.Now()
	}
	q.unsealed++
}

// goesOn says whether a stream has begun, and has not ended.
func (q *queue) goesOn() bool { return q.start.Log != nil && q.stop == nil }

// complete says whether the part is large or old enough to begin another, if
// anything is to come. A part that is told more than it could hold holds as much
// again: else each event would have one of its own.
func (q *queue) complete(at time.Time) bool {
	large := q.most > 0 && q.size >= max(q.most, 2*q.state)
	return q.goesOn() && (large || q.age > 0 && at.Sub(q.begun) >= q.age)
}

// tell appends a line of what is there at the beginning of the part.
func (q *queue) tell(e, begin *event.Event) {
	own, from := *e, q.size
	own.Time, own.BootNS = begin.Time, begin.BootNS
	q.line(&own)
	q.state += q.size - from
	if q.unsealed >= sealLines {
		q.seal(false, false, own.Time)
	}
}

// seal appends a blank one for the lines since the last. If it ends the part, the
// next begins: at the time of what has ended this one, for what comes may have
// happened long before it is read.
func (q *queue) seal(late, ends bool, at time.Time) {
	wall, boot := q.now()
	from := len(q.batch.bytes)
	q.line(&event.Event{
		Time: wall, BootNS: int64(boot), Event: event.TraceSeal,
		Seal: blank(q.seq-q.unsealed+1, q.seq, late, q.key),
	})
	q.unsealed = 0
	q.batch.seams = append(q.batch.seams, seam{from, len(q.batch.bytes), ends, ends})
	if !ends {
		return
	}
	q.log.Part++
	q.log.After = blankHash
	log, start := q.log, q.start
	start.Log = &log
	q.size, q.state, q.begun = 0, 0, at
	ago := min(boot, wall.Sub(at)) // the clock may have been set
	begin := &event.Event{Time: at, BootNS: int64(boot - ago), Event: event.TraceStart, Start: &start}
	q.line(begin)
	q.stateless.Store(begin)
}

// due says when the lines of this stream that are not sealed are to be; false: there
// are none.
func (q *queue) due() (time.Time, bool) {
	return q.since.Add(sealEvery), q.unsealed > 0 && q.start.Log != nil
}

// take is the batch so far; another begins.
func (q *queue) take() batch {
	full := q.batch
	q.batch = batch{bytes: q.spare.bytes[:0], seams: q.spare.seams[:0]}
	q.spare = batch{}
	q.stalled = false
	return full
}

// drop counts an event that there is no room for.
func (q *queue) drop(e *event.Event) {
	q.dropped++
	q.droppedInAll++
	if e.Observed == event.ObservedHook {
		q.droppedEvents++
	}
	q.owed.Add(e, event.Lost{Count: 1, From: e.Time, To: e.Time, Stage: event.StageOutput})
}

// pay tells what was lost by now.
func (q *queue) pay() {
	for i := range q.owed {
		q.line(&q.owed[i])
	}
	q.owed = q.owed[:0]
}

// totals are those of a stream, less what was lost on the way into the log.
func (q *queue) totals(s *event.Stop) *event.Stop {
	own := *s
	own.Written -= q.droppedEvents
	own.Dropped = q.dropped
	return &own
}
