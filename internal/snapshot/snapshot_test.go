package snapshot_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"golang.org/x/sys/unix"
)

// eachSource runs a test with the kernel's lists and with /proc alone.
func eachSource(t *testing.T, test func(*testing.T, nsresolve.Options)) {
	t.Helper()
	kerneltest.NeedRoot(t)
	for name, o := range sources() {
		t.Run(name, func(t *testing.T) { test(t, o) })
	}
}

func sources() map[string]nsresolve.Options {
	return map[string]nsresolve.Options{"iterator": snapshot.Options(nsresolve.Options{}), "proc": {}}
}

func take(t *testing.T, o nsresolve.Options) *snapshot.Snapshot {
	t.Helper()
	s, err := snapshot.Take(t.Context(), nsresolve.New(o))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Namespaces {
		if n.From < s.From || n.To < n.From || s.To < n.To {
			t.Errorf("%d from %v to %v, in a snapshot from %v to %v", n.Inode, n.From, n.To, s.From, s.To)
		}
	}
	return s
}

func find(s *snapshot.Snapshot, inode uint64) *snapshot.Namespace {
	i := slices.IndexFunc(s.Namespaces, func(n snapshot.Namespace) bool { return n.Inode == inode })
	if i < 0 {
		return nil
	}
	return &s.Namespaces[i]
}

// hold runs a script in a new IPC namespace, until the test or end ends it.
func hold(t testing.TB, script string) (pid int, inode uint64, end func()) {
	t.Helper()
	kerneltest.NeedRoot(t)
	cmd := exec.Command(kerneltest.NeedProgram(t, "unshare"), "--ipc", "sh", "-c", script+"\necho ready; read x")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = stdin.Close()
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
			_ = cmd.Wait()
		}
	}
	t.Cleanup(end)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "ready" {
	}
	if lines.Text() != "ready" {
		t.Fatalf("%s: %v", script, lines.Err())
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return cmd.Process.Pid, inodeOf(t, ipcOf(cmd.Process.Pid)), end
}

func ipcOf(pid int) string { return fmt.Sprintf("/proc/%d/ns/ipc", pid) }

func inodeOf(t testing.TB, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// takeAlone takes a snapshot while no ipctrace of another test looks into a namespace:
// the thread that does so is in it for a moment.
func takeAlone(t *testing.T, o nsresolve.Options) *snapshot.Snapshot {
	t.Helper()
	visits := func(p nsresolve.Process) bool { return p.Comm == "ipctrace" && !slices.Contains(p.Threads, p.PID) }
	for range 50 {
		s := take(t, o)
		if !slices.ContainsFunc(s.Namespaces, func(n snapshot.Namespace) bool { return slices.ContainsFunc(n.Processes, visits) }) {
			return s
		}
	}
	t.Fatal("another ipctrace looks all the time")
	return nil
}

// TestNamespaces: what lsns lists, with as many processes, and what it does not:
// namespaces of threads, and of descriptors.
func TestNamespaces(t *testing.T) {
	lsns := kerneltest.NeedProgram(t, "lsns")
	eachSource(t, func(t *testing.T, o nsresolve.Options) {
		_, several, _ := hold(t, "sleep 60 >/dev/null & sleep 60 >/dev/null &")
		spread, maker := threads(t, 3)
		mounted := mount(t)
		f, held := descriptor(t)
		defer f.Close()

		out, err := exec.Command(lsns, "--json", "-t", "ipc", "-o", "NS,NPROCS").Output()
		if err != nil {
			kerneltest.Lacks(t, fmt.Sprintf("lsns: %v", err))
		}
		var listed struct {
			Namespaces []struct {
				NS     uint64
				NProcs int
			}
		}
		if err := json.Unmarshal(out, &listed); err != nil {
			t.Fatal(err)
		}
		processes := make(map[uint64]int)
		for _, l := range listed.Namespaces {
			processes[l.NS] = l.NProcs
		}
		s := takeAlone(t, o)
		if n := find(s, several); n == nil || len(n.Processes) != processes[several] || n.Threads != 3 {
			t.Errorf("lsns: %d processes, here: %+v", processes[several], n)
		}
		for _, inode := range spread {
			n := find(s, inode)
			if n == nil || len(n.Processes) != 1 || n.Processes[0].PID != maker || len(n.Processes[0].Threads) != 1 || len(n.Objects) != 1 {
				t.Errorf("a thread's: %+v", n)
			}
		}
		for inode, kind := range map[uint64]nsresolve.PinKind{mounted: nsresolve.PinMount, held: nsresolve.PinFD} {
			n := find(s, inode)
			// A mount is seen in every mount namespace that it has come to.
			if n == nil || n.Threads != 0 || len(n.Pins) == 0 || n.Pins[0].Kind != kind || n.Err != nil || len(n.Objects) != 1 {
				t.Errorf("held by a %s: %+v", kind, n)
			}
		}
	})
}

// threads starts a process with threads in namespaces of their own, and an
// object in each.
func threads(t *testing.T, n int) (inodes []uint64, pid int) {
	t.Helper()
	m := startMaker(t, "-unshare", "-hold", "-threads", strconv.Itoa(n), "msgget:7:896")
	for range n {
		inodes = append(inodes, m.next(t).NS)
	}
	return inodes, m.cmd.Process.Pid
}

// maker is a running internal/ipcmaker.
type maker struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *json.Decoder
}

type result struct {
	Call string
	ID   int32
	NS   uint64
}

func startMaker(t *testing.T, args ...string) *maker {
	t.Helper()
	m := &maker{cmd: exec.Command(kerneltest.Maker64(t), args...)}
	var err1, err2 error
	var stdout io.Reader
	m.stdin, err1 = m.cmd.StdinPipe()
	stdout, err2 = m.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, m.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	m.out = json.NewDecoder(stdout)
	t.Cleanup(func() { m.stdin.Close(); _ = m.cmd.Wait() })
	return m
}

func (m *maker) next(t *testing.T) (r result) {
	t.Helper()
	if err := m.out.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// mount makes a namespace that only a mount holds, with a queue in it.
func mount(t *testing.T) uint64 {
	t.Helper()
	pid, inode, end := hold(t, "ipcmk -Q >&2")
	point := filepath.Join(t.TempDir(), "a ns")
	if err := os.WriteFile(point, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(ipcOf(pid), point, "", unix.MS_BIND, ""); err != nil {
		kerneltest.Lacks(t, fmt.Sprintf("mount: %v", err))
	}
	t.Cleanup(func() { _ = unix.Unmount(point, unix.MNT_DETACH) })
	end()
	return inode
}

// descriptor makes one that only f holds, likewise.
func descriptor(t *testing.T) (f *os.File, inode uint64) {
	t.Helper()
	pid, inode, end := hold(t, "ipcmk -Q >&2")
	f, err := os.Open(ipcOf(pid))
	if err != nil {
		t.Fatal(err)
	}
	end()
	return f, inode
}

// TestSources: the kernel's lists and /proc say the same of a process.
func TestSources(t *testing.T) {
	pid, inode, _ := hold(t, "")
	var got []nsresolve.Namespace
	for _, o := range sources() {
		n := find(take(t, o), inode)
		if n == nil {
			t.Fatal("not there")
		}
		got = append(got, n.Namespace)
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" || got[0].Processes[0].PID != pid {
		t.Errorf("%+v: %s", got[0], diff)
	}
}

// TestObjects: what nsenter shows of /proc/sysvipc.
func TestObjects(t *testing.T) {
	nsenter := kerneltest.NeedProgram(t, "nsenter")
	eachSource(t, func(t *testing.T, o nsresolve.Options) {
		pid, inode, _ := hold(t, "for i in 1 2 3; do ipcmk -Q >&2; ipcmk -M 100 >&2; ipcmk -S 2 >&2; done")
		var want []string
		for _, kind := range sysvipc.Kinds {
			out, err := exec.Command(nsenter, "--ipc="+ipcOf(pid), "cat", "/proc/sysvipc/"+kind).Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
				f := strings.Fields(line)
				want = append(want, kind+" "+f[0]+" "+f[1])
			}
		}
		var got []string
		for _, obj := range find(take(t, o), inode).Objects {
			if obj.Kind != "mq" {
				got = append(got, fmt.Sprintf("%s %d %d", obj.Kind, obj.Key, obj.ID))
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" || len(want) != 9 {
			t.Error(diff)
		}
	})
}

// TestConcurrent: while a process makes a thousand objects, no snapshot has one
// twice or loses one that was there; in the end all are.
func TestConcurrent(t *testing.T) {
	eachSource(t, func(t *testing.T, o nsresolve.Options) {
		m := startMaker(t, "-unshare", "-wait", "-hold", "-repeat", "500", "msgget:0:896", "shmget:0:4096:896")
		type object struct {
			call string
			id   int32
		}
		made := make(map[object]bool)
		done := make(chan uint64)
		go func() {
			var inode uint64
			for range 1000 {
				var r result
				if err := m.out.Decode(&r); err != nil {
					t.Error(err)
					break
				}
				inode, made[object{r.Call, r.ID}] = r.NS, true
			}
			done <- inode
		}()
		if _, err := m.stdin.Write([]byte{'\n'}); err != nil {
			t.Fatal(err)
		}
		seen := func(inode uint64) map[object]bool {
			for _, n := range take(t, o).Namespaces {
				i := slices.IndexFunc(n.Processes, func(p nsresolve.Process) bool { return p.PID == m.cmd.Process.Pid })
				if i < 0 || n.Initial || inode != 0 && n.Inode != inode {
					continue
				}
				objects := make(map[object]bool)
				for _, obj := range n.Objects {
					key := object{obj.Kind + "get", obj.ID}
					if objects[key] {
						t.Errorf("twice: %+v", obj)
					}
					objects[key] = true
				}
				return objects
			}
			return nil
		}
		var before map[object]bool
		for {
			select {
			case inode := <-done:
				if diff := cmp.Diff(made, seen(inode)); diff != "" || len(made) != 1000 {
					t.Errorf("%d made: %s", len(made), diff)
				}
				return
			default:
			}
			now := seen(0)
			for key := range before {
				if !now[key] {
					t.Errorf("%+v was there before", key)
				}
			}
			before = now
		}
	})
}

// TestLetsGo: after a snapshot a namespace is held by nothing of this program's.
func TestLetsGo(t *testing.T) {
	eachSource(t, func(t *testing.T, o nsresolve.Options) {
		_, inode, end := hold(t, "ipcmk -Q >&2")
		take(t, o) // what is opened once and kept
		before := descriptors(t)
		n := find(take(t, o), inode)
		if after := descriptors(t); len(after) != len(before) || slices.Contains(after, fmt.Sprintf("ipc:[%d]", inode)) {
			t.Errorf("open before: %q, after: %q", before, after)
		}
		end()
		alive, err := nsresolve.Alive(n.ID, inode)
		if errors.Is(err, errors.ErrUnsupported) {
			return
		}
		if err != nil || alive {
			t.Errorf("alive: %v, %v", alive, err)
		}
	})
}

func descriptors(t *testing.T) (links []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if link, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			links = append(links, link)
		}
	}
	return links
}

// TestDies: a namespace that dies after it was found is left out.
func TestDies(t *testing.T) {
	_, inode, end := hold(t, "")
	o := snapshot.Options(nsresolve.Options{})
	list := o.Tasks
	found := false
	o.Tasks = func() ([]nsresolve.Thread, error) {
		threads, err := list()
		found = slices.ContainsFunc(threads, func(t nsresolve.Thread) bool { return t.Namespace == inode })
		end()
		return threads, err
	}
	if n := find(take(t, o), inode); n != nil || !found {
		t.Errorf("found %v, then %+v", found, n)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := snapshot.Take(ctx, nsresolve.New(snapshot.Options(nsresolve.Options{}))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRights: without rights one's own namespace is read, and another that is
// seen is told of with the reason.
func TestRights(t *testing.T) {
	setpriv := kerneltest.NeedProgram(t, "setpriv")
	_, inode, _ := hold(t, setpriv+" --reuid 65534 --regid 65534 --clear-groups sleep 60 >/dev/null &")
	// Until it has become that user and has executed sleep.
	is := func(p nsresolve.Process) bool { return p.UID == 65534 && p.Comm == "sleep" }
	for !slices.ContainsFunc(find(take(t, nsresolve.Options{}), inode).Processes, is) {
		time.Sleep(time.Millisecond)
	}
	cmd := exec.Command(kerneltest.Public(t, "take"))
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), takeOnly+"=1")
	cmd.SysProcAttr = &unix.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := map[uint64]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var n told
		if err := dec.Decode(&n); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got[n.Inode] = n.Err
	}
	want := map[uint64]string{inodeOf(t, "/proc/self/ns/ipc"): "", inode: sysvipc.ErrPrivilege.Error()}
	for inode, text := range want {
		if said, ok := got[inode]; !ok || said != text {
			t.Errorf("%d: %q, %v; want %q", inode, said, ok, text)
		}
	}
}
