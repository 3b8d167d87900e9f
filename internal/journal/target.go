package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// target is the file of a part, or what else lines are written to.
type target struct {
	out     io.Writer
	file    *os.File // nil: out is not ours to close
	dir     *os.Root // of the file
	base    string   // its name there
	regular bool     // it can be sealed, synced and rotated; a pipe cannot
	created bool     // it was not there before
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

// moved says whether the name leads to another file now, or to none.
func (t *target) moved() bool {
	if !t.regular {
		return false
	}
	own, err := t.file.Stat()
	if err != nil {
		return false
	}
	there, err := t.dir.Lstat(t.base)
	return err != nil || !os.SameFile(own, there)
}

// next is the file of the next part. Called again after an error it goes on
// where it failed.
func (t *target) next(then then) (*target, error) {
	if then == rotate && !t.moved() {
		if err := t.rename(partName(t.base, t.part)); err != nil {
			return nil, err
		}
	}
	file, err := t.dir.OpenFile(t.base, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	next := &target{out: file, file: file, dir: t.dir, base: t.base, regular: true, part: t.part + 1}
	if err := next.claim(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if next.size > 0 {
		return nil, errors.Join(fmt.Errorf("%s is there already, and not empty: move it away", t.base), file.Close())
	}
	return next, nil
}

// rename never overwrites.
func (t *target) rename(to string) error {
	dir, err := t.dir.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	fd := int(dir.Fd())
	err = unix.Renameat2(fd, t.base, fd, to, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%s is there already: move it away", to)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS): // a filesystem without that
		if _, err := t.dir.Lstat(to); err == nil {
			return fmt.Errorf("%s is there already: move it away", to)
		}
		return t.dir.Rename(t.base, to)
	}
	return err
}

// partName is that of a part which is complete.
func partName(base string, part uint32) string { return fmt.Sprintf("%s.%06d", base, part) }

// claim makes sure that the file is ours alone to write.
func (t *target) claim() error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(t.file.Fd()), &stat); err != nil {
		return err
	}
	t.size = stat.Size
	t.regular = stat.Mode&unix.S_IFMT == unix.S_IFREG
	switch {
	case !t.regular:
		return nil
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (%d), who could alter it: record into a file of your own", t.base, stat.Uid)
	case stat.Mode&0o022 != 0:
		return fmt.Errorf("others may write to %s: chmod go-w %s", t.base, t.base)
	case stat.Nlink > 1:
		return fmt.Errorf("%s has another name too: record into a file of its own", t.base)
	}
	err := unix.Flock(int(t.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("another ipctrace records into %s: record into another file", t.base)
	}
	return err
}

// openTarget opens what a log is to be kept in, and finds where it goes on.
func openTarget(cfg *Config) (*target, *ending, error) {
	if cfg.File == "" {
		end, err := fresh()
		return &target{out: cfg.Out, part: 1}, end, err
	}
	t, err := openFile(cfg.File)
	if err != nil {
		return nil, nil, err
	}
	end, err := t.resume(cfg)
	if err != nil {
		return nil, nil, errors.Join(err, t.file.Close(), t.dir.Close())
	}
	t.part = end.log.Part
	return t, end, nil
}

func openFile(name string) (*target, error) {
	path, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	if err := trustworthy(path); err != nil {
		return nil, err
	}
	t := &target{base: filepath.Base(name)}
	if t.dir, err = os.OpenRoot(path); err != nil {
		return nil, err
	}
	if err := t.open(name); err != nil {
		return nil, errors.Join(err, t.dir.Close())
	}
	return t, nil
}

func (t *target) open(name string) error {
	access := os.O_RDWR | os.O_CREATE
	info, absent := t.dir.Lstat(t.base)
	switch {
	case absent != nil:
	case info.Mode()&os.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: name the file that it leads to", name)
	case info.IsDir():
		return fmt.Errorf("%s is a directory: name a file in it", name)
	case !info.Mode().IsRegular():
		access = os.O_WRONLY // a pipe waits for its reader
	}
	var err error
	if t.file, err = t.dir.OpenFile(t.base, access|os.O_APPEND|unix.O_NOFOLLOW, 0o600); err != nil {
		return err
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
