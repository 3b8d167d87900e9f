package nsresolve

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroupFile is the content of /proc/PID/cgroup.
type cgroupFile struct {
	v2    string // "" where the process has none
	named string // the v1 hierarchy of systemd
	v1    []string
}

// parseCgroupFile reads lines "ID:CONTROLLERS:PATH". A path holds no newline:
// cgroup_mkdir refuses it. " (deleted)" after a removed cgroup's path
// (proc_cgroup_show) is dropped.
func parseCgroupFile(b []byte) cgroupFile {
	var f cgroupFile
	for line := range strings.Lines(string(b[:min(len(b), maxFile)])) {
		id, rest, ok1 := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, path, ok2 := strings.Cut(rest, ":")
		if !ok1 || !ok2 || !strings.HasPrefix(path, "/") {
			continue
		}
		path = bounded(strings.TrimSuffix(path, " (deleted)"), maxPath)
		switch {
		case id == "0" && controllers == "":
			f.v2 = path
		case controllers == "name=systemd":
			f.named = path
			f.v1 = append(f.v1, path)
		default:
			f.v1 = append(f.v1, path)
		}
	}
	return f
}

// best is the path that says most: on a host with both hierarchies the runtime
// may have made its cgroup in v1 alone.
func (f cgroupFile) best() string {
	if _, ok := ParseCgroup(f.v2); ok {
		return f.v2
	}
	for _, path := range f.v1 {
		if _, ok := ParseCgroup(path); ok {
			return path
		}
	}
	switch {
	case f.v2 != "":
		return f.v2
	case f.named != "":
		return f.named
	case len(f.v1) > 0:
		return f.v1[0]
	}
	return ""
}

// cgroupEntry is a cached answer. The zero expiry means for ever: the kernel
// gives no cgroup id twice, and cgroup v2 has no rename.
type cgroupEntry struct {
	path    string
	ok      bool
	expires time.Time
}

func (e cgroupEntry) size() int { return len(e.path) }

// NoteCgroup says that a cgroup (v2) was made: its number, and its path from the root
// of the hierarchy. [Resolver.Cgroup] knows it from now on, also when it is gone.
func (r *Resolver) NoteCgroup(id uint64, path string) {
	if !strings.HasPrefix(path, "/") || len(path) > maxPath {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cgroups.Put(id, cgroupEntry{path: path, ok: true})
}

// ReadCgroups takes note of the cgroups (v2) that there are, the outer ones first, as
// many as are cached: so that their paths are known when they are gone. It lists a
// directory for each. What cannot be read is left out. The error is that of ctx.
func (r *Resolver) ReadCgroups(ctx context.Context) error {
	root, mounted := r.openCgroupRoot()
	if !mounted {
		return nil
	}
	defer unix.Close(root)
	waiting := []string{""}
	for noted := 0; len(waiting) > 0 && ctx.Err() == nil; noted++ {
		path := waiting[0]
		waiting = waiting[1:]
		for _, name := range r.readCgroup(root, path) {
			if below := path + "/" + name; noted+len(waiting)+1 < r.cgroups.Limit() && len(below) <= maxPath {
				waiting = append(waiting, below)
			}
		}
	}
	return ctx.Err()
}

// readCgroup takes note of one, and lists those directly below it.
func (r *Resolver) readCgroup(root int, path string) (below []string) {
	fd, err := openDir(root, "."+path)
	if err != nil {
		return nil // it has gone meanwhile
	}
	dir := os.NewFile(uintptr(fd), path)
	defer dir.Close()
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil {
		r.NoteCgroup(st.Ino, cmp.Or(path, "/")) // its inode is its id (kernfs_get_inode)
	}
	entries, _ := dir.ReadDir(r.cgroups.Limit()) // those before an error
	for _, e := range entries {
		if e.IsDir() {
			below = append(below, e.Name())
		}
	}
	return below
}

// Cgroup returns the path, below the cgroup2 mount, of the cgroup with a v2 id,
// as bpf_get_current_cgroup_id gives it. Where it was not noted, the kernel is asked for
// the id itself (CAP_DAC_READ_SEARCH); failing that, the process pid is asked where it is,
// which is believed unless its cgroup turns out to have another id.
func (r *Resolver) Cgroup(id uint64, pid int) (path string, ok bool) {
	r.mu.Lock()
	e, hit := r.cgroups.Get(id)
	r.mu.Unlock()
	if hit && e.expires.IsZero() {
		return e.path, e.ok
	}
	now := r.now()
	if hit && now.Before(e.expires) {
		return e.path, e.ok
	}
	e = r.findCgroup(id, r.local(pid))
	if !e.expires.IsZero() {
		e.expires = now.Add(r.minInterval)
	}
	r.mu.Lock()
	r.cgroups.Put(id, e)
	r.mu.Unlock()
	return e.path, e.ok
}

var unsure = time.Unix(0, 0) // replaced by an expiry

func (r *Resolver) findCgroup(id uint64, pid int) cgroupEntry {
	root, mounted := r.openCgroupRoot()
	if mounted {
		defer unix.Close(root)
		if path, err := cgroupByHandle(root, id); err == nil {
			return cgroupEntry{path: path, ok: true}
		}
	}
	f, err := r.readCgroupFile(pid)
	if err != nil || f.v2 == "" {
		return cgroupEntry{expires: unsure}
	}
	if mounted {
		var st unix.Stat_t
		if err := unix.Fstatat(root, "."+f.v2, &st, 0); err == nil {
			// The inode of a cgroup is its id (kernfs_get_inode).
			if st.Ino != id {
				return cgroupEntry{expires: unsure}
			}
			return cgroupEntry{path: f.v2, ok: true}
		}
	}
	return cgroupEntry{path: f.v2, ok: true, expires: unsure}
}

// rootID is the number of the root of cgroup v2, and its inode's.
const rootID = 1

// ContainerGone reports whether the container that a process was in, by its cgroup (v2),
// has ended for certain: that cgroup is gone. It is back when the container is started
// again. Within a cgroup namespace, which does not show all cgroups, it is never certain;
// nor by a path as a process's file has it there, up out of the namespace ("/../docker").
func (r *Resolver) ContainerGone(cgroup string) bool {
	_, own, ok := parseCgroup(cgroup)
	if !ok || strings.HasPrefix(cgroup, "/..") {
		return false
	}
	root, mounted := r.openCgroupRoot()
	if !mounted {
		return false
	}
	defer unix.Close(root)
	var st unix.Stat_t
	if unix.Fstat(root, &st) != nil || st.Ino != rootID {
		return false
	}
	return errors.Is(unix.Fstatat(root, "."+own, &st, 0), unix.ENOENT)
}

// openCgroupRoot opens the cgroup2 mount, which is one level down on hosts that
// have v1 hierarchies beside it.
func (r *Resolver) openCgroupRoot() (int, bool) {
	for _, dir := range []string{r.cgroupRoot, filepath.Join(r.cgroupRoot, "unified")} {
		fd, err := openDir(unix.AT_FDCWD, dir)
		if err != nil {
			continue
		}
		var st unix.Statfs_t
		if unix.Fstatfs(fd, &st) == nil && int64(st.Type) == unix.CGROUP2_SUPER_MAGIC {
			return fd, true
		}
		unix.Close(fd)
	}
	return -1, false
}

// fileidKernfs is FILEID_KERNFS of include/linux/exportfs.h: the handle is the
// 64-bit id of the node, in host order (__kernfs_fh_to_dentry in
// fs/kernfs/mount.c).
const fileidKernfs = 0xfe

func cgroupByHandle(root int, id uint64) (string, error) {
	handle := unix.NewFileHandle(fileidKernfs, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(root, handle, unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	base, err := readLink(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(root))
	if err != nil {
		return "", err
	}
	full, err := readLink(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd))
	if err != nil {
		return "", err
	}
	path, ok := strings.CutPrefix(full, strings.TrimSuffix(base, "/"))
	if ok && path == "" {
		return "/", nil
	}
	if !ok || path[0] != '/' {
		// Above the root of a mount that shows only a part of the tree.
		return "", os.ErrNotExist
	}
	return strings.TrimSuffix(path, " (deleted)"), nil
}

func (r *Resolver) readCgroupFile(pid int) (cgroupFile, error) {
	if pid <= 0 {
		return cgroupFile{}, os.ErrNotExist
	}
	var buf []byte
	b, err := readFile(unix.AT_FDCWD, filepath.Join(r.procRoot, strconv.Itoa(pid), "cgroup"), &buf)
	if err != nil {
		return cgroupFile{}, err
	}
	return parseCgroupFile(bytes.Clone(b)), nil
}

// processCgroup returns what finds Process.Cgroup for one walk: most processes
// share theirs with others. Where there are v1 hierarchies a container may have
// its cgroup in those alone, so one process of each kind is asked itself.
func (r *Resolver) processCgroup() func(Thread) string {
	type key struct{ id, all uint64 }
	paths := make(map[key]string)
	v1 := !isCgroup2(r.cgroupRoot)
	return func(t Thread) string {
		k := key{t.CgroupID, t.Cgroups}
		path, known := paths[k]
		if known {
			return path
		}
		if v1 || t.CgroupID == 0 {
			f, err := r.readCgroupFile(t.PID)
			path, known = f.best(), err == nil && t.Cgroups != 0
		} else {
			path, known = r.Cgroup(t.CgroupID, t.PID)
		}
		if known {
			paths[k] = path
		}
		return path
	}
}

func isCgroup2(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && int64(st.Type) == unix.CGROUP2_SUPER_MAGIC
}

// containerOf finds the container an event's process was in, by the cgroup it was in
// then. Where only a v1 path may say which, its number is asked for that, if it still is
// where it was: it can have moved, and the number can be another's by now.
func (r *Resolver) containerOf(m Maker) *Container {
	was := ""
	if m.CgroupID != 0 {
		was, _ = r.Cgroup(m.CgroupID, m.PID)
		if c, ok := ParseCgroup(was); ok {
			return &c
		}
	}
	f, err := r.readCgroupFile(r.local(m.PID))
	if err != nil || m.CgroupID != 0 && f.v2 != "" && f.v2 != was {
		return nil
	}
	if c, ok := ParseCgroup(f.best()); ok {
		return &c
	}
	return nil
}
