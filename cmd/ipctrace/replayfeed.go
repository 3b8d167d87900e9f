package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/view/screen"
)

// entry is a line of a log, or why there is none.
type entry struct {
	journal.Line // its text is a copy
	err          error
}

// feed reads files, one after the other. It does so in a goroutine of its own: a
// read of stdin cannot be broken off.
func feed(ctx context.Context, files []journal.File) <-chan entry {
	const ahead = 16
	entries := make(chan entry, ahead)
	go func() {
		defer close(entries)
		defer screen.GiveBack()
		for _, file := range files {
			for line, err := range journal.Lines(file.Name) {
				line.Text = bytes.Clone(line.Text)
				select {
				case entries <- entry{line, err}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return entries
}

// mostFaults is how many lines that could not be read are told one by one, and how
// many places where lines are missing.
const mostFaults = 10

// faults are what could not be read, or is not there. They are told at the end:
// before, the terminal can be the screen's.
type faults struct {
	unreadable, gaps int
	notes            []string
	last             position // of the last event that was read
}

// position is where in which log an event is.
type position struct {
	log        event.Log // empty: a stream that is not kept as one
	seq        uint64
	unreadable int // lines so far
}

// forget is for a log that is read again.
func (f *faults) forget() { *f = faults{} }

// unread notes a line that could not be read.
func (f *faults) unread(line journal.Line, err error) {
	if f.unreadable++; f.unreadable <= mostFaults {
		f.note(line, "%v", err)
	}
}

// follow notes what is missing before an event, by the places that events say they
// have. It returns how many lines of its trace that is, at least. A log need not begin
// with its first part: those before may have been deleted, as --keep does.
func (f *faults) follow(line journal.Line, e *event.Event) (missing uint64) {
	before := f.last
	f.last.seq, f.last.unreadable = e.Seq, f.unreadable
	if e.Event == event.TraceStart {
		f.last.log = logOf(e.Start)
	}
	same := f.last.log.ID == before.log.ID
	from, to := uint64(before.log.Part)+1, uint64(f.last.log.Part)
	if e.Seq > before.seq {
		missing = e.Seq - before.seq - 1
	}
	switch {
	case e.Seq == before.seq+1:
	case same && from < to:
		f.gap(line, absent("the log's part", "the log's parts", from, to-1))
	case e.Event == event.TraceStart && (e.Seq == 1 || !same):
		return 0
	case e.Seq <= before.seq:
		f.gap(line, fmt.Sprintf("seq %d behind %d: lines are missing, or there twice, or not in their order", e.Seq, before.seq))
	case missing > uint64(f.unreadable-before.unreadable):
		f.gap(line, absent("the line of seq", "lines of seq", before.seq+1, e.Seq-1))
	}
	return missing
}

// absent tells which of several are missing before a line.
func absent(one, more string, from, to uint64) string {
	if from == to {
		return fmt.Sprintf("%s %d is missing before it", one, from)
	}
	return fmt.Sprintf("%s %d to %d are missing before it", more, from, to)
}

// gap notes that lines are missing.
func (f *faults) gap(line journal.Line, text string) {
	if f.gaps++; f.gaps <= mostFaults {
		f.note(line, "%s", text)
	}
}

// torn notes half a line, which is nobody's fault.
func (f *faults) torn(line journal.Line) {
	f.note(line, "half a line, left out: who wrote it was killed, or writes it now")
}

func (f *faults) note(line journal.Line, format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf("%s, line %d: %s", line.File, line.Number, fmt.Sprintf(format, args...)))
}

func (f *faults) tell(w io.Writer) {
	for _, note := range f.all() {
		fmt.Fprintf(w, "ipctrace: %s\n", printable(note))
	}
}

// all are the notes, and how many more there would be.
func (f *faults) all() []string {
	notes := slices.Clone(f.notes)
	if more := f.unreadable - mostFaults; more > 0 {
		notes = append(notes, plural(more, "line")+" more could not be read")
	}
	if more := f.gaps - mostFaults; more > 0 {
		notes = append(notes, "lines are missing in "+plural(more, "place")+" more")
	}
	return notes
}
