package main

import (
	"context"
	"errors"
	"os"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/internal/view/screen"
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

// hangup cancels when the reader of a pipe goes away: without events to write
// nobody would notice.
func hangup(ctx context.Context, out any, cancel context.CancelCauseFunc) {
	file, ok := out.(*os.File)
	if !ok {
		return
	}
	go func() {
		defer screen.GiveBack()
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
