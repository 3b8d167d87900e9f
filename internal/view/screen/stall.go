package screen

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// gauge is a terminal, and how much it has taken.
type gauge struct {
	*os.File
	taken atomic.Int64
}

// Write writes large frames in parts, so that it can be told whether the terminal takes any.
func (g *gauge) Write(b []byte) (n int, err error) {
	const step = 4096
	for n < len(b) && err == nil {
		var took int
		took, err = g.File.Write(b[n:min(n+step, len(b))])
		n += took
		g.taken.Add(int64(took))
	}
	return n, err
}

// WriteString is Write.
func (g *gauge) WriteString(s string) (int, error) { return g.Write([]byte(s)) }

// patience is how long a terminal may take no output while it is given back. A slow one
// takes it by 8 KiB, which is what a pseudo-terminal holds (drivers/tty/pty.c).
const patience = 5 * time.Second

var errStalled = fmt.Errorf("the terminal took no output for %v", patience)

// await waits until the terminal has been given back. One that takes no output, as when
// a connection stalls, loses what it has not taken: a write waits for that.
func (s *Screen) await() error {
	var stalled error
	for wait := patience; ; {
		before := s.out.taken.Load()
		select {
		case <-s.ended:
			return stalled
		case <-time.After(wait):
		}
		if stalled == nil && s.out.taken.Load() != before {
			continue // it is slow
		}
		stalled, wait = errStalled, 100*time.Millisecond
		s.out.discard()
	}
}

// discard lets go of what the terminal has not taken.
func (g *gauge) discard() {
	fd := int(g.Fd())
	_ = unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCOFLUSH)
	// That wakes nobody who waits to write; starting does (__start_tty, drivers/tty/tty_io.c).
	_ = unix.IoctlSetInt(fd, unix.TCXONC, unix.TCOOFF)
	_ = unix.IoctlSetInt(fd, unix.TCXONC, unix.TCOON)
}
