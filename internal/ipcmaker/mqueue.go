package main

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attributes is struct mq_attr, of which every member is a long; x32's are 64 bits.
type attributes struct {
	flags, maxmsg, msgsize, curmsgs int
	_                               [4]int
}

func (t *thread) openQueue(r Result) error {
	name, err := unix.BytePtrFromString(r.Name)
	if err != nil {
		return err
	}
	var attr unsafe.Pointer
	if r.MaxMsg != 0 || r.MsgSize != 0 {
		attr = unsafe.Pointer(&attributes{maxmsg: int(r.MaxMsg), msgsize: int(r.MsgSize)})
	}
	fd, errno := t.invoke("mq_open", unsafe.Pointer(name), int(r.Flags), int(r.Mode), attr)
	r.Call, r.Kind, r.ID = "mq_open", "mq", -1
	if errno == 0 {
		r.FD = int(fd)
		r.Inode = inodeOf(r.FD)
		t.queues = append(t.queues, queue{r.FD, r.Name})
		if r.Flags&unix.O_CREAT != 0 {
			t.made = append(t.made, object{kind: "mq", name: r.Name, ns: t.ns})
		}
	}
	t.report(r, errno)
	return nil
}

// inodeOf is 0 where the descriptor is not one, as when a seccomp filter made it up.
func inodeOf(fd int) uint64 {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return 0
	}
	return uint64(st.Ino)
}

var errNoQueue = errors.New("no queue is open: mq_open first")

func (t *thread) send(text string) error {
	if len(t.queues) == 0 {
		return errNoQueue
	}
	q := t.queues[len(t.queues)-1]
	data := append([]byte(text), 0)
	_, errno := t.invoke("mq_timedsend", q.fd, unsafe.Pointer(&data[0]), len(text), 0, 0)
	t.report(Result{Call: "mq_timedsend", Kind: "mq", ID: -1, FD: q.fd, Name: q.name, Size: uint64(len(text))}, errno)
	return nil
}

func (t *thread) closeQueue() error {
	last := len(t.queues) - 1
	if last < 0 {
		return errNoQueue
	}
	q := t.queues[last]
	t.queues = t.queues[:last]
	_, errno := t.invoke("close", q.fd)
	t.report(Result{Call: "close", Kind: "mq", ID: -1, FD: q.fd, Name: q.name}, errno)
	return nil
}

func (t *thread) unlink(name string) {
	errno := t.unlinkQueue(name)
	if errno == 0 {
		t.forget(object{kind: "mq", name: name})
	}
	t.report(Result{Call: "mq_unlink", Kind: "mq", ID: -1, Name: name}, errno)
}

func (o *options) unlinkQueue(name string) syscall.Errno {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return unix.EINVAL
	}
	_, errno := o.invoke("mq_unlink", unsafe.Pointer(p))
	return errno
}

func (t *thread) createFile(path string) error {
	const flags, mode = unix.O_CREAT | unix.O_WRONLY, 0o600
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return err
	}
	fd, errno := t.invoke("openat", unix.AT_FDCWD, unsafe.Pointer(p), flags, mode)
	r := Result{Call: "openat", Kind: "mq", ID: -1, Path: path, Flags: flags, Mode: mode}
	if errno == 0 {
		r.FD = int(fd)
		_ = unix.Close(r.FD)
		t.made = append(t.made, object{kind: "file", name: path, ns: t.ns})
	}
	t.report(r, errno)
	return nil
}

func (t *thread) removeFile(path string) {
	errno := t.unlinkFile(path)
	if errno == 0 {
		t.forget(object{kind: "file", name: path})
	}
	t.report(Result{Call: "unlinkat", Kind: "mq", ID: -1, Path: path}, errno)
}

func (o *options) unlinkFile(path string) syscall.Errno {
	p, err := unix.BytePtrFromString(path)
	if err != nil {
		return unix.EINVAL
	}
	_, errno := o.invoke("unlinkat", unix.AT_FDCWD, unsafe.Pointer(p), 0)
	return errno
}

// mount shows the queues of the thread's namespace in a directory, to this
// thread and its children alone.
func (t *thread) mount(dir string) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("own mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make its mounts private: %w", err)
	}
	err := unix.Mount("mqueue", dir, "mqueue", 0, "")
	var errno syscall.Errno
	_ = errors.As(err, &errno)
	t.report(Result{Call: "mount", Kind: "mq", ID: -1, Path: dir}, errno)
	return nil
}
