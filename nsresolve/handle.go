package nsresolve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's ids of namespaces, and what can be done with them:
// include/uapi/linux/nsfs.h, fcntl.h and exportfs.h.
const (
	nsGetID    = 0x8008b70d // NS_GET_ID, Linux 6.18
	fdNsfsRoot = -10003     // FD_NSFS_ROOT, likewise
	fileidNsfs = 0xf1       // FILEID_NSFS: struct nsfs_file_handle
	sysListns  = 470        // listns(2), Linux 6.19, on every architecture
)

// nsRequest is struct ns_id_req, NS_ID_REQ_SIZE_VER0.
type nsRequest struct {
	size   uint32
	_      uint32
	last   uint64 // go on after this id
	typ    uint32 // CLONE_NEW*
	_      uint32
	userNS uint64
}

// idOf asks the kernel for the id of an open namespace. ENOTTY before 6.18.
func idOf(f *os.File) (uint64, error) {
	var id uint64
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), nsGetID, uintptr(unsafe.Pointer(&id)))
	runtime.KeepAlive(f)
	if errno != 0 {
		return 0, errno
	}
	return id, nil
}

// nsHandle is struct file_handle with a struct nsfs_file_handle in it.
type nsHandle struct {
	size     uint32
	fileType int32
	id       uint64
	nsType   uint32
	inode    uint32
}

// handleAt is what a descriptor below an open directory of /proc is a descriptor of,
// if that is a namespace, without opening it: by one system call, where to read the
// link, open it and ask takes ten. It is false before 6.18.
func handleAt(at int, name string) (h nsHandle, ok bool) {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return h, false
	}
	h.size = uint32(unsafe.Sizeof(h) - unsafe.Offsetof(h.id))
	var mount int32
	_, _, errno := unix.Syscall6(unix.SYS_NAME_TO_HANDLE_AT, uintptr(at), uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&mount)), unix.AT_SYMLINK_FOLLOW, 0)
	return h, errno == 0 && h.fileType == fileidNsfs
}

// openID opens an IPC namespace by its id. The inode can be 0 where listns is;
// on 6.18 the handle must be whole (nsfs_fh_to_dentry in fs/nsfs.c). The error is
// fs.ErrNotExist if there is none, fs.ErrPermission if that cannot be told, and
// errors.ErrUnsupported before 6.18.
func openID(id, inode uint64) (*os.File, error) {
	b := binary.NativeEndian.AppendUint64(nil, id)
	var typ uint32
	if inode != 0 {
		typ = unix.CLONE_NEWIPC
	}
	b = binary.NativeEndian.AppendUint32(b, typ)
	b = binary.NativeEndian.AppendUint32(b, uint32(inode))
	fd, err := unix.OpenByHandleAt(fdNsfsRoot, unix.NewFileHandle(fileidNsfs, b), unix.O_RDONLY|unix.O_CLOEXEC)
	switch {
	case err == nil:
		return os.NewFile(uintptr(fd), fmt.Sprintf("ipc:[%d]", inode)), nil
	case errors.Is(err, unix.ESTALE) && seesAll():
		return nil, fs.ErrNotExist
	case errors.Is(err, unix.ESTALE):
		return nil, unix.EPERM
	case errors.Is(err, unix.EBADF), errors.Is(err, unix.ENOSYS):
		return nil, errors.ErrUnsupported
	}
	return nil, err
}

// seesAll reports whether every namespace can be opened by its handle: the
// kernel answers ESTALE also where it means EPERM (do_handle_to_path in
// fs/fhandle.c). It takes CAP_SYS_ADMIN in the user namespace that owns it, in
// later kernels in the initial one and from within the initial pid namespace
// (may_see_all_namespaces in kernel/nscommon.c).
func seesAll() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil || caps[0].Effective&(1<<unix.CAP_SYS_ADMIN) == 0 {
		return false
	}
	user, err := os.Readlink("/proc/self/ns/user")
	return err == nil && user == "user:[4026531837]" && showsHost("/proc")
}

// Alive reports whether the IPC namespace with this id and inode number still
// exists, for certain: ids are not used again. It keeps nothing alive. A
// namespace that nothing but an attached shared memory segment holds exists for
// Linux 6.18; for later kernels it does not, as nothing can enter it any more,
// though its objects are there until the last segment is detached. Errors:
// [errors.ErrUnsupported] before Linux 6.18, and [fs.ErrPermission] where this
// process may not see every namespace: it takes CAP_SYS_ADMIN on the host.
func Alive(id, inode uint64) (bool, error) {
	f, err := openID(id, inode)
	switch {
	case err == nil:
		return true, f.Close()
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, fmt.Errorf("ask for IPC namespace %d: %w", inode, err)
}

// listIDs lists the ids of all IPC namespaces that this process may see.
// ENOSYS before 6.19.
func listIDs() ([]uint64, error) {
	req := nsRequest{typ: unix.CLONE_NEWIPC}
	req.size = uint32(unsafe.Sizeof(req))
	var ids []uint64
	page := make([]uint64, 512)
	for {
		n, _, errno := unix.Syscall6(sysListns, uintptr(unsafe.Pointer(&req)),
			uintptr(unsafe.Pointer(&page[0])), uintptr(len(page)), 0, 0, 0)
		// ENOENT: the last one seen was the last one, or is (do_listns in
		// kernel/nstree.c).
		if errno == unix.ENOENT {
			return ids, nil
		}
		if errno != 0 {
			return ids, errno
		}
		ids = append(ids, page[:n]...)
		if int(n) < len(page) {
			return ids, nil
		}
		req.last = ids[len(ids)-1]
	}
}

// identify gives the namespaces found their ids, and finds those that no
// process, mount or descriptor shows: held by a descriptor in flight, or by a
// mount in a namespace nobody is in.
func (w *walk) identify() {
	var fsys unix.Statfs_t
	if err := unix.Statfs(w.procRoot, &fsys); err != nil || fsys.Type != unix.PROC_SUPER_MAGIC {
		return // a copy, which the kernel knows nothing of
	}
	for inode, s := range w.found {
		if s.id != 0 {
			continue
		}
		f, err := openPaths(w.procRoot, &Namespace{Inode: inode, Processes: s.processes, Pins: s.pins})
		if err != nil {
			continue
		}
		s.id, err = idOf(f)
		f.Close()
		if err != nil {
			return // before 6.18
		}
	}
	if w.host {
		w.listRest()
	}
}

func (w *walk) listRest() {
	ids, err := listIDs()
	if err != nil {
		return
	}
	known := make(map[uint64]struct{}, len(w.found))
	for _, s := range w.found {
		known[s.id] = struct{}{}
	}
	for _, id := range ids {
		if _, ok := known[id]; ok {
			continue
		}
		f, err := openID(id, 0)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err == nil {
			*w.at(st.Ino) = seen{id: id} // the one found before is gone
		}
		f.Close()
	}
}
