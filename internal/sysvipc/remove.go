package sysvipc

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Remove removes objects from the IPC namespace that ns stands for: what ipcrm,
// and for POSIX queues rm in a mounted mqueue filesystem, would do in it. A segment
// that is attached goes at its last detach. The errors are those of each object,
// nil where it was removed or was not there any more; the other error is why
// nothing could be tried: ErrPrivilege.
func Remove(ns *os.File, objects []Object) ([]error, error) {
	errs := make([]error, len(objects))
	begun := make(chan error)
	go onThread(func() {
		err := enter(ns)
		for i := range objects {
			if err == nil {
				errs[i] = objects[i].Remove()
			}
		}
		begun <- err
	})
	return errs, <-begun
}

// enter moves the thread, which ends where it is.
func enter(ns *os.File) error {
	home, err := os.Open("/proc/thread-self/ns/ipc")
	if err != nil {
		return err
	}
	defer home.Close()
	if same(ns, home) {
		return nil
	}
	return setns(ns)
}

// Remove removes the object from the calling thread's own namespace. That it is
// gone already is no error.
func (o *Object) Remove() error {
	var errno unix.Errno
	switch o.Kind {
	case "msg":
		_, _, errno = unix.Syscall(unix.SYS_MSGCTL, uintptr(o.ID), unix.IPC_RMID, 0)
	case "shm":
		_, _, errno = unix.Syscall(unix.SYS_SHMCTL, uintptr(o.ID), unix.IPC_RMID, 0)
	case "sem":
		_, _, errno = unix.Syscall(unix.SYS_SEMCTL, uintptr(o.ID), 0, unix.IPC_RMID)
	case "mq":
		name, err := unix.BytePtrFromString(strings.TrimPrefix(o.Name, "/"))
		if err != nil {
			return fmt.Errorf("remove queue: %w", err)
		}
		if gone, err := o.isReplaced(); gone || err != nil {
			return err
		}
		_, _, errno = unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
	}
	if errno == 0 || errors.Is(errno, unix.EINVAL) || errors.Is(errno, unix.EIDRM) || errors.Is(errno, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("remove %s: %w", o.Kind, errno)
}

// isReplaced says whether a queue's name is another one's by now. Between this and
// its removal it can become so still: the kernel removes queues by name alone.
func (o *Object) isReplaced() (bool, error) {
	if o.Inode == 0 {
		return false, nil
	}
	dir, err := mountQueues()
	if err != nil {
		return false, err
	}
	defer dir.Close()
	var st unix.Stat_t
	err = unix.Fstatat(int(dir.Fd()), strings.TrimPrefix(o.Name, "/"), &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("remove mq: %w", err)
	}
	return st.Ino != o.Inode, nil
}
