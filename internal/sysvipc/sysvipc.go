// Package sysvipc is the kernel's own word on an IPC namespace: the System V
// objects and POSIX queues in it, and how far it is from its limits. It is the
// second witness to what the hooks saw. A [Reader] looks into namespaces.
package sysvipc

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// Kinds are the files of /proc/sysvipc.
var Kinds = []string{"msg", "shm", "sem"}

// Here lists the System V objects of the calling thread's own IPC namespace. The
// error is fs.ErrNotExist on a kernel without System V IPC.
func Here() ([]Object, error) { return here(nil) }

// here uses a buffer for what it reads, if there is one.
func here(buf []byte) ([]Object, error) {
	var objects []Object
	for _, kind := range Kinds {
		if n, err := count(kind); err == nil && n == 0 {
			continue // a security module may refuse the count, and show the list
		}
		of, err := list(kind, buf)
		if err != nil {
			return nil, fmt.Errorf("list objects of %s: %w", kind, err)
		}
		objects = append(objects, of...)
	}
	return objects, nil
}

func list(kind string, buf []byte) ([]Object, error) {
	name := "/proc/sysvipc/" + kind
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	lines := bufio.NewScanner(file(fd))
	lines.Buffer(buf, bufio.MaxScanTokenSize)
	return parse(lines, kind)
}

// file is an open one that is read without more: os.File would ask epoll about it,
// which takes as long as all else.
type file int

func (f file) Read(p []byte) (int, error) {
	n, err := unix.Read(int(f), p)
	switch {
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
