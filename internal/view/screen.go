package view

import (
	"io"
	"os"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// FrameInterval is how far apart frames should be: the caller of [Screen.Draw]
// keeps a ticker, and may draw at once when the terminal changes its size.
const FrameInterval = 250 * time.Millisecond

// Screen is the live screen of a terminal. Not for concurrent use.
type Screen struct {
	w    io.Writer
	size Size
	opts Options
	rate rate
	open bool
}

// NewScreen takes over the terminal behind w until Close, which has to be called
// whatever happens. Without size, w is asked when it is a file.
func NewScreen(w io.Writer, size Size, opts Options) (*Screen, error) {
	if f, ok := w.(*os.File); ok && size == nil {
		size = TerminalSize(f)
	}
	s := &Screen{w: w, size: size, opts: opts.orDefault(), open: true}
	if _, err := io.WriteString(w, enterScreen); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Draw shows a frame, in one Write.
func (s *Screen) Draw(inv *inventory.Inventory, st Status) error {
	columns, rows := s.dimensions()
	st.rate = s.rate.at(st.Now, inv.Totals().Events)
	rowsText, err := frame(inv, st, columns, rows, s.opts)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(home)
	for i, r := range rowsText {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(r.render(s.opts.Color))
		// Behind the last column it would erase that column.
		if width(r.text) < columns {
			b.WriteString(endOfLine)
		}
	}
	b.WriteString(home) // what is typed is echoed there: it must not scroll
	_, err = io.WriteString(s.w, b.String())
	return err
}

// dimensions of the terminal. One that does not know its own, like many serial
// lines, has what terminals used to have.
func (s *Screen) dimensions() (columns, rows int) {
	if s.size != nil {
		var err error
		if columns, rows, err = s.size(); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return 80, 24
}

// Close gives the terminal back as it was. It may be called again, and on nil.
func (s *Screen) Close() error {
	if s == nil || !s.open {
		return nil
	}
	s.open = false
	_, err := io.WriteString(s.w, leaveScreen)
	return err
}
