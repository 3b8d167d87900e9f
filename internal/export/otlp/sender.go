package otlp

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// batch is what is sent in one request: the oldest entries.
type batch struct {
	entries []entry
	spooled int // so many of its entries are in the spool, as its oldest lines
	foreign int // lines among those that are no events
}

// batchBytes is about how much is sent in one request at most: of what collectors
// take, 4 MiB where nobody said otherwise, less what OTLP adds.
const batchBytes = 1 << 20

// shortest and longest time between two requests when nobody takes them.
const (
	shortest = 200 * time.Millisecond
	longest  = 5 * time.Second
)

// send sends batches until nothing more comes.
func (o *Output) send() {
	defer close(o.sent)
	most := o.cfg.Batch
	pause := shortest
	for o.await() {
		b := o.take(most)
		if len(b.entries) == 0 {
			continue
		}
		a := o.client.send(o.ctx, b.entries)
		switch {
		case a.fate == accepted:
			o.accepted(b, a)
			most, pause = min(2*most, o.cfg.Batch), shortest
			continue
		case a.fate == refused && len(b.entries) > 1:
			// Something in it is not liked, or it is too large: which, smaller ones tell.
			o.again(false, a)
			most = max(1, len(b.entries)/2)
			continue
		case a.fate == refused:
			o.refused(b, a)
		default:
			o.again(true, a)
		}
		if !o.rest(max(pause, min(a.after, time.Minute))) {
			return
		}
		pause = min(2*pause, longest)
	}
}

// await waits for enough to send, or for the end, and says whether there is
// something.
func (o *Output) await() bool {
	for {
		left, age, closed := o.pending()
		wait := o.cfg.Delay - age
		switch {
		case o.ctx.Err() != nil || closed && left == 0:
			return false
		case closed || left >= o.cfg.Batch || left > 0 && wait <= 0:
			return true
		case left == 0:
			wait = time.Hour
		}
		timer := time.NewTimer(wait)
		select {
		case <-o.ripe:
		case <-timer.C:
		case <-o.closing:
		case <-o.ctx.Done():
		}
		timer.Stop()
	}
}

// pending is how many entries wait, and for how long the oldest has; what is in the
// spool, for ever.
func (o *Output) pending() (n int, age time.Duration, closed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = len(o.queue.entries)
	switch {
	case o.queue.counts.Spooled > 0:
		return n + 1, o.cfg.Delay, o.queue.closed
	case n > 0:
		age = time.Since(o.queue.entries[0].observed)
	}
	return n, age, o.queue.closed
}

// take is the next batch. Its entries stay where they are.
func (o *Output) take(most int) *batch {
	if b := o.fromMemory(most); b != nil {
		return b
	}
	return o.fromSpool(most)
}

// fromMemory is the next batch, from there; nil: what is in the spool is older.
func (o *Output) fromMemory(most int) *batch {
	o.moving.Lock()
	defer o.moving.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.queue.counts.Spooled > 0 {
		return nil
	}
	b := &batch{entries: append([]entry(nil), o.queue.entries[:min(most, len(o.queue.entries))]...)}
	o.inFlight = b
	return b
}

// accepted is done with a batch.
func (o *Output) accepted(b *batch, a answer) {
	n := uint64(len(b.entries))
	rejected := min(uint64(max(a.rejected, 0)), n)
	o.done(b, func(q *queue) {
		q.counts.Delivered += n - rejected
		if rejected > 0 {
			q.lose(LostRejected, rejected, b.entries)
		}
	})
	o.mu.Lock()
	back := o.away
	o.away = false
	current := b.entries[0].stream == o.queue.stream // else it may be of another boot
	o.mu.Unlock()
	if boot := b.entries[0].event.BootNS; o.cfg.Put != nil && current && boot > 0 {
		o.cfg.Put(boot)
	}
	if back {
		o.cfg.Warn(fmt.Sprintf("otlp: %s takes events again", o.name))
	}
	if rejected > 0 {
		o.complain(LostRejected, fmt.Sprintf("otlp: %s rejected %d of %d events, which are lost: %s", o.name, rejected, n, brief(a.text)))
	}
}

// refused is done with an event that was refused alone.
func (o *Output) refused(b *batch, a answer) {
	o.done(b, func(q *queue) { q.lose(LostRefused, 1, b.entries) })
	o.complain(LostRefused, fmt.Sprintf("otlp: %s refused an event, which is lost: %s", o.name, brief(a.text)))
}

// complain tells people of a loss, but not of each.
func (o *Output) complain(reason Reason, text string) {
	if at, ok := o.complained[reason]; ok && time.Since(at) < time.Minute {
		return
	}
	o.complained[reason] = time.Now()
	o.cfg.Warn(text)
}

// done lets go of a batch, wherever it is.
func (o *Output) done(b *batch, count func(*queue)) {
	o.moving.Lock()
	defer o.moving.Unlock()
	o.inFlight = nil
	if lines := b.spooled + b.foreign; lines > 0 {
		before := o.spool.Bytes()
		o.spool.Done(lines)
		if o.spool.Bytes() < before {
			signal(o.room)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue.counts.Spooled -= uint64(b.spooled + b.foreign)
	o.queue.loseUnseen(uint64(b.foreign))
	o.queue.remove(len(b.entries) - b.spooled)
	count(&o.queue)
}

// again is that a batch stays where it is. It is told once that nobody takes it.
func (o *Output) again(away bool, a answer) {
	o.moving.Lock()
	o.inFlight = nil
	o.moving.Unlock()
	o.mu.Lock()
	o.queue.counts.Retries++
	news := away && !o.away && o.ctx.Err() == nil
	o.away = o.away || away
	o.mu.Unlock()
	if away {
		signal(o.spill)
	}
	if !news {
		return
	}
	where := "memory: name a spool to keep more"
	if o.spool != nil {
		where = "the spool"
	}
	o.cfg.Warn(fmt.Sprintf("otlp: %s does not take events (%s): they wait in %s", o.name, brief(a.text), where))
}

// rest waits before the next request; false: there is none, as what is left is to go
// into the spool.
func (o *Output) rest(pause time.Duration) bool {
	pause += time.Duration(rand.Int64N(int64(pause)/5 + 1)) // all hosts' collector may be one
	timer := time.NewTimer(pause)
	defer timer.Stop()
	closing := o.closing
	o.mu.Lock()
	if o.spool == nil || o.queue.spoolFull {
		closing = nil // there is no other place
	}
	o.mu.Unlock()
	select {
	case <-timer.C:
		return true
	case <-closing:
	case <-o.ctx.Done():
	}
	return false
}
