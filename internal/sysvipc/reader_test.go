package sysvipc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"golang.org/x/sys/unix"
)

func newReader(t testing.TB) *sysvipc.Reader {
	t.Helper()
	r, err := sysvipc.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// all is all that there is to read.
var all = sysvipc.What{Queues: true, Limits: true}

// TestReadObjects: System V objects, in all states, are as lsipc says.
func TestReadObjects(t *testing.T) {
	var dest int
	var attached []byte
	ns := newNamespace(t, func() error {
		q, err := msgget(0x7f000001, unix.IPC_CREAT|0o640)
		if err != nil {
			return err
		}
		seg, err := unix.SysvShmGet(-2, 10000, unix.IPC_CREAT|0o666)
		if err != nil {
			return err
		}
		if dest, err = unix.SysvShmGet(unix.IPC_PRIVATE, 4096, 0o600); err != nil {
			return err
		}
		if attached, err = unix.SysvShmAttach(dest, 0, 0); err != nil {
			return err
		}
		_, err = unix.SysvShmCtl(seg, unix.IPC_SET, &unix.SysvShmDesc{Perm: unix.SysvIpcPerm{Uid: 1234, Gid: 4321, Mode: 0o604}})
		_, rmid := unix.SysvShmCtl(dest, unix.IPC_RMID, nil)
		_, set := semget(1, 7, unix.IPC_CREAT)
		_, zero := msgget(0x7f000002, unix.IPC_CREAT|0o200)
		return errors.Join(err, rmid, set, zero, msgsnd(q, "hello"), msgsnd(q, "you"))
	})
	defer func() {
		if err := unix.SysvShmDetach(attached); err != nil {
			t.Error(err)
		}
	}()
	got, err := newReader(t).Read(ns, all)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, o := range got.Objects {
		lines = append(lines, line(o))
	}
	if diff := cmp.Diff(lsipc(t, ns), lines); diff != "" {
		t.Errorf("lsipc and Read: %s", diff)
	}
	// What lsipc does not say so, or says only of what a user may read.
	if o := find(t, got.Objects, "shm", dest); o.Mode != sysvipc.Dest|0o600 || o.Attached != 1 || o.Key != 0 ||
		o.CPID != uint32(os.Getpid()) || o.LPID != uint32(os.Getpid()) {
		t.Errorf("marked: %+v", o)
	}
	if o := got.Objects[0]; o.Messages != 2 || o.Bytes != 8 || o.LSPID != uint32(os.Getpid()) || o.LRPID != 0 {
		t.Errorf("queue: %+v", o)
	}
}

// line is an object in lsipc's words.
func line(o sysvipc.Object) string {
	perms := os.FileMode(o.Mode & 0o777).String()[1:]
	s := fmt.Sprintf("%s 0x%08x %d %s cuid=%d cgid=%d uid=%d gid=%d %d", o.Kind, uint32(o.Key), o.ID, perms, o.CUID, o.CGID, o.UID, o.GID, o.CTime)
	switch o.Kind {
	case "msg":
		return s + fmt.Sprintf(" %d %d %d %d", o.Bytes, o.Messages, o.LSPID, o.LRPID)
	case "shm":
		status := ""
		if o.Mode&sysvipc.Dest != 0 {
			status = "dest"
		}
		return s + fmt.Sprintf(" %d %d %s %d %d", o.Size, o.Attached, status, o.CPID, o.LPID)
	}
	return s + fmt.Sprintf(" %d", o.NSems)
}

// lsipc is another program's list of the System V objects, in the order of Kinds.
func lsipc(t *testing.T, ns *os.File) []string {
	t.Helper()
	var lines []string
	for _, kind := range []struct{ name, flag, columns string }{
		{"msg", "-q", "USEDBYTES,MSGS,LSPID,LRPID"},
		{"shm", "-m", "SIZE,NATTCH,STATUS,CPID,LPID"},
		{"sem", "-s", "NSEMS"},
	} {
		out := inside(t, ns, "lsipc", kind.flag, "-J", "-b", "--time-format", "iso", "-o", "KEY,ID,PERMS,CUID,CGID,UID,GID,CTIME,"+kind.columns)
		var lists map[string][]map[string]any
		if err := json.Unmarshal([]byte(out), &lists); err != nil {
			t.Fatalf("lsipc %s: %v: %s", kind.flag, err, out)
		}
		for _, list := range lists {
			for _, o := range list {
				made, err := time.Parse(time.RFC3339, fmt.Sprint(o["ctime"]))
				if err != nil {
					t.Fatal(err)
				}
				s := fmt.Sprintf("%s %v %v %v cuid=%v cgid=%v uid=%v gid=%v %d",
					kind.name, o["key"], o["id"], o["perms"], o["cuid"], o["cgid"], o["uid"], o["gid"], made.Unix())
				for column := range strings.SplitSeq(strings.ToLower(kind.columns), ",") {
					value := o[column]
					if value == nil {
						value = ""
					}
					s += fmt.Sprintf(" %v", value)
				}
				lines = append(lines, s)
			}
		}
	}
	return lines
}

// TestReadTools: what ipcmk made in another process's namespace is read, more
// than once, so that the main thread would be hit.
func TestReadTools(t *testing.T) {
	kerneltest.NeedRoot(t)
	ns := openNamespace(t, hold(t, nil, "ipcmk -Q; ipcmk -M 10; ipcmk -S 1"))
	before := namespaceOf(t, "self")
	for range 20 {
		got, err := sysvipc.Read(ns)
		if err != nil || got.MQ != nil {
			t.Fatal(err, got.MQ)
		}
		var kinds []string
		for _, o := range got.Objects {
			kinds = append(kinds, o.Kind)
		}
		if diff := cmp.Diff(sysvipc.Kinds, kinds); diff != "" {
			t.Error(diff)
		}
	}
	if after := namespaceOf(t, "self"); after != before {
		t.Errorf("this process went from %s to %s", before, after)
	}
}

// hold runs a script in a new IPC namespace, of a process that stays until the
// test ends.
func hold(t testing.TB, attr *syscall.SysProcAttr, script string) int {
	t.Helper()
	cmd := exec.Command("sh", "-c", "{ "+script+"; } >&2 && echo && read x")
	if attr == nil {
		attr = &syscall.SysProcAttr{}
	}
	attr.Cloneflags |= syscall.CLONE_NEWIPC
	cmd.SysProcAttr = attr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		kerneltest.Lacks(t, fmt.Sprintf("%q in new namespaces: %v", script, err))
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		stdin.Close()
		_ = cmd.Wait()
		t.Fatalf("%q: %v: %s", script, err, said.String())
	}
	return cmd.Process.Pid
}

func openNamespace(t testing.TB, pid int) *os.File {
	t.Helper()
	ns, err := os.Open("/proc/" + strconv.Itoa(pid) + "/ns/ipc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

func namespaceOf(t testing.TB, process string) string {
	t.Helper()
	text, err := os.Readlink("/proc/" + process + "/ns/ipc")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestReaderMany: one Reader, 50 namespaces, in each what belongs there.
func TestReaderMany(t *testing.T) {
	spaces := many(t, 50)
	r := newReader(t)
	if _, err := r.Read(spaces[0], all); err != nil { // what the runtime opens, it has opened now
		t.Fatal(err)
	}
	before := countFDs(t)
	for range 2 {
		for i, ns := range spaces {
			got, err := r.Read(ns, all)
			if err != nil || got.MQ != nil {
				t.Fatal(err, got.MQ)
			}
			if len(got.Objects) != 2 {
				t.Fatalf("namespace %d: %+v", i, got.Objects)
			}
			if o := got.Objects[0]; o.Kind != "msg" || int(o.Key) != i+1 {
				t.Errorf("namespace %d: %+v", i, o)
			}
			if o := got.Objects[1]; o.Kind != "mq" || o.Name != fmt.Sprintf("/queue-%d", i) {
				t.Errorf("namespace %d: %+v", i, o)
			}
		}
	}
	if after := countFDs(t); after > before {
		t.Errorf("%d open files before, %d after", before, after)
	}
	allAtHome(t)
}

// many makes n namespaces, with two objects in each that tell it apart.
func many(t testing.TB, n int) []*os.File {
	t.Helper()
	spaces := make([]*os.File, n)
	for i := range spaces {
		spaces[i] = newNamespace(t, func() error {
			_, err := msgget(i+1, unix.IPC_CREAT|0o600)
			fd, mqErr := mqOpen(fmt.Sprintf("queue-%d", i), 0o600, 1, 1)
			return errors.Join(err, mqErr, unix.Close(fd))
		})
	}
	return spaces
}

// TestCount: what is counted is what the kernel's list has, of each kind, before
// anything was made and after all is removed; a marked segment is one.
func TestCount(t *testing.T) {
	newNamespace(t, func() error {
		expect := func(want ...int32) error {
			for i, kind := range sysvipc.Kinds {
				got, err := sysvipc.Count(kind)
				if err != nil {
					return err
				}
				list, err := os.ReadFile("/proc/sysvipc/" + kind)
				if lines := int32(strings.Count(string(list), "\n")) - 1; err != nil || got != want[i] || lines != want[i] {
					return fmt.Errorf("%s: %d counted, %d in the list, %d there: %w", kind, got, lines, want[i], err)
				}
			}
			return nil
		}
		if err := expect(0, 0, 0); err != nil {
			return err
		}
		q, err1 := msgget(1, unix.IPC_CREAT)
		_, err2 := msgget(2, unix.IPC_CREAT)
		seg, err3 := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, 0)
		mapped, err4 := unix.SysvShmAttach(seg, 0, 0)
		_, err5 := unix.SysvShmCtl(seg, unix.IPC_RMID, nil)
		_, err6 := semget(unix.IPC_PRIVATE, 1, 0)
		_, err7 := semget(unix.IPC_PRIVATE, 250, 0)
		_, err8 := semget(unix.IPC_PRIVATE, 1, 0)
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, expect(2, 1, 3)); err != nil {
			return err
		}
		_, _, errno := unix.Syscall(unix.SYS_MSGCTL, uintptr(q), unix.IPC_RMID, 0)
		if errno != 0 {
			return errno
		}
		return errors.Join(expect(1, 1, 3), unix.SysvShmDetach(mapped), expect(1, 0, 3))
	})
}

// TestEach: all on one thread, and each with what was asked for.
func TestEach(t *testing.T) {
	spaces := many(t, 10)
	var threads []int
	err := newReader(t).Each(len(spaces), func(i int, look sysvipc.Look) {
		threads = append(threads, unix.Gettid())
		got, err := look(spaces[i], sysvipc.What{Queues: i%2 == 0})
		kinds := 1
		if i%2 == 0 {
			kinds = 2
		}
		if err != nil || len(got.Objects) != kinds || int(got.Objects[0].Key) != i+1 || errors.Is(got.MQ, sysvipc.ErrNotAsked) != (i%2 != 0) {
			t.Errorf("namespace %d: %+v, %v", i, got, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(threads) != len(spaces) || len(slices.Compact(threads)) != 1 {
		t.Errorf("threads %v", threads)
	}
	allAtHome(t)
}

// TestEachPanics: it is the caller's panic, told with where it was. The thread is not
// used again: it may be in another namespace.
func TestEachPanics(t *testing.T) {
	spaces := many(t, 2)
	r := newReader(t)
	broke := func() (why any) {
		defer func() { why = recover() }()
		_ = r.Each(len(spaces), func(i int, look sysvipc.Look) {
			_, _ = look(spaces[i], sysvipc.What{})
			breaks()
		})
		return nil
	}
	if why, _ := broke().(string); !strings.HasPrefix(why, "it breaks\n") || !strings.Contains(why, "sysvipc_test.breaks(") {
		t.Errorf("panic: %s", why)
	}
	for i, ns := range spaces {
		if got, err := r.Read(ns, all); err != nil || int(got.Objects[0].Key) != i+1 {
			t.Errorf("afterwards: %+v, %v", got, err)
		}
	}
	allAtHome(t)
}

//go:noinline
func breaks() { panic("it breaks") }

func countFDs(t testing.TB) int     { return count(t, "/proc/self/fd") }
func countThreads(t testing.TB) int { return count(t, "/proc/self/task") }

func count(t testing.TB, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// allAtHome: every thread of this process comes to be in the process's namespace.
// Threads that end take a moment.
func allAtHome(t testing.TB) {
	t.Helper()
	home := namespaceOf(t, "self")
	var away string
	for range 2000 {
		away = ""
		threads, err := filepath.Glob("/proc/self/task/*/ns/ipc")
		if err != nil || len(threads) == 0 {
			t.Fatal("no threads: ", err)
		}
		for _, thread := range threads {
			if text, err := os.Readlink(thread); err == nil && text != home {
				away = thread + " is " + text
			}
		}
		if away == "" {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error(away)
}

// TestNamespaceDies: when its last file is closed, a namespace that a Reader
// looked into is gone, though the Reader lives on. The witness is the kernel's
// handle of it (6.18).
func TestNamespaceDies(t *testing.T) {
	const queues = 3
	ns := newNamespace(t, func() error {
		var errs []error
		for i := range queues {
			fd, err := mqOpen(fmt.Sprint(i), 0o600, 1, 1)
			errs = append(errs, err, mqSend(fd, "x"), unix.Close(fd))
		}
		return errors.Join(errs...)
	})
	allAtHome(t) // the thread that made it
	r := newReader(t)
	if got, err := r.Read(ns, all); err != nil || len(got.Objects) != queues {
		t.Fatalf("%+v, %v", got, err)
	}
	allAtHome(t)
	handle, _, err := unix.NameToHandleAt(int(ns.Fd()), "", unix.AT_EMPTY_PATH)
	if errors.Is(err, unix.EOPNOTSUPP) {
		kerneltest.Lacks(t, "n/a: namespaces have handles since Linux 6.18")
	}
	if err != nil {
		t.Fatal(err)
	}
	reach := func() error {
		fd, err := unix.OpenByHandleAt(unix.FD_NSFS_ROOT, handle, unix.O_RDONLY|unix.O_CLOEXEC)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	if err := reach(); err != nil {
		t.Fatalf("alive, but not to be reached: %v", err)
	}
	ns.Close()
	for range 2000 { // somebody else may be looking at this program's files
		if err = reach(); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !errors.Is(err, unix.ESTALE) {
		t.Errorf("not dead: %v", err)
	}
	if _, err := r.Read(openNamespace(t, os.Getpid()), all); err != nil {
		t.Error(err)
	}
}

// TestReaderClose: a Reader that is closed leaves no file and no thread; it may
// be closed twice, and one that is used again begins anew.
func TestReaderClose(t *testing.T) {
	ns := newNamespace(t, func() error { return nil })
	use := func() {
		r := newReader(t)
		defer r.Close()
		if _, err := r.Read(ns, all); err != nil {
			t.Fatal(err)
		}
		r.Close()
		if _, err := r.Read(ns, all); err != nil {
			t.Fatal(err)
		}
	}
	use()
	fds, threads := countFDs(t), countThreads(t)
	const rounds = 100
	for range rounds {
		use()
	}
	for range 2000 { // threads that end take a moment
		if countThreads(t) < threads+rounds/2 && countFDs(t) <= fds {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("before: %d threads, %d files; after: %d, %d", threads, fds, countThreads(t), countFDs(t))
}

// TestReadErrors: what is no IPC namespace, and what cannot be entered.
func TestReadErrors(t *testing.T) {
	kerneltest.NeedRoot(t)
	r := newReader(t)
	uts, err := os.Open("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(uts, all); !errors.Is(err, unix.EINVAL) {
		t.Errorf("a namespace of another type: %v", err)
	}
	uts.Close()
	if _, err := r.Read(uts, all); !errors.Is(err, unix.EBADF) {
		t.Errorf("a closed file: %v", err)
	}
	if _, err := r.Read(openNamespace(t, os.Getpid()), all); err != nil {
		t.Errorf("after an error: %v", err)
	}
	allAtHome(t)
}

// TestForeignUsers: objects in a namespace that belongs to another user
// namespace, and queues made by its mqueue mount, are told in this one's numbers.
func TestForeignUsers(t *testing.T) {
	kerneltest.NeedRoot(t)
	mount := t.TempDir()
	pid := hold(t, &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 5, HostID: 1005, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 5, HostID: 1005, Size: 1}},
	}, "mount -t mqueue none "+mount+" && touch "+mount+"/jobs && chown 5:5 "+mount+"/jobs && chmod 0620 "+mount+"/jobs && ipcmk -Q")
	got, err := newReader(t).Read(openNamespace(t, pid), all)
	if err != nil || got.MQ != nil {
		t.Fatal(err, got.MQ)
	}
	if len(got.Objects) != 2 {
		t.Fatalf("%+v", got.Objects)
	}
	if o := got.Objects[1]; o.Name != "/jobs" || o.UID != 1005 || o.GID != 1005 || o.Mode != 0o620 {
		t.Errorf("%+v", o)
	}
}

// TestUserNamespace runs itself as the root of a user namespace, to whom this
// one's IPC namespace is foreign: it cannot be entered, and not come home to.
func TestUserNamespace(t *testing.T) {
	kerneltest.NeedRoot(t)
	const marker = "IPCTRACE_IN_USER_NAMESPACE"
	if os.Getenv(marker) == "" {
		cmd := exec.Command(kerneltest.NeedProgram(t, "unshare"), "--user", "--map-root-user",
			kerneltest.Public(t, "sysvipc.test"), "-test.v", "-test.run=^TestUserNamespace$")
		cmd.Env = append(os.Environ(), marker+"=1")
		cmd.ExtraFiles = []*os.File{newNamespace(t, func() error { return nil })}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}

	child := newNamespace(t, func() error { _, err := msgget(1, unix.IPC_CREAT); return err })
	r := newReader(t)
	before := countFDs(t)
	for range 20 {
		got, err := r.Read(child, all)
		if err != nil || len(got.Objects) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
		if !errors.Is(got.MQ, unix.EPERM) { // the mounts are not ours
			t.Errorf("queues: %v", got.MQ)
		}
		if got.Limits.QueuesMax.Known || !got.Limits.MSGMNI.Known {
			t.Errorf("%+v", got.Limits)
		}
	}
	visited := 0
	if err := r.Each(3, func(i int, look sysvipc.Look) {
		if got, err := look(child, all); err != nil || len(got.Objects) != 1 || i != visited {
			t.Errorf("%d: %+v, %v", i, got, err)
		}
		visited++
	}); err != nil || visited != 3 {
		t.Errorf("%d visits of 3: %v", visited, err)
	}
	allAtHome(t)
	for range 2000 {
		if countFDs(t) <= before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if after := countFDs(t); after > before {
		t.Errorf("%d open files before, %d after", before, after)
	}
	if _, err := r.Read(openNamespace(t, os.Getpid()), all); err != nil {
		t.Errorf("own namespace: %v", err)
	}
	if _, err := r.Read(os.NewFile(3, "foreign"), all); !errors.Is(err, sysvipc.ErrPrivilege) {
		t.Errorf("foreign namespace: %v", err)
	}
}

// BenchmarkReader looks into 100 namespaces with two objects in each.
func BenchmarkReader(b *testing.B) {
	kerneltest.NeedRoot(b)
	spaces := many(b, 100)
	r := newReader(b)
	for b.Loop() {
		for _, ns := range spaces {
			if _, err := r.Read(ns, sysvipc.What{Queues: true}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
