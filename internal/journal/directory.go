package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// directory is the one that a log is in, held open: names in it lead where they
// did, whatever becomes of the path. No symbolic link in it is followed.
type directory struct{ file *os.File }

func openDirectory(path string) (*directory, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &directory{f}, nil
}

// open never waits for the other end of a pipe: where there is none to write to,
// it fails.
func (d *directory) open(name string, flags int, mode uint32) (*os.File, error) {
	for {
		fd, err := unix.Openat(int(d.file.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, mode)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

// stat is of the name itself, not of what a link leads to.
func (d *directory) stat(name string) (stat unix.Stat_t, err error) {
	if err = unix.Fstatat(int(d.file.Fd()), name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		err = &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return stat, err
}

// rename overwrites nothing.
func (d *directory) rename(from, to string) error {
	fd := int(d.file.Fd())
	err := unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a filesystem without that
		if _, err = d.stat(to); err == nil {
			err = unix.EEXIST
		} else {
			err = unix.Renameat(fd, from, fd, to)
		}
	}
	switch {
	case errors.Is(err, unix.EEXIST):
		return fmt.Errorf("%s is there already: move it away", to)
	case err != nil:
		return &fs.PathError{Op: "rename", Path: from, Err: err}
	}
	return nil
}

func (d *directory) remove(name string) error {
	if err := unix.Unlinkat(int(d.file.Fd()), name, 0); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	return nil
}

func (d *directory) names() ([]string, error) {
	f, err := d.open(".", os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Readdirnames(-1)
}

// sync brings what was made and renamed to the disk.
func (d *directory) sync() error {
	if err := d.file.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // a filesystem without that
		return err
	}
	return nil
}

func (d *directory) close() error { return d.file.Close() }

// shared says whether others may make files in a directory whose sticky bit keeps
// them from touching those of other users.
func (d *directory) shared() bool {
	var stat unix.Stat_t
	return unix.Fstat(int(d.file.Fd()), &stat) == nil && stat.Mode&0o022 != 0
}

// ownFile says whether a file is a regular one, and this program's user's or root's.
func ownFile(stat unix.Stat_t) bool {
	return stat.Mode&unix.S_IFMT == unix.S_IFREG && (stat.Uid == 0 || int(stat.Uid) == os.Geteuid())
}
