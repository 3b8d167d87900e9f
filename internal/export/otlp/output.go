package otlp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/export/spool"
)

// Output is a collector that events are sent to.
type Output struct {
	cfg    Config
	name   string // of the collector, for people
	client *client
	meter  *meter       // nil: no metrics
	spool  *spool.Spool // nil: none

	// moving is held while entries go from memory to the spool, and while the sender
	// takes some or is done with them: so that each is in one place.
	moving   sync.Mutex
	inFlight *batch // out of memory; nil: none is

	complained map[Reason]time.Time // when; of the sender
	lines      lines                // of who spills

	mu    sync.Mutex // guards queue and away
	queue queue
	away  bool // the last request was not taken

	ctx     context.Context // ends when nobody waits any more
	cancel  context.CancelFunc
	ripe    chan struct{} // for the sender: there is something to send
	spill   chan struct{} // for the spiller: there is something to spill
	room    chan struct{} // for the spiller: the spool has room again
	closing chan struct{} // closed when nothing comes any more
	sent    chan struct{} // closed when the sender has ended
	spilled sync.WaitGroup
}

// errClosed is that of a Write after Close.
var errClosed = errors.New("otlp: closed")

// Open begins to send. What cannot work is an error that says what to do; a collector
// that does not answer is none, as it may come.
func Open(ctx context.Context, cfg Config) (*Output, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	o := &Output{
		cfg: cfg, queue: newQueue(cfg.Queue),
		complained: map[Reason]time.Time{}, ripe: make(chan struct{}, 1), spill: make(chan struct{}, 1), room: make(chan struct{}, 1), closing: make(chan struct{}), sent: make(chan struct{}),
	}
	o.ctx, o.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := o.connect(ctx); err != nil {
		return nil, errors.Join(err, o.abandon(ctx))
	}
	go o.send()
	if o.spool != nil {
		o.spilled.Go(o.keepSpilling)
	}
	return o, nil
}

// connect makes all that has to be closed.
func (o *Output) connect(ctx context.Context) error {
	faults := listen(o.cfg.Warn)
	l, err := o.cfg.link(logs)
	if err != nil {
		return err
	}
	o.name = l.name
	r, err := describe(ctx, o.cfg.Version)
	if err != nil {
		return err
	}
	if o.client, err = newClient(ctx, l, o.cfg.Version, r); err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	if o.cfg.Metrics != nil {
		l, err := o.cfg.link(metrics)
		if err != nil {
			return err
		}
		if o.meter, err = newMeter(ctx, &o.cfg, l, r); err != nil {
			return fmt.Errorf("otlp: %w", err)
		}
	}
	if err := faults(); err != nil {
		return fmt.Errorf("otlp: %w", err)
	}
	return o.openSpool()
}

// openSpool finds what another has left.
func (o *Output) openSpool() error {
	if o.cfg.Spool == "" {
		return nil
	}
	s, err := spool.Open(spool.Config{Dir: o.cfg.Spool, Limit: o.cfg.SpoolBytes, Warn: o.cfg.Warn})
	if err != nil {
		return err
	}
	o.spool = s
	left, damaged := s.Lines(), s.Damaged()
	o.queue.counts.Spooled = left
	o.queue.counts.Produced = left + damaged
	o.queue.loseUnseen(damaged)
	return nil
}

// abandon closes what connect has made.
func (o *Output) abandon(ctx context.Context) error {
	o.cancel()
	var errs []error
	if o.client != nil {
		errs = append(errs, o.client.close(ctx))
	}
	if o.meter != nil {
		ctx, cancel := context.WithCancel(ctx)
		cancel() // there is nothing to send
		_ = o.meter.close(ctx)
	}
	if o.spool != nil {
		errs = append(errs, o.spool.Close())
	}
	listen(nil)
	return errors.Join(errs...)
}

// Write takes in an event, as one of the output's own numbering. It never waits, and
// keeps nothing that e points at but what nobody changes: see [event.Event.Clone].
// Where there is no room, the event is counted. The error is that it is closed.
func (o *Output) Write(e *event.Event) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.queue.closed {
		return errClosed
	}
	o.queue.add(e)
	if n := len(o.queue.entries); n == 1 || n >= o.cfg.Batch {
		signal(o.ripe)
	}
	if o.spills() {
		signal(o.spill)
	}
	return nil
}

// Counts is what became of all events so far.
func (o *Output) Counts() Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.queue.total()
	if o.spool != nil {
		c.SpoolBytes, c.SpoolLimit = o.spool.Bytes(), o.cfg.SpoolBytes
	}
	return c
}

// Close sends what there is, as long as the collector takes it and ctx lasts. What is
// left then is put into the spool, or is lost, and counted: that is an error.
func (o *Output) Close(ctx context.Context) error {
	o.mu.Lock()
	o.queue.pay()
	o.queue.closed = true
	o.mu.Unlock()
	close(o.closing)
	var metered sync.WaitGroup
	if o.meter != nil {
		metered.Go(func() { _ = o.meter.close(ctx) }) // that it failed was told
	}
	select {
	case <-o.sent:
	case <-ctx.Done():
		o.cancel()
		<-o.sent
	}
	metered.Wait()
	o.cancel()
	o.spilled.Wait()
	err := errors.Join(o.keepRest(), o.client.close(context.WithoutCancel(ctx)))
	listen(nil)
	return err
}

// keepRest is what becomes of what could not be sent.
func (o *Output) keepRest() error {
	var err error
	if o.spool != nil {
		for n := 1; n > 0 && err == nil; {
			n, err = o.spillSome(true)
		}
		err = errors.Join(err, o.spool.Close())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	left := uint64(len(o.queue.entries))
	o.queue.counts.Lost[LostClosed] += left
	o.queue.entries = nil
	if left > 0 {
		err = errors.Join(fmt.Errorf("otlp: %d events could not be sent to %s before the end, and are lost", left, o.name), err)
	}
	if n := o.queue.counts.Spooled; n > 0 {
		o.cfg.Warn(fmt.Sprintf("otlp: %d events wait in the spool %s: they are sent first when ipctrace starts again", n, o.cfg.Spool))
	}
	return err
}

// signal does not wait for who has not come to the last one yet.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// brief is a text of another program's, cut.
func brief(text string) string {
	const most = 300
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
