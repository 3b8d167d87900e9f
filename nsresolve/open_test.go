package nsresolve

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// opened opens n and says which inode that is.
func opened(t *testing.T, r *Resolver, n *Namespace) uint64 {
	t.Helper()
	f, err := r.Open(n)
	if err != nil {
		t.Fatalf("%+v: %v", n, err)
	}
	defer f.Close()
	return inodeAt(t, fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// TestKernelOpen opens a namespace by its id and without it, through a thread,
// a mount, a descriptor; then it is gone.
func TestKernelOpen(t *testing.T) {
	r := New(Options{})
	both := func(t *testing.T, inode uint64) *Namespace {
		t.Helper()
		n := find(scan(t, r), inode)
		if n == nil {
			t.Fatalf("%d is not in the scan", inode)
		}
		if (n.ID != 0) != haveIDs(t) {
			t.Errorf("id %d", n.ID)
		}
		without := *n
		without.ID = 0
		for _, n := range []*Namespace{n, &without} {
			if got := opened(t, r, n); got != inode {
				t.Errorf("opened %d, want %d", got, inode)
			}
		}
		return n
	}
	gone := func(t *testing.T, n Namespace) {
		t.Helper()
		for range 2 {
			if f, err := r.Open(&n); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v, %v: %+v", f, err, n)
			}
			n.ID = 0
		}
	}
	t.Run("own", func(t *testing.T) { both(t, inodeOf(t, "/proc/self/ns/ipc")) })
	t.Run("thread", func(t *testing.T) {
		tid, end := unsharedThread(t)
		n := both(t, inodeOf(t, taskIPC(tid)))
		end()
		gone(t, *n)
	})
	t.Run("mount", func(t *testing.T) {
		tid, end := unsharedThread(t)
		inode := inodeOf(t, taskIPC(tid))
		point := filepath.Join(t.TempDir(), "a b")
		if err := os.WriteFile(point, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(taskIPC(tid), point, "", unix.MS_BIND, ""); err != nil {
			kerneltest.Lacks(t, fmt.Sprintf("mount: %v", err))
		}
		end()
		n := *both(t, inode)
		if err := unix.Unmount(point, 0); err != nil {
			t.Fatal(err)
		}
		gone(t, n)
	})
	t.Run("descriptor", func(t *testing.T) {
		tid, end := unsharedThread(t)
		inode := inodeOf(t, taskIPC(tid))
		f, err := os.Open(taskIPC(tid))
		if err != nil {
			t.Fatal(err)
		}
		end()
		n := *both(t, inode)
		f.Close()
		gone(t, n)
	})
}

func taskIPC(tid int) string { return "/proc/self/task/" + strconv.Itoa(tid) + "/ns/ipc" }

func haveIDs(t *testing.T) bool {
	t.Helper()
	f, err := os.Open("/proc/self/ns/ipc")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = idOf(f)
	return err == nil
}

// TestOpenHostile: what a container makes of its mount point is not opened. A
// pipe would block for ever.
func TestOpenHostile(t *testing.T) {
	root := t.TempDir()
	fifo := filepath.Join(root, "pipe")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	own := inodeOf(t, "/proc/self/ns/ipc")
	for name, target := range map[string]string{"link": "/proc/self/ns/ipc", "up": "../../../../../../proc/self/ns/ipc"} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/proc/self/ns", filepath.Join(root, "dir")); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("/..", 20) + "/proc/self/ns/ipc"
	for _, path := range []string{"/pipe", "/link", "/up", "/dir/ipc", up, "/none", ""} {
		if f, err := openAt(root, path, own); err == nil {
			t.Errorf("opened %s of the root: %v", path, f.Name())
		}
	}
	var st unix.Stat_t
	if err := unix.Stat(fifo, &st); err != nil {
		t.Fatal(err)
	}
	if f, err := openAt(root, "/pipe", st.Ino); err == nil {
		t.Errorf("opened the pipe: %v", f.Name())
	}
}

// TestKernelOpenRights: without rights one's own namespace is opened, and others
// are refused, not gone.
func TestKernelOpenRights(t *testing.T) {
	inode := inodeOf(t, fmt.Sprintf("/proc/%d/ns/ipc", unsharedProcess(t)))
	r := New(Options{})
	s := scan(t, r)
	other, own := *find(s, inode), *find(s, inodeOf(t, "/proc/self/ns/ipc"))
	others := []Namespace{other, other}
	others[1].ID = 0
	errs := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with its ids
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
			errs <- e
			return
		}
		f, err := r.Open(&own)
		if err == nil {
			f.Close()
		}
		errs <- err
		for _, n := range others {
			_, err = r.Open(&n)
			errs <- err
		}
		_, err = Alive(other.ID, inode)
		errs <- err
	}()
	if err := <-errs; err != nil {
		t.Errorf("own: %v", err)
	}
	for range others {
		if err := <-errs; !errors.Is(err, fs.ErrPermission) {
			t.Errorf("another: %v", err)
		}
	}
	// A kernel that says ESTALE for what it refuses must not pass for certain.
	if err := <-errs; !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("alive: %v", err)
	}
}

// TestKernelAlive: a namespace is there until its last user goes, and not
// because it was asked for.
func TestKernelAlive(t *testing.T) {
	tid, end := unsharedThread(t)
	inode := inodeOf(t, taskIPC(tid))
	n := find(scan(t, New(Options{})), inode)
	alive, err := Alive(n.ID, inode)
	if !haveIDs(t) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v, %v", alive, err)
		}
		return
	}
	if !alive || err != nil {
		t.Errorf("in use: %v, %v", alive, err)
	}
	end()
	if alive, err := Alive(n.ID, inode); alive || err != nil {
		t.Errorf("ended: %v, %v", alive, err)
	}
	if alive, err := Alive(n.ID+1<<40, inode); alive || err != nil {
		t.Errorf("never was: %v, %v", alive, err)
	}
}

// TestKernelUnseen: a namespace that only a descriptor in flight holds is found
// where there is listns.
func TestKernelUnseen(t *testing.T) {
	if _, err := listIDs(); errors.Is(err, unix.ENOSYS) {
		t.Skip("n/a: listns is there from 6.19 on")
	}
	tid, end := unsharedThread(t)
	f, err := os.Open(taskIPC(tid))
	if err != nil {
		t.Fatal(err)
	}
	inode := inodeAt(t, taskIPC(tid))
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(int(f.Fd())), nil, 0)
	f.Close()
	unix.Close(pair[0])
	end()
	if err != nil {
		t.Fatal(err)
	}
	r := New(Options{})
	n := find(scan(t, r), inode)
	if n == nil || n.ID == 0 || n.Label != "?" || len(n.Processes)+len(n.Pins) != 0 {
		t.Fatalf("%+v", n)
	}
	if got := opened(t, r, n); got != inode {
		t.Errorf("opened %d", got)
	}
	unix.Close(pair[1])
	// What was in flight is freed later (__unix_gc, delayed_fput).
	for range 2000 {
		if alive, err := Alive(n.ID, inode); err != nil {
			t.Fatal(err)
		} else if !alive {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("still alive")
}

// TestKernelIDs: listns names what Scan finds, and pages well.
func TestKernelIDs(t *testing.T) {
	kerneltest.NeedRoot(t)
	ids, err := listIDs()
	if errors.Is(err, unix.ENOSYS) {
		t.Skip("n/a: listns is there from 6.19 on")
	}
	if err != nil || !slices.IsSorted(ids) {
		t.Errorf("%v, %v", ids, err)
	}
	own := find(scan(t, New(Options{})), inodeOf(t, "/proc/self/ns/ipc"))
	if !slices.Contains(ids, own.ID) {
		t.Errorf("not %d in %v", own.ID, ids)
	}
}
