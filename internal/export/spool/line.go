package spool

import (
	"bufio"
	"errors"
	"hash/crc32"
	"io"
	"strconv"
)

// A line is eight hexadecimal digits, the CRC-32C of the rest, a blank, the rest,
// a newline.
const frame = 8 + 1 + 1 // bytes besides what it holds

// MaxLine is how long a line may be that is taken in, and read again, in bytes.
const MaxLine = 16 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendLine appends one that holds text, which has no newline.
func appendLine(b, text []byte) []byte {
	const digits = "0123456789abcdef"
	sum := crc32.Checksum(text, castagnoli)
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, digits[sum>>shift&0xf])
	}
	return append(append(append(b, ' '), text...), '\n')
}

// held is what a line holds; false: it is not as it was written.
func held(line []byte) ([]byte, bool) {
	if len(line) < frame || line[8] != ' ' || line[len(line)-1] != '\n' {
		return nil, false
	}
	sum, err := strconv.ParseUint(string(line[:8]), 16, 32)
	text := line[9 : len(line)-1]
	return text, err == nil && uint32(sum) == crc32.Checksum(text, castagnoli)
}

// lines reads lines one after the other.
type lines struct {
	r    *bufio.Reader
	room []byte
}

// next is the text of a line, valid until the next call, and how many bytes it
// took. Where those are no line as it was written, nil: of one that is too long, or
// that the file ends in, as much as there is. The error is io.EOF, or the file's.
func (l *lines) next() (text []byte, size int64, err error) {
	l.room = l.room[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		size += int64(len(part))
		if len(l.room) < MaxLine+frame { // else the rest of it is passed over
			l.room = append(l.room, part...)
		}
		switch {
		case err == nil:
			text, ok := held(l.room)
			if !ok || int64(len(l.room)) != size {
				text = nil
			} else if text == nil {
				text = []byte{}
			}
			return text, size, nil
		case errors.Is(err, io.EOF) && size > 0:
			return nil, size, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, size, err
		}
	}
}
