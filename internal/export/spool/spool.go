// Package spool is a queue of lines on disk: what waits there outlives the program
// that put it there. It is bounded, and is read oldest first. What is taken from it
// stays until that is said to be done; so after a crash lines come twice rather than
// never.
//
// Lines are in segments, files that are only appended to, and each has a check sum.
// What has been done with is in the file "position". A line that is not as it was
// written, as the torn one behind which a program was killed, is set aside in the
// file "damaged", counted, and passed over.
package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrFull is that there is no room for more.
var ErrFull = errors.New("the spool is full")

// Config says where a spool is.
type Config struct {
	Dir   string // is made, for its owner alone
	Limit int64  // bytes of all segments; at least MinLimit
	Warn  func(text string)
}

// MinLimit of a spool, in bytes.
const MinLimit = 64 << 10

// Spool is one that is open. Its methods may be called by several goroutines, Next
// and Done by one.
type Spool struct {
	cfg     Config
	segment int64 // bytes after which a segment is complete
	root    *os.Root
	lock    *os.File // the directory

	mu       sync.Mutex   // guards all below
	segments []*segment   // the oldest first
	last     *os.File     // of the last segment, to append to; nil: the next line begins one
	next     uint64       // number of the next segment
	bytes    atomic.Int64 // of all segments; read without mu
	position position
	ahead    []int64  // where the lines end that Next has given last, in the first segment
	first    *os.File // of the first segment, to read from; nil: not open
	unsynced bool     // something was appended
	newNames bool     // a segment was made
	damaged  uint64   // lines
	told     error    // what people were told of last
}

// Open opens a spool, or makes one. What was left in it comes first. Only one
// program may have it open.
func Open(cfg Config) (*Spool, error) {
	if cfg.Limit < MinLimit {
		return nil, fmt.Errorf("spool of %d bytes: must be %d or more", cfg.Limit, MinLimit)
	}
	root, err := openDirectory(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Spool{cfg: cfg, root: root, segment: min(max(cfg.Limit/16, MinLimit/4), 8<<20)}
	if err := s.claim(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if err := s.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", cfg.Dir, err), s.Close())
	}
	return s, nil
}

// openDirectory makes sure that nobody else can read or alter what is in it.
func openDirectory(dir string) (*os.Root, error) {
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(dir)), 0o755); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("spool: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	info, err := root.Stat(".")
	if err == nil {
		err = ownAlone(dir, info)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

func ownAlone(dir string, info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("spool %s belongs to another user (%d): name a directory of your own", dir, stat.Uid)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("others may look into the spool %s: chmod 700 %s", dir, dir)
	}
	return nil
}

// claim makes sure that no other program uses it.
func (s *Spool) claim() error {
	dir, err := s.root.Open(".")
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("another ipctrace uses the spool %s: name another directory", s.cfg.Dir)
	}
	if err != nil {
		return errors.Join(err, dir.Close())
	}
	s.lock = dir
	return nil
}

// Append takes in lines, without newlines, and says how many of them are in the
// kernel's hands: with ErrFull, or another error, not all are. See Sync.
func (s *Spool) Append(texts [][]byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	done := 0
	for done < len(texts) {
		n, err := s.append(texts[done:])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// append appends as many as the last segment takes.
func (s *Spool) append(texts [][]byte) (int, error) {
	room := s.cfg.Limit - s.bytes.Load()
	var b []byte
	var ends []int
	for _, text := range texts {
		size := int64(len(text) + frame)
		if int64(len(b))+size > room || len(text) > MaxLine {
			break
		}
		b = appendLine(b, text)
		ends = append(ends, len(b))
		if s.last != nil && s.segments[len(s.segments)-1].size+int64(len(b)) >= s.segment || int64(len(b)) >= s.segment {
			break
		}
	}
	if len(ends) == 0 {
		return 0, ErrFull
	}
	if s.last == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	return s.write(b, ends)
}

// write leaves no half a line behind, as far as it can.
func (s *Spool) write(b []byte, ends []int) (int, error) {
	seg := s.segments[len(s.segments)-1]
	n, err := s.last.Write(b)
	whole, lines := 0, 0
	for _, end := range ends {
		if end <= n {
			whole, lines = end, lines+1
		}
	}
	torn := whole < n && s.last.Truncate(seg.size+int64(whole)) != nil
	if torn {
		whole = n // the half is passed over when it is read, if nothing is behind it
	}
	seg.size += int64(whole)
	seg.lines += uint64(lines)
	s.bytes.Add(int64(whole))
	s.unsynced = s.unsynced || whole > 0
	if torn || seg.size >= s.segment {
		err = errors.Join(err, s.complete())
	}
	return lines, err
}

// begin makes a segment.
func (s *Spool) begin() error {
	seg := &segment{number: s.next}
	file, err := s.root.OpenFile(seg.name(), os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.next++
	s.last, s.newNames = file, true
	s.segments = append(s.segments, seg)
	return nil
}

// complete ends the last segment: the next line begins another.
func (s *Spool) complete() error {
	if s.last == nil {
		return nil
	}
	err := errors.Join(s.sync(), s.last.Close())
	s.last = nil
	return err
}

// Sync brings to the disk what was appended.
func (s *Spool) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sync()
}

func (s *Spool) sync() error {
	if s.last != nil && s.unsynced {
		if err := s.last.Sync(); err != nil {
			return err
		}
		s.unsynced = false
	}
	if s.newNames {
		if err := s.lock.Sync(); err != nil {
			return err
		}
		s.newNames = false
	}
	return nil
}

// Lines is how many wait.
func (s *Spool) Lines() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint64(0)
	for _, seg := range s.segments {
		n += seg.lines
	}
	return n
}

// Bytes is how much room the segments take. It does not wait for the disk.
func (s *Spool) Bytes() int64 { return s.bytes.Load() }

// Damaged is how many lines, whole or torn, were found not to be as they were
// written.
func (s *Spool) Damaged() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damaged
}

// Close brings all to the disk, and lets another program have the spool.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.complete()
	if s.first != nil {
		err = errors.Join(err, s.first.Close())
		s.first = nil
	}
	err = errors.Join(err, s.position.close())
	return errors.Join(err, s.lock.Close(), s.root.Close())
}

// warn tells people what is wrong, once.
func (s *Spool) warn(err error) {
	if err == nil || s.told != nil && s.told.Error() == err.Error() {
		return
	}
	s.told = err
	s.cfg.Warn(fmt.Sprintf("spool %s: %v", s.cfg.Dir, err))
}
