package sysvipc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unsafe"

	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// maxQueues bounds the list. A namespace has room for 256 by default.
const maxQueues = 1 << 16

// queues lists the POSIX queues of the calling thread's namespace.
func queues() ([]Object, error) {
	dir, err := mountQueues()
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return listQueues(dir, maxQueues)
}

// mountQueues opens the mqueue filesystem of the calling thread's namespace, by
// a mount that is in no mount table and ends with the file.
func mountQueues() (*os.File, error) {
	// Not tried in vain with every look: where a filter refuses it (privilege.Drop), that
	// is a line in the audit log. fsopen asks for this first (may_mount, fs/namespace.c).
	if !privilege.Holds(capability.CAP_SYS_ADMIN) {
		return nil, refused(unix.EPERM)
	}
	context, err := unix.Fsopen("mqueue", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, refused(err)
	}
	defer unix.Close(context)
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, refused(err)
	}
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC,
		unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, refused(err)
	}
	defer unix.Close(mount)
	dir, err := unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, refused(err)
	}
	return os.NewFile(uintptr(dir), "mqueue"), nil
}

func refused(err error) error {
	why := "mount mqueue"
	switch {
	case errors.Is(err, unix.ENOSYS):
		why = "no fsopen before Linux 5.2"
	case errors.Is(err, unix.ENODEV):
		why = "kernel without CONFIG_POSIX_MQUEUE"
	case errors.Is(err, unix.EPERM):
		why = "mount mqueue: needs CAP_SYS_ADMIN in the user namespaces of the IPC namespace and of this program's mounts"
	}
	return fmt.Errorf("%s: %w", why, err)
}

// listQueues lists the queues in dir, at most so many.
func listQueues(dir *os.File, most int) ([]Object, error) {
	names, err := dir.Readdirnames(most + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("list mqueue: %w", err)
	}
	more := len(names) > most
	if more {
		names = names[:most]
	}
	var objects []Object
	for _, name := range names {
		o, err := queue(int(dir.Fd()), name)
		if errors.Is(err, unix.ENOENT) {
			continue // unlinked since
		}
		if err != nil {
			return objects, fmt.Errorf("look at a queue: %w", err)
		}
		objects = append(objects, o)
	}
	if more {
		return objects, fmt.Errorf("more than %d queues: the others are not listed", most)
	}
	return objects, nil
}

// queue describes a queue. Of one that this program may not read, without
// CAP_DAC_OVERRIDE, that is the inode.
func queue(dir int, name string) (Object, error) {
	var st unix.Stat_t
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EACCES) {
		err = unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		return queueOf(name, &st), err
	}
	if err != nil {
		return Object{}, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return Object{}, err
	}
	o := queueOf(name, &st)
	attr, err := getattr(fd)
	if err != nil {
		return Object{}, err
	}
	o.MaxMsg, o.MsgSize, o.Messages = int64(attr.maxMsg), int64(attr.msgSize), uint64(attr.curMsgs)
	if o.Messages > 0 {
		o.Bytes, err = queued(fd)
	}
	return o, err
}

// queueOf takes for CTime what stat calls the time of modification: sending and
// receiving set it, as they set the time of change, which also reading the file
// sets (mqueue_read_file, ipc/mqueue.c), as queued does.
func queueOf(name string, st *unix.Stat_t) Object {
	return Object{
		Kind: "mq", Name: "/" + name, Inode: st.Ino,
		Mode: st.Mode & 0o777, UID: st.Uid, GID: st.Gid, CTime: int64(st.Mtim.Sec),
	}
}

// mqAttr is struct mq_attr, include/uapi/linux/mqueue.h: its longs are Go's ints.
type mqAttr struct {
	flags, maxMsg, msgSize, curMsgs int
	_                               [4]int
}

// getattr takes a queue's attributes, and changes nothing: there are no new ones.
func getattr(fd int) (attr mqAttr, err error) {
	_, _, errno := unix.Syscall(unix.SYS_MQ_GETSETATTR, uintptr(fd), 0, uintptr(unsafe.Pointer(&attr)))
	if errno != 0 {
		return attr, errno
	}
	return attr, nil
}

// queued is the bytes in a queue. Reading the file takes no message out; it sets
// the file's times of access and change.
func queued(fd int) (uint64, error) {
	var text [128]byte // the kernel writes 80
	n, err := unix.Read(fd, text[:])
	if err != nil {
		return 0, err
	}
	return parseQueued(text[:n])
}

// parseQueued reads "QSIZE:129   NOTIFY:…".
func parseQueued(text []byte) (uint64, error) {
	number, ok := bytes.CutPrefix(text, []byte("QSIZE:"))
	end := bytes.IndexByte(number, ' ')
	if !ok || end < 0 {
		return 0, errors.New("no QSIZE in its file")
	}
	return strconv.ParseUint(string(number[:end]), 10, 64)
}
