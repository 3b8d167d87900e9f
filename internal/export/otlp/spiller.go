package otlp

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// spills says whether memory is to be emptied into the spool: when nobody takes
// events, or they come faster than they are taken. Guarded by mu.
func (o *Output) spills() bool {
	return o.spool != nil && len(o.queue.entries) > 0 && (o.away || len(o.queue.entries) >= o.cfg.Queue/4)
}

// spillMost is how many entries are put into the spool at a time.
const spillMost = 1024

// syncEvery is how often the disk is asked to have what is in the spool.
const syncEvery = time.Second

// keepSpilling puts what is to be spilled into the spool until the end.
func (o *Output) keepSpilling() {
	if o.cfg.Begin != nil {
		o.cfg.Begin()
	}
	var told trouble
	synced := time.Now()
	for {
		n, err := o.spillSome(false)
		told.tell(o, err)
		if time.Since(synced) > syncEvery {
			told.tell(o, o.spool.Sync())
			synced = time.Now()
		}
		if n > 0 && err == nil {
			continue
		}
		wake, wait := o.spill, syncEvery
		if err != nil { // each event that comes would only have it tried in vain
			wake, wait = o.room, syncEvery/5
		}
		timer := time.NewTimer(wait)
		select {
		case <-wake:
		case <-timer.C:
		case <-o.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// trouble is what was wrong with the spool last.
type trouble struct {
	text string
	at   time.Time
}

// tell tells people what is wrong: once, while it is, but not each time that a full
// spool has found room for a moment.
func (t *trouble) tell(o *Output, err error) {
	if err == nil {
		return
	}
	if text := err.Error(); text != t.text || time.Since(t.at) > time.Minute {
		o.cfg.Warn(fmt.Sprintf("otlp: spool %s: %v: what does not fit into memory is lost, and counted", o.cfg.Spool, err))
		t.text = text
	}
	t.at = time.Now()
}

// spillSome puts some of the oldest entries in memory into the spool: those in flight
// too, which are older than what comes behind them.
func (o *Output) spillSome(all bool) (int, error) {
	o.moving.Lock()
	defer o.moving.Unlock()
	o.mu.Lock()
	if !o.spills() && !(all && len(o.queue.entries) > 0) {
		o.mu.Unlock()
		return 0, nil
	}
	entries := o.queue.entries[:min(spillMost, len(o.queue.entries))] // what is behind them may grow meanwhile
	o.mu.Unlock()
	n, err := o.spool.Append(o.lines.of(entries))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue.spoolFull = err != nil
	if b := o.inFlight; b != nil {
		b.spooled += min(n, len(b.entries)-b.spooled)
	}
	o.queue.remove(n)
	o.queue.counts.Spooled += uint64(n)
	return n, err
}

// lines makes the spool's of entries, in the same room again and again.
type lines struct {
	encoder event.Encoder
	room    []byte
	ends    []int
	texts   [][]byte
}

// of is there until the next call.
func (l *lines) of(entries []entry) [][]byte {
	l.room, l.ends, l.texts = l.room[:0], l.ends[:0], l.texts[:0]
	for i := range entries {
		l.room = entries[i].append(l.room, &l.encoder)
		l.ends = append(l.ends, len(l.room))
	}
	from := 0
	for _, to := range l.ends {
		l.texts = append(l.texts, l.room[from:to])
		from = to
	}
	return l.texts
}

// fromSpool is the next batch, from the spool. To read it takes its time, in which the
// spiller goes on: only the sender takes lines out.
func (o *Output) fromSpool(most int) *batch {
	texts, _ := o.spool.Next(most, batchBytes)
	b := &batch{}
	for _, text := range texts {
		if en, ok := parse(text); ok {
			b.entries = append(b.entries, en)
			b.spooled++
		} else {
			b.foreign++
		}
	}
	if len(b.entries) == 0 {
		o.spool.Done(b.foreign)
	}
	o.moving.Lock() // between two of the spiller's moves, the spool has what was counted
	defer o.moving.Unlock()
	left := o.spool.Lines() // not under mu: the disk may be slow, and Write does not wait
	o.mu.Lock()
	defer o.mu.Unlock()
	q := &o.queue
	q.loseUnseen(q.counts.Spooled - left)
	q.counts.Spooled = left
	return b
}

// append appends an entry as a line of the spool: the stream, when it was observed,
// whose it is, and the event as in docs/events.md.
func (en *entry) append(b []byte, encoder *event.Encoder) []byte {
	b = append(append(b, en.stream...), ' ')
	b = append(strconv.AppendInt(b, en.observed.UnixNano(), 10), ' ')
	b = append(strconv.AppendBool(b, en.own), ' ')
	return encoder.AppendJSON(b, en.event)
}

// parse reads a line of the spool.
func parse(text []byte) (entry, bool) {
	parts := bytes.SplitN(text, []byte(" "), 4)
	if len(parts) != 4 || len(parts[0]) > 64 {
		return entry{}, false
	}
	ns, err := strconv.ParseInt(string(parts[1]), 10, 64)
	own, err2 := strconv.ParseBool(string(parts[2]))
	e, err3 := event.Parse(parts[3])
	if errors.Join(err, err2, err3) != nil {
		return entry{}, false
	}
	return entry{event: e, stream: string(parts[0]), observed: time.Unix(0, ns), own: own}, true
}
