package spool

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// segment is a file of lines.
type segment struct {
	number uint64
	size   int64  // bytes
	lines  uint64 // that wait, and are as they were written
}

const suffix = ".spool"

func (s *segment) name() string { return fmt.Sprintf("%020d%s", s.number, suffix) }

// numberOf a segment, by its name.
func numberOf(name string) (uint64, bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseUint(digits, 10, 63)
	return n, ok && err == nil && len(digits) == 20
}

// recover finds what another has left.
func (s *Spool) recover() error {
	known, err := s.position.open(s.root)
	if err != nil {
		return err
	}
	if !known {
		s.position.segment, s.position.offset = 0, 0
	}
	names, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	s.next = s.position.segment
	for _, name := range names {
		n, ok := numberOf(name.Name())
		if !ok {
			continue
		}
		seg := &segment{number: n}
		if n < s.position.segment { // done with, but for the deletion
			if err := s.root.Remove(seg.name()); err != nil {
				return err
			}
			continue
		}
		s.segments = append(s.segments, seg)
	}
	slices.SortFunc(s.segments, func(a, b *segment) int { return int(int64(a.number) - int64(b.number)) })
	for _, seg := range s.segments {
		if err := s.look(seg); err != nil {
			return err
		}
		s.bytes.Add(seg.size)
		s.next = max(s.next, seg.number+1)
	}
	switch {
	case len(s.segments) == 0: // the next one may get the number of the one that is gone
		s.position.offset = 0
	case !known || s.segments[0].number > s.position.segment:
		s.position.segment, s.position.offset = s.segments[0].number, 0
	}
	if !known { // its room, while there is some
		s.warn(s.position.set(s.position.segment, s.position.offset))
	}
	if s.damaged > 0 {
		s.cfg.Warn(fmt.Sprintf("spool %s: %d lines are not as they were written: set aside in %s, and lost", s.cfg.Dir, s.damaged, asideName))
	}
	return nil
}

// look counts the lines of a segment, and sets aside those that are none. A torn one
// at its end is cut off.
func (s *Spool) look(seg *segment) error {
	file, err := s.root.OpenFile(seg.name(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if seg.number == s.position.segment {
		seg.size = s.position.offset
	}
	if info, err := file.Stat(); err != nil || info.Size() < seg.size {
		seg.size = 0 // somebody has cut it: what is there comes again
		s.position.offset = 0
	}
	if _, err := file.Seek(seg.size, io.SeekStart); err != nil {
		return err
	}
	tail := seg.size // where the lines end that are as they were written
	all := lines{r: bufio.NewReaderSize(file, 64<<10)}
	for {
		text, n, err := all.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		seg.size += n
		if text != nil {
			seg.lines++
			tail = seg.size
			continue
		}
		s.damaged++
		s.setAside(all.room)
	}
	if tail < seg.size && file.Truncate(tail) == nil {
		seg.size = tail
	}
	return nil
}

const (
	asideName = "damaged"
	asideMost = 1 << 20 // bytes
)

// setAside keeps what is no line, for people to look at, while there is not much.
func (s *Spool) setAside(text []byte) {
	file, err := s.root.OpenFile(asideName, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Size()+int64(len(text)) > asideMost {
		return
	}
	_, _ = file.Write(append(bytes.TrimSuffix(text, []byte("\n")), '\n'))
}

// Next is the oldest lines: as many as there are, up to so many, with so many bytes
// or one more, in one segment. They stay until Done; else they come again. What
// can no longer be read is passed over: lost is how many lines that were.
func (s *Spool) Next(most int, size int) (texts [][]byte, lost uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.segments) > 0 {
		texts, err := s.read(most, size)
		if len(texts) > 0 {
			return texts, lost
		}
		seg := s.segments[0]
		if err == nil && len(s.segments) == 1 && s.last != nil && seg.lines == 0 {
			return nil, lost // all of it is done with
		}
		if err != nil {
			s.warn(fmt.Errorf("%w: what was in that segment is lost", err))
		}
		lost += seg.lines
		s.drop()
	}
	return nil, lost
}

// read reads from the first segment, behind what is done with.
func (s *Spool) read(most, size int) ([][]byte, error) {
	s.ahead = s.ahead[:0]
	seg := s.segments[0]
	if s.first == nil {
		file, err := s.root.Open(seg.name())
		if err != nil {
			return nil, err
		}
		s.first = file
	}
	at := s.position.offset
	all := lines{r: bufio.NewReaderSize(io.NewSectionReader(s.first, at, seg.size-at), 64<<10)}
	var texts [][]byte
	for bytes := 0; len(texts) < most && bytes < size; {
		text, n, err := all.next()
		at += n
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return texts, err
		}
		if text != nil {
			texts = append(texts, slices.Clone(text))
			s.ahead = append(s.ahead, at)
			bytes += len(text)
		}
	}
	return texts, nil
}

// Done lets go of the n oldest lines.
func (s *Spool) Done(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n > 0 && len(s.segments) > 0 {
		if len(s.ahead) == 0 {
			if texts, _ := s.read(n, MaxLine); len(texts) == 0 {
				s.drop()
				continue
			}
		}
		k := min(n, len(s.ahead))
		seg := s.segments[0]
		s.position.offset = s.ahead[k-1]
		s.ahead = s.ahead[k:]
		seg.lines -= min(uint64(k), seg.lines)
		n -= k
		if seg.lines == 0 {
			s.drop()
			continue
		}
		s.warn(s.position.set(s.position.segment, s.position.offset))
	}
}

// drop is the end of the first segment.
func (s *Spool) drop() {
	seg := s.segments[0]
	if len(s.segments) == 1 && s.last != nil {
		_ = s.last.Close()
		s.last, s.unsynced = nil, false
	}
	if s.first != nil {
		_ = s.first.Close()
		s.first = nil
	}
	s.ahead = s.ahead[:0]
	s.segments = s.segments[1:]
	s.bytes.Add(-seg.size)
	next := s.next
	if len(s.segments) > 0 {
		next = s.segments[0].number
	}
	s.warn(s.position.set(next, 0))
	if err := s.root.Remove(seg.name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.warn(err)
	}
}
