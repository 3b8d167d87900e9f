package nsresolve

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxFile bounds every file read whole. The longest of them, status, has a few
// KiB.
const maxFile = 1 << 20

// A directory of /proc/PID that stays open keeps meaning the process it was
// opened for: after its end every read fails, even if the PID is used again.

func openDir(at int, name string) (int, error) {
	return openRetry(at, name, unix.O_RDONLY|unix.O_DIRECTORY)
}

// openPath is cheaper than openDir, and enough to name files below.
func openPath(at int, name string) (int, error) {
	return openRetry(at, name, unix.O_PATH|unix.O_DIRECTORY)
}

func openRetry(at int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

func openFile(at int, name string) (*os.File, error) {
	fd, err := openRetry(at, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// readFile reads a small file into buf, which grows up to maxFile; what is
// beyond is left out. The result is valid until buf is used again.
func readFile(at int, name string, buf *[]byte) ([]byte, error) {
	fd, err := openRetry(at, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	b := *buf
	if cap(b) == 0 {
		b = make([]byte, 0, 4096)
	}
	b = b[:0]
	for {
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b = b[:len(b)+n]
		*buf = b
		if n == 0 || len(b) >= maxFile {
			return b, nil
		}
		if len(b) == cap(b) {
			b = append(make([]byte, 0, 2*cap(b)), b...)
		}
	}
}

// readLink returns the target of a link; a longer one is cut at maxPath.
func readLink(at int, name string) (string, error) {
	var buf [maxPath]byte
	n, err := unix.Readlinkat(at, name, buf[:])
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// eachNumber calls f for every entry of the open directory that is a number,
// without holding the list: a process can have a million descriptors.
func eachNumber(dir int, f func(int) error) error {
	buf := make([]byte, 16<<10)
	var names []string
	for {
		n, err := unix.ReadDirent(dir, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n <= 0 {
			return err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			number, err := strconv.Atoi(name)
			if err != nil || number < 0 {
				continue
			}
			if err := f(number); err != nil {
				return err
			}
		}
	}
}

// vanished reports an error that means no more than that a process ended while
// it was being read.
func vanished(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH)
}

func denied(err error) bool {
	return errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
}
