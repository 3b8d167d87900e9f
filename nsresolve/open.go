package nsresolve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Open opens a namespace that Scan or Lookup told of: by its id where it has one,
// or else through a thread in it or a pin. It is the caller's to close; until
// then it keeps the namespace alive. What is opened has the inode number that n
// has, and its id if that is known. Errors: [fs.ErrNotExist], the namespace is
// gone or nothing shows where it is; [fs.ErrPermission], it is there and may not
// be opened (CAP_SYS_PTRACE for other users' processes).
func (r *Resolver) Open(n *Namespace) (*os.File, error) {
	f, err := open(r.procRoot, n)
	if err != nil {
		return nil, fmt.Errorf("open IPC namespace %d: %w", n.Inode, err)
	}
	return f, nil
}

func open(procRoot string, n *Namespace) (*os.File, error) {
	if n.ID != 0 {
		f, err := openID(n.ID, n.Inode)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	f, err := openPaths(procRoot, n)
	if err != nil || n.ID == 0 {
		return f, err
	}
	if id, err := idOf(f); err == nil && id != n.ID {
		f.Close()
		return nil, fs.ErrNotExist // its inode number is another's
	}
	return f, nil
}

// openPaths tries whatever leads to a namespace, this program's own first: that
// takes no rights. A refusal counts for more than a path that is gone.
func openPaths(procRoot string, n *Namespace) (*os.File, error) {
	err := error(fs.ErrNotExist)
	attempt := func(at, path string) *os.File {
		f, failed := openAt(at, path, n.Inode)
		if denied(failed) {
			err = failed
		}
		return f
	}
	if f := attempt("", filepath.Join(procRoot, "thread-self/ns/ipc")); f != nil {
		return f, nil
	}
	for _, p := range n.Processes {
		for _, tid := range p.Threads {
			if f := attempt("", filepath.Join(procRoot, strconv.Itoa(p.PID), "task", strconv.Itoa(tid), "ns/ipc")); f != nil {
				return f, nil
			}
		}
	}
	for _, p := range n.Pins {
		root := ""
		if p.Kind == PinMount {
			root = filepath.Join(procRoot, strconv.Itoa(p.PID), "root")
		}
		if f := attempt(root, p.Path); f != nil {
			return f, nil
		}
	}
	return nil, err
}

// openAt opens path if it is the namespace with this inode. With a root it is a
// path inside of that: whoever lives there chose it, and may have made a
// symbolic link or a pipe of it meanwhile. So it is looked at before it is
// really opened.
func openAt(root, path string, inode uint64) (*os.File, error) {
	var fd int
	var err error
	if root == "" {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	} else {
		fd, err = openBelow(root, path)
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	var fsys unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstatfs(fd, &fsys)); err != nil {
		return nil, err
	}
	if fsys.Type != unix.NSFS_MAGIC || st.Ino != inode {
		return nil, fs.ErrNotExist
	}
	real, err := unix.Open("/proc/self/fd/"+strconv.Itoa(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(real), path), nil
}

// openBelow opens what a mount table, which has no symbolic links in it, calls path,
// below a root. Name by name: openat2, which would do the same, is refused to services
// that may make no set-user-ID files (systemd's RestrictSUIDSGID).
func openBelow(root, path string) (int, error) {
	fd, err := openPath(unix.AT_FDCWD, root)
	if err != nil {
		return -1, err
	}
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == ".." {
			err = fs.ErrNotExist
		}
		at := fd
		if err == nil {
			fd, err = unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		}
		unix.Close(at)
		if err != nil {
			return -1, err
		}
	}
	return fd, nil
}
