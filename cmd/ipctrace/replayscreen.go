package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/internal/view/screen"
)

// playback plays a log on the screen. To go back it plays it again from the beginning,
// without pauses, and shows what it did as long as that takes.
type playback struct {
	files []journal.File
	fresh func() (*player, error) // one that has not played anything
	pace  *pace
	out   *os.File
	in    io.Reader
	opts  view.Options
	quit  func()

	screen *screen.Screen // nil: not yet
	tables *textStage     // of this run; they come when the terminal is the user's again
	left   bytes.Buffer   // what tables has written

	mu      sync.Mutex
	shown   *player
	coming  *player   // that will be shown when it is where it should be; nil: none is
	to      time.Time // the last event of the log; zero: not known
	chosen  bool      // how fast it is played has been, by the user or by how long it is
	ended   bool
	note    string             // what could not be done
	noted   time.Time          // when
	rewound *target            // play it again, up to there
	restart context.CancelFunc // breaks off the run
	wake    chan struct{}
}

// play plays until the user ends it, and then shows the tables of what he has seen last.
func (b *playback) play(ctx context.Context, faults *faults) (p *player, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.quit, b.wake = cancel, make(chan struct{}, 1)
	defer func() { err = errors.Join(err, b.close()) }()
	var finding sync.WaitGroup
	finding.Go(func() {
		defer screen.GiveBack()
		b.findEnd(ctx)
	})
	p, err = b.runs(ctx, faults)
	cancel()
	finding.Wait()
	return p, err
}

// runs plays the log as often as the user goes back in it.
func (b *playback) runs(ctx context.Context, faults *faults) (*player, error) {
	for {
		p, err := b.run(ctx, faults)
		if err != nil || b.screen == nil {
			return p, err
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return p, nil
		}
	}
}

// run plays the log once, or until it is to be played again.
func (b *playback) run(ctx context.Context, faults *faults) (*player, error) {
	p, err := b.fresh()
	if err != nil {
		return nil, err
	}
	p.pace, p.stage = b.pace, &screenStage{b}
	b.left.Reset()
	b.tables = &textStage{out: bufio.NewWriter(&b.left), opts: b.opts, tables: true}
	faults.forget()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b.begin(p, cancel)
	err = p.play(ctx, feed(ctx, b.files), faults)
	b.end(ctx.Err() == nil)
	return p, err
}

// begin begins a run: to a place that was asked for, or at the beginning.
func (b *playback) begin(p *player, cancel context.CancelFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.restart, b.ended, b.coming = cancel, false, p
	if b.rewound != nil {
		b.pace.again(*b.rewound)
		b.screen.Forget()
	}
	b.rewound = nil
	select {
	case <-b.wake: // for this run
	default:
	}
}

func (b *playback) end(all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = all
	if b.rewound != nil {
		b.ended = false
		return
	}
	if b.coming != nil {
		b.shown, b.coming = b.coming, nil
	}
	b.pace.change(func() { b.pace.skip, b.pace.steps = target{}, 0 })
}

// rewind plays the log again, up to a place.
func (b *playback) rewind(to target) {
	if b.once() {
		b.say("a pipe is read once: there is no way back")
		return
	}
	b.rewound, b.ended = &to, false
	b.restart()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// once says whether the log can be read only once.
func (b *playback) once() bool {
	return slices.ContainsFunc(b.files, func(file journal.File) bool {
		info, err := os.Stat(file.Name) // of - there is none
		return err != nil || !info.Mode().IsRegular()
	})
}

// say tells the user why a key did nothing.
func (b *playback) say(why string) { b.note, b.noted = why, time.Now() }

// look shows the trace that is played, at the time that it is there.
func (b *playback) look(see func(*screen.Scene)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, seeking := b.pace.state()
	if b.coming != nil && (b.shown == nil || !seeking) && b.coming.has() {
		b.shown, b.coming = b.coming, nil
	}
	if b.shown == nil || now.IsZero() {
		return // what is before --since is still read
	}
	p := b.shown
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.past == nil {
		return
	}
	play := screen.Playback{At: now, Ended: b.ended, Seeking: seeking || b.coming != nil}
	play.From, play.To = b.stretch()
	if !b.chosen && !play.To.IsZero() {
		b.chosen = true
		b.pace.change(func() { b.pace.speed = speedOver(play.To.Sub(play.From)) })
	}
	play.Speed, play.Paused = b.pace.setting()
	if time.Since(b.noted) < 3*time.Second {
		play.Note = b.note
	}
	see(&screen.Scene{Inventory: p.past.inventory, Tier: p.past.start.Tier, Started: p.past.from, Now: now, Playback: &play})
}

// Pause pauses, or goes on; at the end, from the beginning.
func (b *playback) Pause() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		b.pace.change(func() { b.pace.paused = false })
		b.rewind(target{})
		return
	}
	b.pace.change(func() { b.pace.paused = !b.pace.paused })
}

// Seek goes on by a part of the log, or back: from where it is, or is on the way to.
func (b *playback) Seek(part float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shown == nil || b.ended && part > 0 {
		return
	}
	const unknown = 10 * time.Minute // how long a log is of which nobody knows
	from, end := b.stretch()
	whole := unknown
	if !end.IsZero() {
		whole = end.Sub(from)
	}
	goal, _ := b.goal()
	b.reach(target{at: later(goal.at, from).Add(time.Duration(part * float64(whole)))})
}

// Step goes to the next event, or to the one before, and stays there.
func (b *playback) Step(backward bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pace.change(func() { b.pace.paused = true })
	goal, going := b.goal()
	switch {
	case going && goal.events == 0:
		b.say("on the way: not yet")
	case backward && goal.events > 1:
		b.reach(target{goal.at, goal.events - 1})
	case backward:
	case going:
		b.reach(target{goal.at, goal.events + 1})
	case b.ended:
	default:
		b.pace.change(func() { b.pace.steps++ })
	}
}

// stretch is from when to when what is shown of the log is; to is zero as long as
// nobody knows.
func (b *playback) stretch() (from, to time.Time) {
	from, to = b.shown.first, b.to
	if since := b.shown.span.since; since != nil {
		from = *since
	}
	if until := b.shown.span.until; until != nil && until.Before(to) {
		to = *until
	}
	return from, to
}

// goal is where the log is on the way to, or else where it is.
func (b *playback) goal() (to target, going bool) {
	if b.rewound != nil {
		return *b.rewound, true
	}
	return b.pace.goal()
}

// reach goes to a place: on, or from the beginning where it is passed already.
func (b *playback) reach(to target) {
	switch {
	case b.rewound != nil:
		b.rewound = &to
	case !b.ended && b.pace.leads(to):
		b.pace.change(func() { b.pace.skip = to })
	default:
		b.rewind(to)
	}
}

// mostSpeed is the fastest but for max.
const mostSpeed = 4096

// Faster makes it twice as fast, or half as fast.
func (b *playback) Faster(slower bool) {
	b.setSpeed(func(speed float64) float64 {
		switch {
		case slower && speed == 0:
			return mostSpeed
		case slower:
			return max(speed/2, 1.0/64)
		case speed == 0 || speed >= mostSpeed:
			return 0
		}
		return speed * 2
	})
}

// Plain makes it as fast as it was.
func (b *playback) Plain() { b.setSpeed(func(float64) float64 { return 1 }) }

func (b *playback) setSpeed(to func(float64) float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.chosen = true
	b.pace.change(func() { b.pace.speed = to(b.pace.speed) })
}

// findEnd finds out when the log ends.
func (b *playback) findEnd(ctx context.Context) {
	if b.once() {
		return
	}
	last := b.files[len(b.files)-1]
	var text []byte
	for line, err := range journal.Lines(last.Name) {
		if ctx.Err() != nil {
			return
		}
		if err == nil && !line.Torn {
			text = append(text[:0], line.Text...)
		}
	}
	e, err := event.Parse(text)
	if err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = e.Time
}

// speedOver is how fast a log is played, at least as fast as it was, to take a minute
// or two.
func speedOver(whole time.Duration) float64 {
	return math.Max(1, math.Min(mostSpeed, math.Exp2(math.Floor(math.Log2(whole.Minutes())))))
}

func (b *playback) close() error {
	if b.screen == nil {
		return nil
	}
	if err := errors.Join(b.screen.Close(), b.tables.close()); err != nil {
		return err
	}
	_, err := b.left.WriteTo(b.out)
	return err
}

// screenStage puts what is played on the screen.
type screenStage struct{ *playback }

func (s *screenStage) begin(t *past) error {
	t.inventory.KeepUses(usesKept)
	if s.screen == nil {
		s.opts.Native = abiOf(t.start.Arch)
		controls := screen.Controls{
			Quit: s.quit, Player: s.playback,
			Filter: func(words string) (screen.Filter, error) { return filterOf(words, loggedPlace) },
		}
		s.screen = screen.Open(keysOf(s.in), s.out, s.look, controls, s.opts)
	}
	return s.tables.begin(t)
}

func (s *screenStage) tell(t *past, e *event.Event, _ []byte) error {
	return s.screen.Write(e, t.inventory)
}

func (s *screenStage) end(t *past, now time.Time) error { return s.tables.end(t, now) }
func (s *screenStage) flush() error                     { return nil }
func (s *screenStage) close() error                     { return nil }
