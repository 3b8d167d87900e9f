package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// target is the file of a part, or what else lines are written to.
type target struct {
	out     io.Writer
	file    *os.File   // nil: out is not ours to close
	dir     *directory // of the file
	base    string     // its name there
	regular bool       // it can be sealed, synced and rotated; a pipe cannot
	created bool       // it was not there before
	renamed bool       // it is complete, and called partName
	size    int64
	part    uint32
}

// write writes to the end. Where not all of it finds room, no half a line is
// left behind: n is how much of b need not be written again.
func (t *target) write(b []byte) (n int, err error) {
	n, err = t.out.Write(b)
	t.size += int64(n)
	if err == nil || n == 0 || !t.regular {
		return n, err
	}
	whole := bytes.LastIndexByte(b[:n], '\n') + 1
	if t.file.Truncate(t.size-int64(n-whole)) == nil {
		t.size -= int64(n - whole)
		return whole, err
	}
	return n, err
}

// close leaves nothing behind where nothing came to be recorded.
func (t *target) close() error {
	var err error
	if t.created && t.size == 0 {
		err = t.dir.remove(t.base)
	}
	return errors.Join(err, t.file.Close(), t.dir.close())
}

// moved says whether the name leads to another file now, or to none.
func (t *target) moved() bool {
	if !t.regular {
		return false
	}
	var own unix.Stat_t
	if unix.Fstat(int(t.file.Fd()), &own) != nil {
		return false
	}
	there, err := t.dir.stat(t.base)
	return err != nil || there.Ino != own.Ino || there.Dev != own.Dev
}

// next is the file of the next part. Called again after an error it goes on
// where it failed.
func (t *target) next() (*target, error) {
	if !t.renamed && !t.moved() {
		if err := t.dir.rename(t.base, partName(t.base, t.part)); err != nil {
			return nil, err
		}
		t.renamed = true
	}
	file, err := t.dir.open(t.base, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	next := &target{out: file, file: file, dir: t.dir, base: t.base, regular: true, part: t.part + 1}
	if err := next.claim(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if next.size > 0 || !next.regular {
		return nil, errors.Join(fmt.Errorf("%s is there already, and not empty: move it away", t.base), file.Close())
	}
	return next, nil
}

// claim makes sure that the file is ours alone to write.
func (t *target) claim() error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(t.file.Fd()), &stat); err != nil {
		return err
	}
	t.size = stat.Size
	t.regular = stat.Mode&unix.S_IFMT == unix.S_IFREG
	if !t.regular {
		return nil
	}
	if err := ownAlone(t.base, &stat); err != nil {
		return err
	}
	err := unix.Flock(int(t.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("another ipctrace records into %s: record into another file", t.base)
	}
	return err
}

// ownAlone says whether nobody else can alter a file.
func ownAlone(name string, stat *unix.Stat_t) error {
	switch {
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (%d), who could alter it: name a file of your own", name, stat.Uid)
	case stat.Mode&0o022 != 0:
		return fmt.Errorf("others may write to %s: chmod go-w %s", name, name)
	case stat.Nlink > 1:
		return fmt.Errorf("%s has another name too: name a file that has one", name)
	}
	return nil
}

// openTarget opens what a log is to be kept in, and finds where it goes on.
func openTarget(cfg *Config) (*target, *ending, error) {
	if cfg.File == "" {
		end, err := fresh("")
		return &target{out: cfg.Out, part: 1}, end, err
	}
	t, err := openFile(cfg.File)
	if err != nil {
		return nil, nil, err
	}
	end, err := t.begin(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, t.close())
	}
	t.part = end.log.Part
	return t, end, nil
}

// begin finds where the log goes on, in a place that is fit for it.
func (t *target) begin(cfg *Config) (*ending, error) {
	if cfg.rotates() && t.dir.shared() {
		return nil, fmt.Errorf("others may make files in %s, also under the names of old parts: rotate in a directory of your own",
			filepath.Dir(cfg.File))
	}
	if cfg.rotates() && !t.regular {
		return nil, fmt.Errorf("%s is no regular file, of which there could be parts: leave out rotation", t.base)
	}
	if longest := len(partName(t.base, 1)) + len(suffixes[cfg.Compress]) + len(unfinished); cfg.rotates() && longest > unix.NAME_MAX {
		return nil, fmt.Errorf("%s: too long a name, as old parts have longer ones: shorten it by %d", t.base, longest-unix.NAME_MAX)
	}
	end, err := t.resume(cfg)
	if err != nil {
		return nil, err
	}
	if cfg.rotates() {
		if end.parts, err = t.tidy(end.log.ID); err != nil {
			return nil, err
		}
	}
	if t.created && cfg.Fsync != FsyncNone {
		return end, t.dir.sync()
	}
	return end, nil
}

func (c *Config) rotates() bool { return c.RotateSize > 0 || c.RotateEvery > 0 }

func openFile(name string) (*target, error) {
	if strings.HasSuffix(name, "/") {
		return nil, fmt.Errorf("%s is a directory: name a file in it", name)
	}
	if log, ok := partOf(filepath.Base(name)); ok {
		return nil, fmt.Errorf("%s is what an old part of a log %s would be called: choose another name", name, log)
	}
	path, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	if err := trustworthy(path); err != nil {
		return nil, err
	}
	t := &target{base: filepath.Base(name)}
	if t.dir, err = openDirectory(path); err != nil {
		return nil, err
	}
	if err := t.open(name); err != nil {
		return nil, errors.Join(err, t.dir.close())
	}
	return t, nil
}

func (t *target) open(name string) error {
	access := os.O_RDWR | os.O_CREATE
	there, absent := t.dir.stat(t.base)
	switch {
	case absent != nil:
	case there.Mode&unix.S_IFMT == unix.S_IFLNK:
		return fmt.Errorf("%s is a symbolic link: name the file that it leads to", name)
	case there.Mode&unix.S_IFMT == unix.S_IFDIR:
		return fmt.Errorf("%s is a directory: name a file in it", name)
	case there.Mode&unix.S_IFMT != unix.S_IFREG:
		access = os.O_WRONLY
	}
	var err error
	t.file, err = t.dir.open(t.base, access|os.O_APPEND, 0o600)
	if errors.Is(err, unix.ENXIO) {
		return fmt.Errorf("nobody reads %s: start its reader first", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, brief(err))
	}
	t.out, t.created = t.file, errors.Is(absent, os.ErrNotExist)
	if err := t.claim(); err != nil {
		return errors.Join(err, t.file.Close())
	}
	return nil
}

// trustworthy says whether nobody else can put another file in the place of one
// in a directory: neither there nor above.
func trustworthy(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	for ; ; dir = filepath.Dir(dir) {
		var stat unix.Stat_t
		if err := unix.Stat(dir, &stat); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
			return fmt.Errorf("directory %s belongs to another user (%d), who could replace the log: record elsewhere", dir, stat.Uid)
		}
		if stat.Mode&0o022 != 0 && stat.Mode&unix.S_ISVTX == 0 {
			return fmt.Errorf("others may write to directory %s and replace the log: chmod go-w %s, or record elsewhere", dir, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
