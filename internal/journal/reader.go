package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// MaxLine is the length of the longest line that is read, in bytes, with its
// newline. The longest that is written is a seal.
const MaxLine = 1 << 20

// Line is one line of a log.
type Line struct {
	File   string
	Number int    // in the file, from 1
	Offset int64  // of its first byte in the file, uncompressed
	Text   []byte // with its newline, if it has one; valid until the next line is read
	Torn   bool   // the file ends without a newline here
}

// errLong is a line that is longer than MaxLine.
var errLong = fmt.Errorf("line longer than %d bytes", MaxLine)

// Lines are those of a file, which may be compressed with gzip or zstd; the name
// "-" is stdin. An error is the last that is yielded, with the place in Line.
func Lines(name string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		line := Line{File: name, Number: 1}
		f, err := open(name)
		if err != nil {
			yield(line, err)
			return
		}
		defer f.Close()
		r := bufio.NewReaderSize(f, MaxLine)
		for {
			line.Text, err = r.ReadSlice('\n')
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				err = errLong
			case errors.Is(err, io.EOF) && len(line.Text) == 0:
				return
			case errors.Is(err, io.EOF):
				line.Torn, err = true, nil
			}
			if !yield(line, err) || err != nil || line.Torn {
				return
			}
			line.Offset += int64(len(line.Text))
			line.Number++
		}
	}
}

// open opens a file to read what it holds, uncompressed.
func open(name string) (io.ReadCloser, error) {
	f := os.Stdin
	if name != "-" {
		var err error
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
	}
	plain := bufio.NewReaderSize(f, 64<<10)
	magic, err := plain.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		r, err := gzip.NewReader(plain)
		return opened{r, f, func() {}}, err
	case string(magic) == "\x28\xb5\x2f\xfd":
		r, err := zstd.NewReader(plain, zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
		return opened{r, f, r.Close}, err
	}
	return opened{plain, f, func() {}}, nil
}

// opened is a file and what uncompresses it.
type opened struct {
	io.Reader
	file *os.File
	end  func()
}

func (o opened) Close() error {
	o.end()
	return o.file.Close()
}
