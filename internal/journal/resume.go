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
	"regexp"
	"strconv"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// ending is where a log goes on.
type ending struct {
	log      event.Log // of what is written next
	seq      uint64    // of the last line
	unsealed uint64    // lines behind the last seal
	chain    *chain    // behind it
	size     int64     // of the part, bytes
	begun    time.Time // the part; zero: it has not
}

// fresh is the ending of nothing.
func fresh() (*ending, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	return &ending{log: event.Log{ID: hex.EncodeToString(id), Part: 1}, chain: newChain()}, nil
}

// resume finds where the log goes on, and makes sure that its end is whole.
func (t *target) resume(cfg *Config) (*ending, error) {
	if !t.regular {
		return fresh()
	}
	torn, err := t.setAside()
	if err != nil {
		return nil, err
	}
	var end *ending
	if t.size == 0 {
		end, err = t.afterLastPart()
	} else {
		end, err = t.checkEnd()
	}
	if err != nil {
		return nil, err
	}
	end.log.Torn = torn
	if torn != nil {
		cfg.Warn(fmt.Sprintf("%s ended with half a line: its %d bytes are in %s", cfg.name(), torn.Bytes, torn.File))
	}
	return end, nil
}

// setAside takes half a line off the end, and keeps it in a file of its own.
func (t *target) setAside() (*event.Torn, error) {
	from, err := lineStart(t.file, t.size)
	if err != nil || from == t.size {
		return nil, err
	}
	half := make([]byte, t.size-from)
	if _, err := t.file.ReadAt(half, from); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s.torn-%d", t.base, from)
	var file *os.File
	for i := 2; file == nil; i++ {
		file, err = t.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			name = fmt.Sprintf("%s.torn-%d-%d", t.base, from, i)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	_, err = file.Write(half)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	if err := t.file.Truncate(from); err != nil {
		return nil, err
	}
	t.size = from
	sum := sha256.Sum256(half)
	return &event.Torn{File: name, Bytes: uint64(len(half)), SHA256: hex.EncodeToString(sum[:])}, nil
}

// lineStart is where the line begins that a file ends with, unless that is whole.
func lineStart(f io.ReaderAt, size int64) (int64, error) {
	block := make([]byte, min(size, MaxLine))
	from := size - int64(len(block))
	if _, err := f.ReadAt(block, from); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	at := bytes.LastIndexByte(block, '\n')
	if at < 0 && from > 0 {
		return 0, errNoLog
	}
	return from + int64(at) + 1, nil
}

// errNoLog refuses what was not recorded by this program.
var errNoLog = errors.New("not a log that ipctrace has recorded: record into another file")

// afterLastPart is where a log goes on whose last part is complete.
func (t *target) afterLastPart() (*ending, error) {
	parts, err := t.parts()
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return fresh()
	}
	last := parts[len(parts)-1]
	file, err := t.dir.Open(last.name)
	if err != nil {
		return nil, err
	}
	content, err := uncompressed(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", last.name, err), file.Close())
	}
	defer content.Close()
	end := &ending{chain: newChain()}
	for line, err := range lines(content, Line{}) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", last.name, err)
		}
		_, typ, _ := head(line.Text)
		if typ != event.TraceStart && typ != event.TraceSeal {
			continue
		}
		e, err := event.Parse(line.Text)
		switch {
		case err != nil:
		case e.Seal != nil:
			end.log.After = e.Seal.Hash
		case e.Start != nil && e.Start.Log != nil:
			end.log.ID, end.log.Part = e.Start.Log.ID, e.Start.Log.Part+1
		}
	}
	if end.log.ID == "" || end.log.After == "" {
		return nil, fmt.Errorf("%s: %w", last.name, errNoLog)
	}
	return end, nil
}

// checkEnd makes sure of the last segment of a log, and of what is behind it.
func (t *target) checkEnd() (*ending, error) {
	end := &ending{chain: newChain(), size: t.size}
	e := firstOf(lines(io.NewSectionReader(t.file, 0, t.size), Line{}))
	if e == nil || e.Start == nil || e.Start.Log == nil {
		return nil, fmt.Errorf("%s: %w", t.base, errNoLog)
	}
	end.log, end.begun = *e.Start.Log, e.Time
	from, err := lastSeals(t.file, t.size, 2)
	if err != nil {
		return nil, err
	}
	first := true
	for line, err := range lines(io.NewSectionReader(t.file, from, t.size-from), Line{Offset: from}) {
		if err == nil {
			err = end.add(line.Text, first && from > 0)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: its end does not hold (line at byte %d: %w): ipctrace verify tells more; record into another file",
				t.base, line.Offset, err)
		}
		first = false
	}
	return end, nil
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
		end.chain.line(text)
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
	end.log.After = seal.Hash
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
			if n--; n == 0 {
				return from + int64(line) + 1, nil
			}
		}
	}
	return 0, nil
}

// complete is a part that is complete.
type complete struct {
	name   string
	number uint64
}

// parts are those beside the log that are complete, in their order.
func (t *target) parts() ([]complete, error) {
	dir, err := t.dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	return partsAmong(names, t.base), nil
}

var partNumber = regexp.MustCompile(`^\.([0-9]{6,})(\.gz|\.zst)?$`)

func partsAmong(names []string, base string) []complete {
	var parts []complete
	for _, name := range names {
		if len(name) <= len(base) || name[:len(base)] != base {
			continue
		}
		m := partNumber.FindStringSubmatch(name[len(base):])
		if m == nil {
			continue
		}
		if n, err := strconv.ParseUint(m[1], 10, 32); err == nil {
			parts = append(parts, complete{name, n})
		}
	}
	sortParts(parts)
	return parts
}
