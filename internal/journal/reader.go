package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/ipctrace/ipctrace/internal/event"
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
// "-" is stdin. An error is yielded with the place in Line. It is the last, unless
// it is of one line that is too long: the lines behind it are read.
func Lines(name string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		at := Line{File: name, Number: 1}
		f, err := open(name)
		if err != nil {
			yield(at, err)
			return
		}
		defer f.Close()
		for line, err := range lines(f, at) {
			if !yield(line, err) {
				return
			}
		}
	}
}

// lines are those of what r has, which begins at a place.
func lines(r io.Reader, line Line) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		r := bufio.NewReaderSize(r, MaxLine)
		for {
			var err error
			line.Text, err = r.ReadSlice('\n')
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				err = errLong
			case errors.Is(err, io.EOF) && len(line.Text) == 0:
				return
			case errors.Is(err, io.EOF):
				line.Torn, err = true, nil
			}
			if !yield(line, err) || line.Torn || err != nil && !errors.Is(err, errLong) {
				return
			}
			line.Offset += int64(len(line.Text))
			line.Number++
			if errors.Is(err, errLong) {
				line.Offset += skip(r)
			}
		}
	}
}

// skip reads what is left of a line, and says how much that was. An error comes
// back with what is read next.
func skip(r *bufio.Reader) (length int64) {
	for {
		text, err := r.ReadSlice('\n')
		length += int64(len(text))
		if !errors.Is(err, bufio.ErrBufferFull) {
			return length
		}
	}
}

// lineHead is what every line begins with.
var lineHead = []byte(`{"v":1,"seq":`)

// head is how a line begins, without reading all of it: as event.AppendJSON
// writes it.
func head(text []byte) (seq uint64, typ event.Type, ok bool) {
	text, ok = bytes.CutPrefix(text, lineHead)
	if !ok {
		return 0, "", false
	}
	i := 0
	for ; i < len(text) && '0' <= text[i] && text[i] <= '9' && i < 20; i++ {
		seq = 10*seq + uint64(text[i]-'0')
	}
	const before = `"event":"`
	at := bytes.Index(text[:min(len(text), 128)], []byte(before))
	if i == 0 || at < 0 {
		return 0, "", false
	}
	text = text[at+len(before):]
	end := bytes.IndexByte(text[:min(len(text), 32)], '"')
	if end < 0 {
		return 0, "", false
	}
	return seq, typeOf(text[:end]), true
}

// typeOf allocates nothing for the types that matter here.
func typeOf(word []byte) event.Type {
	switch string(word) {
	case string(event.TraceSeal):
		return event.TraceSeal
	case string(event.TraceStart):
		return event.TraceStart
	case string(event.TraceStop):
		return event.TraceStop
	case string(event.TraceLost):
		return event.TraceLost
	case string(event.TraceState):
		return event.TraceState
	case string(event.NamespaceState):
		return event.NamespaceState
	case string(event.ObjectState):
		return event.ObjectState
	}
	return ""
}

// open opens a file to read what it holds, uncompressed.
func open(name string) (io.ReadCloser, error) {
	if name == "-" {
		return uncompressed(os.Stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	r, err := uncompressed(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// uncompressed is what a file holds; it takes the file over.
func uncompressed(f *os.File) (io.ReadCloser, error) {
	plain := bufio.NewReaderSize(f, 64<<10)
	magic, err := plain.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		r, err := gzip.NewReader(plain)
		return opened{r, f, func() {}}, err
	case string(magic) == "\x28\xb5\x2f\xfd":
		r, err := zstd.NewReader(plain, zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return nil, err
		}
		return opened{r, f, r.Close}, nil
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
