package main

import "io"

// batchSize is how many bytes of lines go out at once, at most.
const batchSize = 64 << 10

// A batch gathers lines, so that in a flood many go out by one write, whole: who
// reads a pipe gets no half of one. Flush is called whenever nothing more is there
// to be read from the kernel, so the lone event does not wait.
type batch struct {
	out   io.Writer
	lines []byte
}

func (b *batch) Write(line []byte) (int, error) {
	if len(b.lines)+len(line) > batchSize {
		if err := b.Flush(); err != nil {
			return 0, err
		}
	}
	b.lines = append(b.lines, line...)
	return len(line), nil
}

// Flush writes what was gathered. After an error that is gone.
func (b *batch) Flush() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.out.Write(b.lines)
	b.lines = b.lines[:0]
	return err
}
