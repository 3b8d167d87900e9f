package journal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"golang.org/x/sys/unix"
)

// ending is where a log goes on.
type ending struct {
	log      event.Log // of what is written next
	seq      uint64    // of the last line
	unsealed uint64    // lines behind the last seal
	chain    *chain    // behind it
	size     int64     // of the part, bytes
	begun    time.Time // the part; zero: it has not
	key      string    // that the last seal is signed with; "": with none
	sealed   bool      // there is one
	parts    []string  // names of those that are complete, the oldest first, where the log rotates
}

// fresh is the ending of nothing, in a file of that name.
func fresh(file string) (*ending, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	return &ending{log: event.Log{ID: hex.EncodeToString(id), File: file, Part: 1}, chain: newChain()}, nil
}

// resume finds where the log goes on, and makes sure that its end is whole. Not
// before is half a line at the end touched.
func (t *target) resume(cfg *Config) (*ending, error) {
	if !t.regular {
		return fresh("")
	}
	whole, err := lineStart(t.file, t.size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.base, err)
	}
	var end *ending
	if whole == 0 {
		end, err = t.afterLastPart(cfg)
	} else {
		end, err = t.checkEnd(whole)
	}
	if err != nil {
		return nil, err
	}
	aside := t.asideName(whole, &end.log)
	if err := t.setAside(whole, aside); err != nil {
		return nil, fmt.Errorf("half a line at the end of %s: %w", t.base, err)
	}
	if end.log.Torn, err = t.aside(aside); err != nil {
		return nil, err
	}
	end.compare(cfg)
	if torn := end.log.Torn; torn != nil {
		cfg.Warn(fmt.Sprintf("%s ended with half a line: it is in %s", cfg.name(), torn.File))
	}
	return end, nil
}

// compare says when what comes is not signed as what is there.
func (end *ending) compare(cfg *Config) {
	before, now := end.key, ""
	if cfg.Key != nil {
		now = publicHex(cfg.Key)
	}
	switch {
	case !end.sealed || before == now:
	case before == "":
		cfg.Warn(cfg.name() + " is signed from here on: what is there already is signed by nobody")
	case now == "":
		cfg.Warn(cfg.name() + " is not signed from here on: what is there already is, with " + before)
	default:
		cfg.Warn(cfg.name() + " is signed with another key from here on: what is there already is with " + before)
	}
}

// asideName is where half a line is kept that the log ended with, in this part of it.
func (t *target) asideName(from int64, log *event.Log) string {
	return fmt.Sprintf("%s.torn-%.8s-%d-%d", t.base, log.ID, log.Part, from)
}

// setAside takes half a line off the end, behind what others left there that died
// before they could tell of it.
func (t *target) setAside(from int64, name string) error {
	if from == t.size {
		return nil
	}
	if t.size-from > mostAside {
		return fmt.Errorf("%d bytes that are no line of a log: cut them off", t.size-from)
	}
	half := make([]byte, t.size-from)
	if _, err := t.file.ReadAt(half, from); err != nil {
		return err
	}
	t.size = from
	file, err := t.dir.open(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	had, err := io.ReadAll(io.LimitReader(file, mostAside))
	if err == nil && !bytes.HasSuffix(had, half) { // else it was kept, and not yet taken off
		_, err = file.Write(half)
	}
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return t.file.Truncate(from)
}

// mostAside bounds what is set aside, in bytes: half a line, and the NULs of a
// write that did not get to the disk.
const mostAside = 64 << 20

// aside is half a line of which the log does not tell yet: the file ends where it
// was taken off.
func (t *target) aside(name string) (*event.Torn, error) {
	stat, err := t.dir.stat(name)
	if err != nil || !ownFile(stat) {
		return nil, nil //nolint:nilerr // there is none
	}
	file, err := t.dir.open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, file)
	if err != nil {
		return nil, err
	}
	return &event.Torn{File: name, Bytes: uint64(n), SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// written is how much of a file is, before the NULs at its end: when power is lost,
// its length may be on the disk and what was written not.
func written(f io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, 64<<10)
	for size > 0 {
		b := block[:min(size, int64(len(block)))]
		if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
			return 0, err
		}
		kept := bytes.TrimRight(b, "\x00")
		size -= int64(len(b) - len(kept))
		if len(kept) > 0 {
			break
		}
	}
	return size, nil
}

// lineStart is where the line begins that a file ends with, unless that is whole.
func lineStart(f io.ReaderAt, size int64) (int64, error) {
	size, err := written(f, size)
	if err != nil {
		return 0, err
	}
	block := make([]byte, min(size, MaxLine))
	from := size - int64(len(block))
	if _, err := f.ReadAt(block, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	at := bytes.LastIndexByte(block, '\n')
	begins := block[:min(len(block), len(lineHead))]
	if at < 0 && (from > 0 || !bytes.HasPrefix(lineHead, begins)) {
		return 0, errNoLog
	}
	return from + int64(at) + 1, nil
}

// errNoLog refuses what was not recorded by this program.
var errNoLog = errors.New("not a log that ipctrace has recorded: record into another file")

// afterLastPart is where a log goes on whose last part is complete: this program
// has begun another, or logrotate has moved it.
func (t *target) afterLastPart(cfg *Config) (*ending, error) {
	parts, err := t.dir.parts(t.base)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return fresh(t.base)
	}
	last := parts[len(parts)-1]
	file, err := t.dir.open(last.name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("another ipctrace still records into %s: send it SIGHUP, or end it", last.name)
		return nil, errors.Join(err, file.Close())
	}
	content, err := uncompressed(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", last.name, err), file.Close())
	}
	defer content.Close()
	end := &ending{log: last.log, chain: newChain()}
	if err := end.addAll(content, Line{File: last.name}); err != nil {
		return nil, err
	}
	if end.unsealed > 0 {
		cfg.Warn(fmt.Sprintf("%s ends with %d lines that nothing vouches for: to have them sealed it should have kept its name", last.name, end.unsealed))
	}
	if !end.sealed { // nothing to go on behind
		return fresh(t.base)
	}
	if !last.named(t.base) {
		cfg.Warn(cfg.name() + " goes on behind " + last.name)
	}
	log := event.Log{ID: last.log.ID, File: t.base, Part: last.log.Part + 1, After: end.log.After}
	return &ending{log: log, chain: newChain(), key: end.key, sealed: end.sealed}, nil
}

// addAll takes in the lines of what r has, which begins at a place.
func (end *ending) addAll(r io.Reader, at Line) error {
	given := at.Offset > 0
	for line, err := range lines(r, at) {
		switch {
		case line.Torn: // in a part that was moved: it stays there
			end.unsealed++
		case err == nil:
			err = end.add(line.Text, given)
		}
		if err != nil {
			return fmt.Errorf("%s: its end does not hold (line at byte %d: %w): ipctrace verify tells more; record into another file",
				at.File, line.Offset, err)
		}
		given = false
	}
	return nil
}

// checkEnd makes sure of the last segment of a log, and of what is behind it, up
// to where it ends with whole lines.
func (t *target) checkEnd(size int64) (*ending, error) {
	end := &ending{chain: newChain(), size: size}
	e := firstOf(lines(io.NewSectionReader(t.file, 0, size), Line{}))
	if e == nil || e.Start == nil || e.Start.Log == nil {
		return nil, fmt.Errorf("%s: %w", t.base, errNoLog)
	}
	end.log, end.begun = *e.Start.Log, e.Time
	from, err := lastSeals(t.file, size, 2)
	if err != nil {
		return nil, err
	}
	return end, end.addAll(io.NewSectionReader(t.file, from, size-from), Line{File: t.base, Offset: from})
}

var (
	errNoEvent = errors.New("not a line of a log")
	errSeq     = errors.New("lines are missing before it")
	errNoSeal  = errors.New("too many lines without a seal")
)

// add takes in a line; given: it is the seal that the check begins with.
func (end *ending) add(text []byte, given bool) error {
	seq, typ, ok := head(text)
	if !ok {
		return errNoEvent
	}
	begins := typ == event.TraceStart && seq == 1
	if end.seq != 0 && seq != end.seq+1 && !begins {
		return errSeq
	}
	end.seq = seq
	if typ != event.TraceSeal {
		if _, err := event.Parse(text); err != nil {
			return errNoEvent
		}
		end.chain.lines(text)
		if end.unsealed++; end.unsealed > mostUnsealed {
			return errNoSeal
		}
		return nil
	}
	seal, err := end.chain.check(text)
	if given && errors.Is(err, errSealed) { // what it seals is before where the check begins
		err = nil
	}
	if err != nil {
		return err
	}
	end.log.After, end.key, end.sealed = seal.Hash, seal.Key, true
	end.chain.after(text)
	end.unsealed = 0
	return nil
}

// mostUnsealed is how many lines can follow a seal: those that are sealed by the
// next, and what is told with them of losses, starts and stops.
const mostUnsealed = 2 * sealLines

// sealMark is in the line of every seal, and in no other: quotes in texts are
// escaped.
var sealMark = []byte(`"event":"trace.seal",`)

// lastSeals is where the line of the nth seal from the end begins, or 0 where
// there are fewer.
func lastSeals(f io.ReaderAt, size int64, n int) (int64, error) {
	const step, overlap = 256 << 10, 256 // the mark is in the first 128 bytes of its line
	block := make([]byte, step+overlap)
	last := int64(-1)
	for end := size; end > 0; end -= min(end, step) {
		from := max(0, end-step-overlap)
		b := block[:end-from]
		if _, err := f.ReadAt(b, from); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		for at := bytes.LastIndex(b, sealMark); at >= 0; at = bytes.LastIndex(b[:at], sealMark) {
			line := bytes.LastIndexByte(b[:at], '\n')
			if line < 0 && from > 0 {
				break // it is whole in the next block
			}
			start := from + int64(line) + 1
			if start == last {
				continue // blocks overlap
			}
			last = start
			if n--; n == 0 {
				return start, nil
			}
		}
	}
	return 0, nil
}
