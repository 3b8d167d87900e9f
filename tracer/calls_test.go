package tracer_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// way is a way into the kernel.
type way struct {
	abi   tracer.ABI
	ipc   bool
	path  func(testing.TB) string
	flags []string
}

func ways() []way {
	if runtime.GOARCH == "arm64" {
		return []way{{abi: tracer.ARM64, path: kerneltest.Maker64}, {abi: tracer.ARM32, path: kerneltest.Maker32}}
	}
	return []way{
		{abi: tracer.X86_64, path: kerneltest.Maker64},
		{abi: tracer.X32, path: kerneltest.Maker64, flags: []string{"-x32"}},
		{abi: tracer.I386, path: kerneltest.Maker32},
		{abi: tracer.I386, ipc: true, path: kerneltest.Maker32, flags: []string{"-ipc"}},
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
	verdict tracer.Action
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
		{op: call("msgget:0:%d", 0o600), verdict: tracer.ActionCreate},
		{op: call("msgget:0:%d", create|excl|0o640), verdict: tracer.ActionCreate},
		{op: call("msgget:%d:%d", k, 0), verdict: tracer.ActionFail, errno: unix.ENOENT},
		{op: call("msgget:%d:%d", k, create|0o644), verdict: tracer.ActionCreate, unsure: true},
		{op: call("msgget:%d:%d", k, create|0o644), verdict: tracer.ActionOpen, unsure: true},
		{op: call("msgget:%d:%d", k, 0), verdict: tracer.ActionOpen},
		{op: call("msgget:%d:%d", k, create|excl|0o600), verdict: tracer.ActionFail, errno: unix.EEXIST},

		{op: call("shmget:0:%d:%d", 100, 0o600), verdict: tracer.ActionCreate},
		{op: call("shmget:%d:%d:%d", k, 4097, create|excl|0o666), verdict: tracer.ActionCreate},
		{op: call("shmget:%d:%d:%d", k, 10, 0o400), verdict: tracer.ActionOpen},
		{op: call("shmget:%d:%d:%d", k, 10, create|0o400), verdict: tracer.ActionOpen, unsure: true},
		{op: call("shmget:%d:%d:%d", k, 1<<20, 0), verdict: tracer.ActionFail, errno: unix.EINVAL},
		{op: call("shmget:%d:%d:%d", k+1, 4096, 0), verdict: tracer.ActionFail, errno: unix.ENOENT},
		{op: call("shmget:%d:%d:%d", k+1, 0, create|0o600), verdict: tracer.ActionFail, errno: unix.EINVAL},
		{op: call("shmget:%d:%d:%d", k+1, 8192, create|0o600), verdict: tracer.ActionCreate, unsure: true},

		{op: call("semget:0:%d:%d", 3, 0o600), verdict: tracer.ActionCreate},
		{op: call("semget:%d:%d:%d", k, 5, create|0o600), verdict: tracer.ActionCreate, unsure: true},
		{op: call("semget:%d:%d:%d", k, 5, create|excl|0o600), verdict: tracer.ActionFail, errno: unix.EEXIST},
		{op: call("semget:%d:%d:%d", k, 0, 0), verdict: tracer.ActionOpen},
		{op: call("semget:%d:%d:%d", k, 6, 0), verdict: tracer.ActionFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, 0, create), verdict: tracer.ActionFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, -1, create), verdict: tracer.ActionFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, 1<<30, create), verdict: tracer.ActionFail, errno: unix.EINVAL},
		{op: call("semget:%d:%d:%d", k+1, 1, 0), verdict: tracer.ActionFail, errno: unix.ENOENT},

		{op: "uid:1000"},
		{op: call("msgget:%d:%d", k, 0o600), verdict: tracer.ActionFail, errno: unix.EACCES},
		{op: call("semget:%d:%d:%d", k, 0, 0o200), verdict: tracer.ActionFail, errno: unix.EACCES},
		{op: call("shmget:0:%d:%d", 1, 0o700), verdict: tracer.ActionCreate},
	}
}

// noSpace are calls that fail for the limits of their namespace.
func noSpace() []step {
	const create = 0o1000
	return []step{
		{op: "sysctl:msgmni=0"}, {op: "sysctl:shmmni=0"}, {op: "sysctl:sem=32000 1024000000 500 0"},
		{op: fmt.Sprintf("msgget:%d:%d", key(), create|0o600), verdict: tracer.ActionFail, errno: unix.ENOSPC},
		{op: fmt.Sprintf("shmget:%d:1:%d", key(), create|0o600), verdict: tracer.ActionFail, errno: unix.ENOSPC},
		{op: fmt.Sprintf("semget:%d:1:%d", key(), create|0o600), verdict: tracer.ActionFail, errno: unix.ENOSPC},
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
	Call   string
	Key    int32
	Size   uint64
	NSems  int32
	Flags  int32
	ID     int32
	Errno  int
	PID    int
	NSPID  int
	NS     uint64
	Action tracer.Action
	ABI    tracer.ABI
	IPC    bool
}

func told(e tracer.Event) fact {
	return fact{
		Call: e.Kind.String() + "get", Key: e.Key, Size: e.Size, NSems: e.Sems, Flags: e.Flags, ID: e.ID, Errno: int(e.Errno),
		PID: int(e.PID), NSPID: int(e.NSPID), NS: uint64(e.Namespace), Action: e.Action, ABI: e.ABI, IPC: e.Syscall() == "ipc",
	}
}

func done(m maker, r result, w way, v tracer.Action) fact {
	return fact{
		Call: r.Call, Key: r.Key, Size: r.Size, NSems: r.NSems, Flags: r.Flags, ID: r.ID, Errno: r.Errno,
		PID: m.pid, NSPID: r.PID, NS: r.NS, Action: v, ABI: w.abi, IPC: w.ipc,
	}
}

// verdictOn is what the tier can say of a step.
func (s step) verdictOn(tier tracer.Tier) tracer.Action {
	if s.unsure && tier == tracer.Syscall {
		return tracer.ActionGet
	}
	return s.verdict
}

// TestKernelCalls: every outcome, by every ABI, on every tier: exactly one event
// each, which agrees with the caller.
func TestKernelCalls(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
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
	path := w.path(t)
	want := calls(steps)
	events, _ := trace(t, tracer.Config{Tier: tier}, func() {
		m = run(t, nil, path, append(append([]string{"-unshare"}, w.flags...), ops(steps)...)...)
	}, m.number(len(want)))
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
	if !haveX32() {
		t.Skip("n/a: this kernel has no x32")
	}
}

func haveX32() bool {
	const getpid = 39 | 0x40000000
	_, _, errno := unix.Syscall(getpid, 0, 0, 0)
	return errno != unix.ENOSYS
}

// TestKernelThreads: threads of one process, each in a namespace of its own.
func TestKernelThreads(t *testing.T) {
	const threads = 4
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		var m maker
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			m = run(t, nil, kerneltest.Maker64(t), "-unshare", "-threads", fmt.Sprint(threads), "msgget:7:896", "semget:7:1:896")
		}, m.number(2*threads))
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
			got[where{int(e.TID), uint64(e.Namespace), e.Syscall()}]++
		}
		if diff := gocmp.Diff(want, got); diff != "" || len(spaces) != threads {
			t.Errorf("%d namespaces, want %d; done (-) and told (+):\n%s", len(spaces), threads, diff)
		}
	})
}

// TestKernelSeccomp: a filter that answers in the kernel's place makes nothing,
// and no tier says that it did.
func TestKernelSeccomp(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		var m maker
		events, _ := trace(t, tracer.Config{Tier: tier}, func() {
			m = run(t, nil, kerneltest.Maker64(t), "-unshare", "msgget:0:384", "msgget:0:384", "seccomp:0", "msgget:0:384", "semget:0:1:384")
		}, m.number(3+int(tier-tracer.Fentry)))
		var got []string
		for _, e := range of(events, m.pid) {
			got = append(got, e.Kind.String()+" "+e.Action.String())
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
