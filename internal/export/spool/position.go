package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// position is how far the lines have been done with: in a file, which is written
// over, so that it takes no room on a disk that is full.
type position struct {
	file    *os.File
	segment uint64 // number
	offset  int64  // bytes
}

const (
	positionName   = "position"
	positionFormat = "%020d %020d"
	positionSize   = 8 + 1 + 20 + 1 + 20 + 1
)

// open reads it. What is not as it was written is no position: then all that is
// there comes again.
func (p *position) open(root *os.Root) (known bool, err error) {
	p.file, err = root.OpenFile(positionName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, err
	}
	line := make([]byte, positionSize)
	if _, err := io.ReadFull(io.NewSectionReader(p.file, 0, positionSize), line); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil
		}
		return false, err
	}
	return p.parse(line), nil
}

func (p *position) parse(line []byte) bool {
	text, ok := held(line)
	if !ok {
		return false
	}
	var segment uint64
	var offset int64
	if n, err := fmt.Sscanf(string(text), "%d %d", &segment, &offset); n != 2 || err != nil || offset < 0 {
		return false
	}
	p.segment, p.offset = segment, offset
	return true
}

// set takes note of it. One write, of less than a block: a program that is killed
// leaves the last position, or this one.
func (p *position) set(segment uint64, offset int64) error {
	p.segment, p.offset = segment, offset
	_, err := p.file.WriteAt(appendLine(nil, fmt.Appendf(nil, positionFormat, segment, offset)), 0)
	return err
}

func (p *position) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}
