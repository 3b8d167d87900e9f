package journal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// writer brings batches to the file, and fills in their seals. One goroutine.
type writer struct {
	cfg      *Config
	target   *target
	chain    *chain
	keeper   *keeper
	paused   bool
	astray   bool          // the file is not where it was, and people know
	err      error         // of what is done aside
	hopeless chan struct{} // closed when nobody waits any more

	written  atomic.Uint64 // seq of the last line that is in the file
	progress atomic.Uint64 // bytes, and what else shows that something goes on
}

func newWriter(cfg *Config, t *target, end *ending) *writer {
	w := &writer{cfg: cfg, target: t, chain: end.chain, keeper: newKeeper(cfg), hopeless: make(chan struct{})}
	w.written.Store(end.seq)
	return w
}

// blankHash stands for one that is not known yet.
var blankHash = strings.Repeat("0", hashDigits)

// errHopeless ends the waiting for a file that takes nothing.
var errHopeless = errors.New("nobody waits any more")

// put writes a batch. Only an error that ends the log is one.
func (w *writer) put(b batch) error {
	from, at := 0, 0
	var seal []byte
	for _, s := range b.seams {
		w.lines(b.bytes[at:s.from])
		seal = b.bytes[s.from:s.to]
		hash := w.chain.complete(seal, w.cfg.Key)
		at = s.to
		if s.then == goOn {
			continue
		}
		if err := w.write(b.bytes[from:at]); err != nil {
			return err
		}
		full := w.target
		if err := w.next(s.then); err != nil {
			return err
		}
		w.keeper.complete(full, s.then, seal)
		if after, _ := value(b.bytes[at:], "after", hashDigits); after != nil {
			copy(after, hash)
		}
		w.chain.restart()
		from, seal = at, nil
	}
	w.lines(b.bytes[at:])
	if err := w.write(b.bytes[from:]); err != nil {
		return err
	}
	w.written.Store(b.seq)
	return w.settle(seal)
}

// lines takes those between seals into the chain.
func (w *writer) lines(text []byte) {
	for line := range bytes.Lines(text) {
		w.chain.line(line)
	}
}

// settle brings what was written to the disk, as it was asked for.
func (w *writer) settle(seal []byte) error {
	if w.cfg.Fsync == FsyncAlways && w.target.regular {
		for err := w.target.file.Sync(); err != nil; err = w.target.file.Sync() {
			if err := w.pause(err); err != nil {
				return err
			}
		}
		w.resume()
	}
	if seal != nil {
		w.keeper.sealed(w.target, seal)
		w.lookAround()
	}
	return nil
}

// lookAround tells if somebody has taken the file away, and so lost what is
// written to it.
func (w *writer) lookAround() {
	if moved := w.target.moved(); moved != w.astray {
		w.astray = moved
		if moved {
			w.cfg.Warn(w.cfg.name() + " was moved or deleted, and is still written to: send SIGHUP to begin a new one")
		}
	}
}

// write writes all of b, however long the disk is full.
func (w *writer) write(b []byte) error {
	for len(b) > 0 {
		n, err := w.target.write(b)
		w.progress.Add(uint64(n))
		b = b[n:]
		switch {
		case err == nil:
		case errors.Is(err, syscall.EPIPE):
			return err
		default:
			if err := w.pause(err); err != nil {
				return err
			}
		}
	}
	w.resume()
	return nil
}

// next begins the next part, however long that fails.
func (w *writer) next(then then) error {
	for {
		next, err := w.target.next(then)
		if err == nil {
			w.target, w.astray = next, false
			w.resume()
			return nil
		}
		if err := w.pause(err); err != nil {
			return err
		}
	}
}

// retry is how often a full disk is tried.
const retry = 200 * time.Millisecond

// pause waits for a disk to take more.
func (w *writer) pause(err error) error {
	if !w.paused {
		w.paused = true
		w.cfg.Warn(fmt.Sprintf("%s: %v: recording pauses; what does not fit into the queue meanwhile is lost, and counted", w.cfg.name(), brief(err)))
	}
	select {
	case <-w.hopeless:
		return errHopeless
	case <-time.After(retry):
		return nil
	}
}

func (w *writer) resume() {
	if w.paused {
		w.paused = false
		w.cfg.Warn(w.cfg.name() + ": recording goes on")
	}
}

// close brings all to the disk.
func (w *writer) close() { w.err = w.keeper.close(w.target, &w.progress) }

// brief is what went wrong, without the name of the file.
func brief(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
