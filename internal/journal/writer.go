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
	link     []byte        // the hash of the last seal, that the next line names; nil: it names none
	err      error         // of what is done aside
	hopeless chan struct{} // closed when nobody waits any more

	written  atomic.Uint64 // lines that are in the file
	events   atomic.Uint64 // of these, events of objects and namespaces
	progress atomic.Uint64 // bytes
	writing  atomic.Bool   // else what is left to do is done aside
}

func newWriter(cfg *Config, t *target, end *ending) *writer {
	w := &writer{cfg: cfg, target: t, chain: end.chain, keeper: newKeeper(cfg, t.dir, end.parts), hopeless: make(chan struct{})}
	w.writing.Store(true)
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
		if s.named {
			w.link = bytes.Clone(hash)
		}
		if !s.ends {
			continue
		}
		if err := w.nextPart(b.bytes[from:at], seal); err != nil {
			return err
		}
		from, seal = at, nil
	}
	w.lines(b.bytes[at:])
	if err := w.write(b.bytes[from:]); err != nil {
		return err
	}
	w.written.Store(b.lines)
	w.events.Store(b.events)
	return w.settle(seal)
}

// nextPart writes the rest of a part, which ends with a seal, and begins another.
func (w *writer) nextPart(rest, seal []byte) error {
	if err := w.write(rest); err != nil {
		return err
	}
	if err := w.sync(); err != nil {
		return err
	}
	full := w.target
	if err := w.next(); err != nil {
		return err
	}
	w.keeper.complete(full, seal)
	w.chain.restart()
	return nil
}

// lines takes those between seals into the chain. The first one behind a seal may
// have to name it.
func (w *writer) lines(text []byte) {
	if w.link != nil && len(text) > 0 {
		first, _, _ := bytes.Cut(text, []byte("\n"))
		if after, _ := value(first, "after", hashDigits); after != nil {
			copy(after, w.link)
		}
		w.link = nil
	}
	w.chain.lines(text)
}

// sync brings what was written to the disk, if that was asked for at once.
func (w *writer) sync() error {
	if w.cfg.Fsync != FsyncAlways || !w.target.regular {
		return nil
	}
	for err := w.target.file.Sync(); err != nil; err = w.target.file.Sync() {
		if err := w.pause(err); err != nil {
			return err
		}
	}
	w.resume()
	return nil
}

// settle does what is to be done behind a seal; nil: there was none.
func (w *writer) settle(seal []byte) error {
	if err := w.sync(); err != nil {
		return err
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
func (w *writer) next() error {
	for {
		next, err := w.target.next()
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
func (w *writer) close() {
	w.writing.Store(false)
	w.err = w.keeper.close(w.target)
}

// brief is what went wrong, without the name of the file.
func brief(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}
