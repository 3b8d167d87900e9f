package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
	"golang.org/x/sys/unix"
)

// jsonSink writes the contract.
type jsonSink struct {
	batch   batch
	encoder event.Encoder
	line    []byte // room for one
}

func (s *jsonSink) Write(e *event.Event) error {
	s.line = append(s.encoder.AppendJSON(s.line[:0], e), '\n')
	_, err := s.batch.Write(s.line)
	return err
}

// Flush shows what was written so far.
func (s *jsonSink) Flush() error { return s.batch.Flush() }

// lineSink writes lines. What was there before is not told: it is in the table at
// the end.
type lineSink struct {
	lines *view.Lines
	batch *batch // nil: each line goes out at once
	since int64  // boot time, ns, of the first look
}

func (s *lineSink) Write(e *event.Event) error {
	before := (e.Event == event.NamespaceFound || e.Event == event.ObjectFound) && e.BootNS <= s.since
	if e.Start != nil || e.Stop != nil || before {
		return nil
	}
	return s.lines.Write(e)
}

// Flush shows what was written so far.
func (s *lineSink) Flush() error {
	if s.batch == nil {
		return nil
	}
	return s.batch.Flush()
}

// drawing draws an inventory as it is.
type drawing func(*inventory.Inventory, view.Status) error

// screenSink draws a scene, a few times a second and when the terminal changes its
// size.
type screenSink struct {
	scene  func(drawing) error // has drawn what there is, if anything
	open   func() (*view.Screen, error)
	screen *view.Screen

	mu     sync.Mutex // guards failed
	failed error

	cancel context.CancelFunc
	drawn  sync.WaitGroup
}

func newScreenSink(f *os.File, opts view.Options, scene func(drawing) error) (*screenSink, error) {
	open := func() (*view.Screen, error) { return view.NewScreen(f, view.TerminalSize(f), opts) }
	screen, err := open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &screenSink{scene: scene, open: open, screen: screen, cancel: cancel}
	s.drawn.Go(func() { s.redraw(ctx) })
	return s, nil
}

func (s *screenSink) Write(*event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *screenSink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

func (s *screenSink) redraw(ctx context.Context) {
	resized, suspended := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	signal.Notify(suspended, syscall.SIGTSTP)
	defer signal.Stop(resized)
	defer signal.Stop(suspended)
	tick := time.NewTicker(view.FrameInterval)
	defer tick.Stop()
	for {
		s.draw()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-resized:
		case <-suspended:
			s.suspend()
		}
	}
}

// suspend is Ctrl-Z: the terminal is the shell's until this program goes on.
// What is recorded meanwhile waits in the ring.
func (s *screenSink) suspend() {
	_ = s.screen.Close()
	_ = syscall.Kill(syscall.Getpid(), syscall.SIGSTOP)
	var err error
	s.screen, err = s.open()
	s.fail(err)
}

func (s *screenSink) draw() {
	if s.Write(nil) != nil {
		return // it is told where events are written
	}
	if err := s.scene(s.screen.Draw); err != nil {
		s.fail(err)
	}
}

// Close gives the terminal back.
func (s *screenSink) Close() error {
	s.cancel()
	s.drawn.Wait()
	return s.screen.Close()
}

// hangup cancels when the reader of a pipe goes away: without events to write
// nobody would notice.
func hangup(ctx context.Context, out any, cancel context.CancelCauseFunc) {
	file, ok := out.(*os.File)
	if !ok {
		return
	}
	go func() {
		fds := []unix.PollFd{{Fd: int32(file.Fd())}} // no events asked: only errors wake
		for ctx.Err() == nil {
			n, err := unix.Poll(fds, 500)
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil:
				return
			case n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0:
				cancel(errPipe)
				return
			}
		}
	}()
}
