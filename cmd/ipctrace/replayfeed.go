package main

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/ipctrace/ipctrace/internal/journal"
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

// mostFaults is how many lines that could not be read are told one by one.
const mostFaults = 10

// faults are what could not be read. They are told at the end: before, the
// terminal can be the screen's.
type faults struct {
	unreadable int
	notes      []string
}

// unread notes a line that could not be read.
func (f *faults) unread(line journal.Line, err error) {
	if f.unreadable++; f.unreadable <= mostFaults {
		f.note(line, "%v", err)
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
	for _, note := range f.notes {
		fmt.Fprintf(w, "ipctrace: %s\n", printable(note))
	}
	if more := f.unreadable - mostFaults; more > 0 {
		fmt.Fprintf(w, "ipctrace: %s more could not be read\n", plural(more, "line"))
	}
}
