package tracer_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// way is a way into the kernel.
type way struct {
	abi   tracer.ABI
	ipc   bool
	path  func(*testing.T) string
	flags []string
}

func ways() []way {
	if runtime.GOARCH == "arm64" {
		return []way{{abi: tracer.ARM64, path: make64}, {abi: tracer.ARM32, path: make32}}
	}
	return []way{
		{abi: tracer.X86_64, path: make64},
		{abi: tracer.X32, path: make64, flags: []string{"-x32"}},
		{abi: tracer.I386, path: make32},
		{abi: tracer.I386, ipc: true, path: make32, flags: []string{"-ipc"}},
	}
}

func (w way) String() string {
	if w.ipc {
		return w.abi.String() + "-ipc"
	}
	return w.abi.String()
}

// step is one call and what must be told of it.
type step struct {
	op      string
	verdict tracer.Verdict
	errno   unix.Errno
	// unsure: without hooks inside the kernel, created and found look the same.
	unsure bool
}

// steps are every outcome of every kind, in a namespace of their own.
func steps() []step {
	k := key()
	const create, excl = 0o1000, 0o2000
	call := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	return []step{
		{op: call("msgget:0:%d", 0o600), verdict: tracer.VerdictCreate},
		{op: call("msgget:0:%d", create|excl|0o640), verdict: tracer.VerdictCreate},
		{op: call("msgget:%d:%d", k, 0), verdict: tracer.VerdictFail, errno: unix.ENOENT},
		{op: call("msgget:%d:%d", k, create|0o644), verdict: tracer.VerdictCreate, unsure: true},
		{op: call("msgget:%d:%d", k, create|0o644), verdict: tracer.VerdictOpen, unsure: true},
		{op: call("msgget:%d:%d", k, 0), verdict: tracer.VerdictOpen},
		{op: call("msgget:%d:%d", k, create|excl|0o600), verdict: tracer.VerdictFail, errno: unix.EEXIST},

		{op: call("shmget:0:%d:%d", 100, 0o600), verdict: tracer.VerdictCreate},
		{op: call("shmget:%d:%d:%d", k, 4097, create|excl|0o666), verdict: tracer.VerdictCreate},
		{op: call("shmget:%d:%d:%d", k, 10, 0o400), verdict: tracer.VerdictOpen},
		{op: call("shmget:%d:%d:%d", k, 10, create|0o400), verdict: tracer.VerdictOpen, unsure: true},
		{op: call("shmget:%d:%d:%d", k, 1<<20, 0), verdict: tracer.VerdictFail, errno: unix.EINVAL},
		{op: call("shmget:%d:%d:%d", k+1, 4096, 0), verdict: tracer.VerdictFail, errno: unix.ENOENT},
		{op: call("shmget:%d:%d:%d", k+1, 0, create|0o600), verdict: tracer.VerdictFail, errno: unix.EINVAL},
		{op: call("shmget:%d:%d:%d", k+1, 8192, create|0o600), verdict: tracer.VerdictCreate, unsure: true},

		{op: call("semget:0:%d:%d", 3, 0o600), verdict: tracer.VerdictCreate},
		{op: call("semget:%d:%d:%d", k, 5, create|0o600), verdict: tracer.VerdictCreate, unsure: true},
		{op: call("semget:%d:%d:%d", k, 5, create|excl|0o600), verdict: tracer.VerdictFail, errno: unix.EEXIST},
		{op: call("semget:%d:%d:%d", k, 0, 0), verdict: tracer.VerdictOpen},
		{op: call("semget:%d:%d:%d", k, 6, 0), verdict: tracer.VerdictFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, 0, create), verdict: tracer.VerdictFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, -1, create), verdict: tracer.VerdictFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, 1<<30, create), verdict: tracer.VerdictFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, 1, 0), verdict: tracer.VerdictFail, errno: unix.ENOENT},

		{op: "uid:1000"},
		{op: call("msgget:%d:%d", k, 0o600), verdict: tracer.VerdictFail, errno: unix.EACCES},
		{op: call("semget:%d:%d:%d", k, 0, 0o200), verdict: tracer.VerdictFail, errno: unix.EACCES},
		{op: call("shmget:0:%d:%d", 1, 0o700), verdict: tracer.VerdictCreate},
	}
}

// noSpace are calls that fail for the limits of their namespace.
func noSpace() []step {
	const create = 0o1000
	return []step{
		{op: "sysctl:msgmni=0"}, {op: "sysctl:shmmni=0"}, {op: "sysctl:sem=32000 1024000000 500 0"},
		{op: fmt.Sprintf("msgget:%d:%d", key(), create|0o600), verdict: tracer.VerdictFail, errno: unix.ENOSPC},
		{op: fmt.Sprintf("shmget:%d:1:%d", key(), create|0o600), verdict: tracer.VerdictFail, errno: unix.ENOSPC},
		{op: fmt.Sprintf("semget:%d:1:%d", key(), create|0o600), verdict: tracer.VerdictFail, errno: unix.ENOSPC},
	}
}

func ops(steps []step) []string {
	var ops []string
	for _, s := range steps {
		ops = append(ops, s.op)
	}
	return ops
}

// calls are the steps of which an event must tell.
func calls(steps []step) []step {
	return slices.DeleteFunc(slices.Clone(steps), func(s step) bool {
		return strings.HasPrefix(s.op, "sysctl") || strings.HasPrefix(s.op, "uid")
	})
}

// fact is what an event says, as far as the caller can say it too.
type fact struct {
	Call    string
	Key     int32
	Size    uint64
	NSems   int32
	Flags   int32
	ID      int32
	Errno   int
	PID     int
	NSPID   int
	NS      uint64
	Verdict tracer.Verdict
	ABI     tracer.ABI
	IPC     bool
}

func told(e tracer.Event) fact {
	return fact{
		Call: e.Kind.Call(), Key: e.Key, Size: e.Size, NSems: e.Sems, Flags: e.Flags, ID: e.ID, Errno: int(e.Errno),
		PID: int(e.PID), NSPID: int(e.NSPID), NS: uint64(e.Namespace), Verdict: e.Verdict, ABI: e.ABI, IPC: e.IPCCall,
	}
}

func done(m maker, r result, w way, v tracer.Verdict) fact {
	return fact{
		Call: r.Call, Key: r.Key, Size: r.Size, NSems: r.NSems, Flags: r.Flags, ID: r.ID, Errno: r.Errno,
		PID: m.pid, NSPID: r.PID, NS: r.NS, Verdict: v, ABI: w.abi, IPC: w.ipc,
	}
}

// verdictOn is what the tier can say of a step.
func (s step) verdictOn(tier tracer.Tier) tracer.Verdict {
	if s.unsure && tier == tracer.Syscall {
		return tracer.VerdictGet
	}
	return s.verdict
}

// TestKernelCalls: every outcome, by every ABI, on every tier: exactly one event
// each, which agrees with the caller.
func TestKernelCalls(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, w := range ways() {
			t.Run(w.String(), func(t *testing.T) {
				if w.abi == tracer.X32 {
					needX32(t)
				}
				checkSteps(t, tier, w, steps())
				checkSteps(t, tier, w, noSpace())
			})
		}
	})
}

func checkSteps(t *testing.T, tier tracer.Tier, w way, steps []step) {
	t.Helper()
	var m maker
	events, _ := trace(t, tracer.Config{Tier: tier}, func() {
		m = run(t, nil, w.path(t), append(append([]string{"-unshare"}, w.flags...), ops(steps)...)...)
	})
	want := calls(steps)
	if len(m.results) != len(want) {
		t.Fatalf("ipcmaker made %d calls, want %d", len(m.results), len(want))
	}
	var facts, claims []fact
	for i, r := range m.results {
		if r.Errno != int(want[i].errno) {
			t.Errorf("%s: errno %d, the test expects %v", want[i].op, r.Errno, want[i].errno)
		}
		facts = append(facts, done(m, r, w, want[i].verdictOn(tier)))
	}
	for _, e := range of(events, m.pid) {
		claims = append(claims, told(e))
	}
	if diff := gocmp.Diff(facts, claims); diff != "" {
		t.Errorf("done (-) and told (+):\n%s", diff)
	}
}

// needX32 skips where the kernel has no x32: then there is nothing to see.
func needX32(t *testing.T) {
	t.Helper()
	const getpid = 39 | 0x40000000
	if _, _, errno := unix.Syscall(getpid, 0, 0, 0); errno == unix.ENOSYS {
		t.Skip("n/a: this kernel has no x32")
	}
}

// TestKernelProcess: what an event says of its process.
func TestKernelProcess(t *testing.T) {
	const comm = "\x1b[31m\xff\n ok"
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, w := range ways() {
			if w.ipc || w.abi == tracer.X32 {
				continue
			}
			t.Run(w.String(), func(t *testing.T) {
				before := boot()
				var m maker
				events, _ := trace(t, tracer.Config{Tier: tier}, func() {
					m = run(t, nil, w.path(t), "-unshare", "-comm", comm, "uid:1234", "msgget:0:384")
				})
				events = of(events, m.pid)
				if len(events) != 1 {
					t.Fatalf("%d events, want 1", len(events))
				}
				e := events[0]
				checkProcess(t, e, m, comm)
				if e.Boot < before || e.Boot > boot() {
					t.Errorf("boot stamp %v, not between %v and now", e.Boot, before)
				}
				if d := time.Since(e.Time); d < 0 || d > time.Minute {
					t.Errorf("wall time %v, %v ago", e.Time, d)
				}
			})
		}
	})
}

func checkProcess(t *testing.T, e tracer.Event, m maker, comm string) {
	t.Helper()
	parent, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	type who struct {
		TID, PPID              int
		UID, GID, EUID, EGID   uint32
		Comm, ParentComm       string
		HasCgroup, HasKernelID bool
	}
	got := who{
		TID: int(e.TID), PPID: int(e.PPID), UID: e.UID, GID: e.GID, EUID: e.EUID, EGID: e.EGID,
		Comm: e.Comm, ParentComm: e.ParentComm, HasCgroup: e.CgroupID != 0, HasKernelID: e.NamespaceID != 0,
	}
	want := who{
		TID: m.results[0].TID, PPID: os.Getpid(), UID: 1234, GID: 1234, EUID: 1234, EGID: 1234,
		Comm: comm, ParentComm: strings.TrimSuffix(string(parent), "\n"),
		HasCgroup: true, HasKernelID: kernelAtLeast(t, 6, 18),
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), told (+):\n%s", diff)
	}
}

func boot() time.Duration {
	var clock tracer.Clock
	return clock.Boot()
}

func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &a, &b); err != nil {
		t.Fatal(err)
	}
	return cmp.Or(cmp.Compare(a, major), cmp.Compare(b, minor)) >= 0
}

// TestKernelNamespaceID: the kernel's id is what its ioctl says (6.18 and up).
func TestKernelNamespaceID(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		if !kernelAtLeast(t, 6, 18) {
			t.Skip("n/a: namespaces have ids from 6.18 on")
		}
		id, err := namespaceID("/proc/self/ns/ipc")
		if err != nil {
			t.Fatal(err)
		}
		var m maker
		events, _ := trace(t, tracer.Config{Tier: tier}, func() { m = run(t, nil, make64(t), "msgget:0:384") })
		for _, e := range of(events, m.pid) {
			if e.NamespaceID != id {
				t.Errorf("id %d, the kernel says %d", e.NamespaceID, id)
			}
		}
	})
}

// TestKernelPIDNamespace: the number a process has for itself.
func TestKernelPIDNamespace(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		var m maker
		attr := &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWIPC}
		events, _ := trace(t, tracer.Config{Tier: tier}, func() { m = run(t, attr, make64(t), "msgget:0:384") })
		events = of(events, m.pid)
		if len(events) != 1 || events[0].NSPID != 1 || m.results[0].PID != 1 {
			t.Errorf("want one event of pid 1, told: %+v", events)
		}
	})
}

// TestKernelThreads: threads of one process, each in a namespace of its own.
func TestKernelThreads(t *testing.T) {
	const threads = 4
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		var m maker
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			m = run(t, nil, make64(t), "-unshare", "-threads", fmt.Sprint(threads), "msgget:7:896", "semget:7:1:896")
		})
		type where struct {
			TID int
			NS  uint64
			Op  string
		}
		want, got := map[where]int{}, map[where]int{}
		spaces := map[uint64]bool{}
		for _, r := range m.results {
			want[where{r.TID, r.NS, r.Call}]++
			spaces[r.NS] = true
		}
		for _, e := range of(events, m.pid) {
			got[where{int(e.TID), uint64(e.Namespace), e.Kind.Call()}]++
		}
		if diff := gocmp.Diff(want, got); diff != "" || len(spaces) != threads {
			t.Errorf("%d namespaces, want %d; done (-) and told (+):\n%s", len(spaces), threads, diff)
		}
	})
}

// TestKernelLoss: a reader that does not read loses events, and every one of
// them is counted and told.
func TestKernelLoss(t *testing.T) {
	const calls = 2000
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: os.Getpagesize()})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		for range 2 { // a ring that was full goes on
			run(t, nil, make64(t), "-unshare", "-repeat", fmt.Sprint(calls), "msgget:7:896")
		}
		tr.Stop()
		var told, delivered uint64
		for _, err := range tr.Events() {
			var loss *tracer.Loss
			switch {
			case err == nil:
				delivered++
			case errors.Is(err, tracer.ErrSkipped):
			case errors.As(err, &loss) && errors.Is(err, tracer.ErrRingFull):
				told += loss.Count
				if loss.From.After(loss.To) {
					t.Errorf("loss from %v to %v", loss.From, loss.To)
				}
			default:
				t.Fatal(err)
			}
		}
		s := tr.Stats()
		if s.Produced < 2*calls || s.Lost == 0 || s.Delivered == 0 ||
			s.Lost != told || s.Delivered != delivered || s.Lost+s.Delivered != s.Produced {
			t.Errorf("told %d lost and %d delivered, stats %+v", told, delivered, s)
		}
	})
}

// TestKernelFilters: what a filter leaves out is not produced, so it takes no
// room in the ring.
func TestKernelFilters(t *testing.T) {
	host := inode(t, "/proc/self/ns/ipc")
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, test := range []struct {
			name string
			cfg  tracer.Config
			want int
		}{
			{"none", tracer.Config{}, 7},
			{"kinds", tracer.Config{Kinds: []tracer.Kind{tracer.Shm, tracer.Sem}}, 4},
			{"uid", tracer.Config{UIDs: []uint32{1000}}, 1},
			{"uids", tracer.Config{UIDs: []uint32{1000, 0}}, 7},
			{"namespace", tracer.Config{Namespaces: []uint32{host}}, 4},
			{"except namespace", tracer.Config{ExceptNamespace: host}, 3},
			{"no such pid", tracer.Config{PIDs: []uint32{1 << 30}}, 0},
			{"all must match", tracer.Config{ExceptNamespace: host, Kinds: []tracer.Kind{tracer.Msg}, UIDs: []uint32{0}}, 1},
		} {
			t.Run(test.name, func(t *testing.T) {
				test.cfg.Tier = tier
				var mine []int
				events, stats := trace(t, test.cfg, func() {
					kinds := []string{"msgget:0:384", "shmget:0:1:384", "semget:0:1:384"}
					mine = append(mine, run(t, nil, make64(t), append([]string{"-unshare"}, kinds...)...).pid)
					mine = append(mine, run(t, nil, make64(t), kinds...).pid)
					mine = append(mine, run(t, nil, make64(t), "uid:1000", "msgget:0:384").pid)
				})
				if stats.Produced != uint64(len(events)) {
					t.Errorf("%d produced, %d told", stats.Produced, len(events))
				}
				events = slices.DeleteFunc(events, func(e tracer.Event) bool { return !slices.Contains(mine, int(e.PID)) })
				if len(events) != test.want {
					t.Errorf("%d events, want %d: %+v", len(events), test.want, events)
				}
			})
		}
	})
}

// TestKernelPIDFilter: one process of two.
func TestKernelPIDFilter(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		m, begin := waiting(t, make64(t), "-wait", "msgget:0:384", "shmget:0:1:384")
		events, stats := trace(t, tracer.Config{Tier: tier, PIDs: []uint32{uint32(m.pid)}}, func() {
			run(t, nil, make64(t), "msgget:0:384")
			begin()
		})
		if len(of(events, m.pid)) != 2 || stats.Produced != 2 {
			t.Errorf("want 2 events of %d, told %+v", m.pid, events)
		}
	})
}

// TestKernelStop: Stop ends Events once, and a closed tracer tells nothing.
func TestKernelStop(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		tr, err := tracer.Open(tracer.Config{Tier: tier})
		if err != nil {
			t.Fatal(err)
		}
		m := run(t, nil, make64(t), "msgget:0:384", "msgget:0:384", "msgget:0:384")
		for e, err := range tr.Events() { // leaving the loop loses nothing
			if err != nil && !errors.Is(err, tracer.ErrSkipped) {
				t.Fatal(err)
			}
			if int(e.PID) == m.pid {
				break
			}
		}
		tr.Stop()
		tr.Stop()
		run(t, nil, make64(t), "msgget:0:384") // after the end
		var rest []tracer.Event
		for e, err := range tr.Events() {
			if err != nil && !errors.Is(err, tracer.ErrSkipped) {
				t.Fatal(err)
			}
			rest = append(rest, e)
		}
		if len(of(rest, m.pid)) != 2 {
			t.Errorf("want the 2 events that were left, told %+v", rest)
		}
		tr.Close()
		tr.Close()
		for e, err := range tr.Events() {
			t.Errorf("closed tracer tells %+v, %v", e, err)
		}
	})
}

// TestKernelLeave: leaving the loop, be it at a loss, drops nothing, and Events
// after the end is a loop without a turn.
func TestKernelLeave(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: os.Getpagesize()})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		var delivered, lost uint64
		turn := func() bool {
			for _, err := range tr.Events() {
				var loss *tracer.Loss
				switch {
				case errors.Is(err, tracer.ErrSkipped):
				case errors.As(err, &loss):
					lost += loss.Count
				case err != nil:
					t.Fatal(err)
				default:
					delivered++
				}
				return true
			}
			return false
		}
		for range 3 {
			run(t, nil, make64(t), "-unshare", "-repeat", "100", "msgget:7:896")
			for range 20 { // makes room, so that the next events tell of the loss
				turn()
			}
		}
		tr.Stop()
		for turn() {
		}
		if turn() {
			t.Error("an event after the end")
		}
		if s := tr.Stats(); s.Delivered != delivered || s.Lost != lost || s.Pending != 0 || s.Lost == 0 {
			t.Errorf("%d delivered, %d lost; stats %+v", delivered, lost, s)
		}
	})
}

// TestKernelSeccomp: a filter that answers in the kernel's place makes nothing,
// and no tier says that it did.
func TestKernelSeccomp(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		var m maker
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			m = run(t, nil, make64(t), "-unshare", "msgget:0:384", "msgget:0:384", "seccomp:0", "msgget:0:384", "semget:0:1:384")
		})
		var got []string
		for _, e := range of(events, m.pid) {
			got = append(got, e.Kind.String()+" "+e.Verdict.String())
		}
		want := []string{"msg create", "msg create", "sem create"}
		if tier == tracer.Syscall { // it saw a result: whose, it cannot know
			want = []string{"msg create", "msg create", "msg get", "sem create"}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("want (-), told (+):\n%s", diff)
		}
	})
}

// TestKernelDescriptors: opening and closing leaves no file descriptor behind.
func TestKernelDescriptors(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		cycle := func() {
			tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: 1 << 16})
			if err != nil {
				t.Fatal(err)
			}
			tr.Close()
			if tr, err = tracer.Open(tracer.Config{Tier: tracer.Fentry}); err == nil { // may fail half-way
				tr.Close()
			}
		}
		cycle() // what is opened once and kept
		before := descriptors(t)
		for range 2 {
			cycle()
		}
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// TestKernelPrivilege: CAP_BPF and CAP_PERFMON are enough, and are needed.
func TestKernelPrivilege(t *testing.T) {
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		out, err := openAs(t, 1000, tier, unix.CAP_BPF, unix.CAP_PERFMON)
		if err != nil || !strings.Contains(out, "attached "+tier.String()) {
			t.Errorf("with both: %v: %s", err, out)
		}
		out, err = openAs(t, 1000, tier)
		if err == nil || !strings.HasPrefix(out, "ErrPrivilege") {
			t.Errorf("without: %v: %s", err, out)
		}
	})
}

// openAs opens a tracer in a process of another user.
func openAs(t *testing.T, uid uint32, tier tracer.Tier, caps ...uintptr) (string, error) {
	t.Helper()
	// The test binary lies in a directory that others may not enter.
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ipctrace")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	open := filepath.Join(dir, "open")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(open, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(open)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), openOnly+"="+tier.String())
	cmd.SysProcAttr = &unix.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true},
		AmbientCaps: caps,
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestKernelAuto: auto takes fentry wherever it attaches; a tier that cannot be
// had is refused with the reason.
func TestKernelAuto(t *testing.T) {
	needRoot(t)
	tr, err := tracer.Open(tracer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	if tr.Tier() != tiers()[0] {
		t.Errorf("auto took %v, want %v", tr.Tier(), tiers()[0])
	}
	if slices.Contains(tiers(), tracer.Fentry) {
		return
	}
	if _, err := tracer.Open(tracer.Config{Tier: tracer.Fentry}); !errors.Is(err, tracer.ErrNoHooks) {
		t.Errorf("want ErrNoHooks, got %v", err)
	}
}

// TestKernelMatrixTier: what each kernel of the matrix has, so that a tier that
// stops attaching does not go unnoticed.
func TestKernelMatrixTier(t *testing.T) {
	guest := os.Getenv("IPCTRACE_IN_GUEST")
	if guest == "" {
		t.Skip("n/a: outside the kernel matrix")
	}
	want := []tracer.Tier{tracer.Fentry, tracer.Syscall}
	if guest == "arm64-6.1" { // fexit loads and does not attach
		want = []tracer.Tier{tracer.Syscall}
	}
	if diff := gocmp.Diff(want, tiers()); diff != "" {
		t.Errorf("%s: want (-), have (+):\n%s", guest, diff)
	}
	hooks, err := tracer.Probe()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks {
		if got, want := h.Err == nil, slices.Contains(want, h.Tier); got != want {
			t.Errorf("%v %s: attached %v, want %v: %v", h.Tier, h.Function, got, want, h.Err)
		}
	}
}

// TestKernelClockStep: the wall clock steps while events come.
func TestKernelClockStep(t *testing.T) {
	if os.Getenv("IPCTRACE_IN_GUEST") == "" {
		t.Skip("n/a: steps the clock, so only in a guest of the kernel matrix")
	}
	eachTier(t, func(t *testing.T, tier tracer.Tier) {
		var before, after maker
		var stepped time.Time
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			before = run(t, nil, make64(t), "msgget:0:384")
			time.Sleep(200 * time.Millisecond) // until it is read: the ring has no acknowledgement
			tv := unix.NsecToTimeval(time.Now().Add(10 * time.Hour).UnixNano())
			if err := unix.Settimeofday(&tv); err != nil {
				t.Fatal(err)
			}
			stepped = time.Now().Round(0)
			time.Sleep(1100 * time.Millisecond) // the offset is measured again after a second
			after = run(t, nil, make64(t), "msgget:0:384")
		})
		a, b := of(events, before.pid), of(events, after.pid)
		if len(a) != 1 || len(b) != 1 || a[0].Time.After(stepped.Add(-9*time.Hour)) || b[0].Time.Before(stepped) {
			t.Errorf("clock stepped to %v; told %+v and %+v", stepped, a, b)
		}
	})
}

func inode(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// namespaceID asks the kernel for the id of the namespace at path.
func namespaceID(path string) (uint64, error) {
	const nsGetID = 0x8008b70d // NS_GET_ID, include/uapi/linux/nsfs.h
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var id uint64
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), nsGetID, uintptr(unsafe.Pointer(&id))); errno != 0 {
		return 0, errno
	}
	return id, nil
}
