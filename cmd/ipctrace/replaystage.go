package main

import (
	"bufio"
	"fmt"
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/view"
)

// A stage is where a player shows a log.
type stage interface {
	begin(t *past) error
	tell(t *past, e *event.Event, text []byte) error // text is the line that e was read from
	end(t *past, now time.Time) error
	flush() error // shows what was told so far
	close() error
}

// A rememberer is a stage that also has to know what is not told: what was before
// --since, and events that --event leaves out.
type rememberer interface {
	remember(t *past, e *event.Event)
}

// jsonStage writes the lines as they stand in the log.
type jsonStage struct{ out *bufio.Writer }

func (s *jsonStage) begin(*past) error          { return nil }
func (s *jsonStage) end(*past, time.Time) error { return nil }
func (s *jsonStage) flush() error               { return s.out.Flush() }
func (s *jsonStage) close() error               { return s.out.Flush() }

func (s *jsonStage) tell(_ *past, _ *event.Event, text []byte) error {
	_, err := s.out.Write(text)
	return err
}

// textStage writes lines as live does, and behind those of a trace its table. What
// was there at its start is in the table alone.
type textStage struct {
	out    *bufio.Writer
	opts   view.Options
	tables bool        // no lines
	lines  *view.Lines // of this trace; nil: none so far
	begun  bool        // something has been written
}

func (s *textStage) begin(t *past) error {
	s.lines, s.opts.Native = nil, abiOf(t.start.Arch)
	return nil
}

func (s *textStage) tell(t *past, e *event.Event, _ []byte) error {
	if s.tables || t.there || e.Event != event.TraceLost && !slices.Contains(event.Types, e.Event) {
		return nil
	}
	if s.lines == nil {
		s.gap()
		s.lines = view.NewLines(s.out, s.opts)
		if err := s.lines.Header(); err != nil {
			return err
		}
	}
	return s.lines.Write(e)
}

func (s *textStage) end(t *past, now time.Time) error {
	s.gap()
	if err := view.TraceTitle(s.out, &t.start, t.headless, t.from, now, s.opts); err != nil {
		return err
	}
	fmt.Fprintln(s.out)
	if err := summarize(s.out, t.inventory, now, s.opts); err != nil || t.missing == 0 {
		return err
	}
	_, err := fmt.Fprintf(s.out, "missing in the log: at least %s\n", plural(t.missing, "line"))
	return err
}

// gap sets apart what follows. An error of the writer comes back from the next
// write.
func (s *textStage) gap() {
	if s.begun {
		fmt.Fprintln(s.out)
	}
	s.begun = true
}

func (s *textStage) flush() error { return s.out.Flush() }
func (s *textStage) close() error { return s.out.Flush() }
