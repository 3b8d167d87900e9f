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
	var trouble error
	synced := time.Now()
	for {
		n, err := o.spillSome(false)
		o.tell(&trouble, err)
		if time.Since(synced) > syncEvery {
			o.tell(&trouble, o.spool.Sync())
			synced = time.Now()
		}
		if n > 0 && err == nil {
			continue
		}
		timer := time.NewTimer(syncEvery)
		if err != nil {
			timer.Reset(syncEvery / 5)
		}
		select {
		case <-o.spill:
		case <-timer.C:
		case <-o.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// tell tells people what is wrong with the spool, once.
func (o *Output) tell(trouble *error, err error) {
	if err != nil && (*trouble == nil || (*trouble).Error() != err.Error()) {
		o.cfg.Warn(fmt.Sprintf("otlp: spool %s: %v: what does not fit into memory is lost, and counted", o.cfg.Spool, err))
	}
	if err != nil {
		*trouble = err
	}
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
	var encoder event.Encoder
	texts := make([][]byte, len(entries))
	for i := range entries {
		texts[i] = entries[i].append(nil, &encoder)
	}
	n, err := o.spool.Append(texts)
	o.mu.Lock()
	defer o.mu.Unlock()
	if b := o.inFlight; b != nil {
		b.spooled += min(n, len(b.entries)-b.spooled)
	}
	o.queue.remove(n)
	o.queue.counts.Spooled += uint64(n)
	return n, err
}

// fromSpool is the next batch, from the spool.
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
	left := o.spool.Lines() // not under mu: the disk may be slow, and Write does not wait
	o.mu.Lock()
	defer o.mu.Unlock()
	q := &o.queue
	q.counts.Lost[LostSpool] += q.counts.Spooled - left
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
