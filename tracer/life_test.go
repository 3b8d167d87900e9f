package tracer_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// deed is what an event says of a change, as far as its doer can say it too.
type deed struct {
	Action tracer.Action
	Cause  tracer.Cause
	Kind   tracer.Kind
	NS     uint64
	ID     int32
	Errno  int

	Known      bool
	Key, Flags int32
	Owner      uint32
	Queue      tracer.Queue

	ByKernel bool
	PID, TID int
	Call     string // "": in none
	ABI      tracer.ABI
}

func deedOf(e tracer.Event) deed {
	d := deed{
		Action: e.Action, Cause: e.Cause, Kind: e.Kind, NS: uint64(e.Namespace), ID: e.ID, Errno: int(e.Errno),
		Known: e.Known, Key: e.Key, Flags: e.Flags, Owner: e.Owner, Queue: e.Queue, ByKernel: e.ByKernel,
	}
	if !e.ByKernel {
		d.PID, d.TID, d.Call, d.ABI = int(e.PID), int(e.TID), e.Syscall(), e.ABI
	}
	if d.Call == "" { // the end of a process: whichever thread is the last, however it last came in
		d.TID, d.ABI = d.PID, 0
	}
	if d.Action == tracer.ActionOpen || d.Action == tracer.ActionGet || d.Action == tracer.ActionFail {
		d.Owner = 0
	}
	return d
}

func deeds(events []tracer.Event) []deed {
	var all []deed
	for _, e := range events {
		all = append(all, deedOf(e))
	}
	return all
}

// by is how a call that was made shows in an event.
func (w way) by(r result) deed {
	d := deed{NS: r.NS, ID: r.ID, PID: r.PID, TID: r.TID, Call: r.Call, ABI: w.abi, Known: true, Errno: r.Errno}
	if w.ipc && slices.Contains(multiplexed, r.Call) {
		d.Call = "ipc"
	}
	if d.Call == "" {
		d.ABI = 0
	}
	d.Kind = map[string]tracer.Kind{"msg": tracer.Msg, "shm": tracer.Shm, "sem": tracer.Sem, "mq": tracer.MQ}[r.Kind]
	return d
}

// multiplexed are the calls of ipc(2).
var multiplexed = []string{"msgget", "shmget", "semget", "msgctl", "shmctl", "semctl", "shmat", "shmdt"}

// args are ipcmaker's, that way.
func (w way) args(args ...string) []string { return slices.Concat(w.flags, args) }

// usable are the ways into this kernel, with removals as C libraries make them.
func usable(t *testing.T) []way {
	all := ways()
	if runtime.GOARCH == "amd64" {
		all = append(all, way{abi: tracer.I386, ipc: true, path: kerneltest.Maker32, flags: []string{"-ipc", "-ipc64"}})
	}
	if !haveX32() {
		all = slices.DeleteFunc(all, func(w way) bool { return w.abi == tracer.X32 })
	}
	if !kerneltest.Have32(t) {
		all = slices.DeleteFunc(all, func(w way) bool { return w.abi == tracer.I386 || w.abi == tracer.ARM32 })
	}
	return all
}

// life is what happened in or to the namespace that pid made, until its number
// was given to another.
func life(events []tracer.Event, pid int, ns uint64) []tracer.Event {
	var mine []tracer.Event
	for _, e := range events {
		if uint64(e.Namespace) != ns {
			continue
		}
		if e.Action == tracer.ActionNamespaceCreate {
			if mine != nil {
				break
			}
			if int(e.PID) != pid {
				continue
			}
		} else if mine == nil {
			continue
		}
		mine = append(mine, e)
	}
	return mine
}

// over: the namespace that pid made is gone.
func over(pid int, ns uint64) func([]tracer.Event) bool {
	return func(events []tracer.Event) bool {
		return slices.ContainsFunc(life(events, pid, ns), func(e tracer.Event) bool { return e.Action == tracer.ActionNamespaceFree })
	}
}

// ends are the marks and removals that processes caused.
func ends(events []tracer.Event) []tracer.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e tracer.Event) bool {
		return e.ByKernel || e.Action != tracer.ActionMark && e.Action != tracer.ActionRemove
	})
}

// witness is what was done, and what of the events is about it.
type witness[T any] struct {
	done []T
	told func([]tracer.Event) []T
}

// agree compares what work did with what is told of it. Where they differ and
// the kernel says that it skipped hooks, nothing is certain: then it does all of
// it again, a few times.
func agree[T any](t *testing.T, cfg tracer.Config, work func(*recording) []witness[T]) {
	t.Helper()
	const attempts = 15
	var witnesses []witness[T]
	for attempt := 1; ; attempt++ {
		events, stats := record(t, cfg, func(r *recording) { witnesses = work(r) })
		var diffs []string
		for _, w := range witnesses {
			if diff := gocmp.Diff(w.done, w.told(events)); diff != "" {
				diffs = append(diffs, diff)
			}
		}
		if len(diffs) == 0 {
			return
		}
		if stats.Skipped == 0 || attempt == attempts {
			t.Errorf("%d runs of hooks skipped; done (-) and told (+):\n%s", stats.Skipped, strings.Join(diffs, "\n"))
			return
		}
		t.Logf("the kernel skipped %d runs of hooks: again", stats.Skipped)
	}
}

// TestKernelRemove: IPC_RMID of each kind, every way.
func TestKernelRemove(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[deed]) {
			for _, w := range usable(t) {
				k := fmt.Sprint(key())
				m := run(t, nil, w.path(t), w.args("-unshare", "uid:1000",
					"msgget:"+k+":01640", "shmget:"+k+":100:01604", "semget:"+k+":2:01600", "semget:0:1:0600",
					"rmid:sem:@0", "rmid:shm", "rmid:msg", "rmid:msg", "rmid:sem:@1")...)
				var done []deed
				for _, r := range m.results[4:] {
					if r.Errno != 0 {
						continue
					}
					got := m.results[slices.IndexFunc(m.results, func(g result) bool { return g.Kind == r.Kind && g.ID == r.ID })]
					d := w.by(r)
					d.Action, d.Cause = tracer.ActionRemove, tracer.CauseRMID
					d.object(tier, got.Key, got.Flags&0o777, 1000)
					done = append(done, d)
				}
				if len(done) != 4 {
					t.Errorf("%v: %d removals, want 4: %+v", w, len(done), m.results)
				}
				all = append(all, witness[deed]{done, func(events []tracer.Event) []deed {
					return deeds(ends(life(events, m.pid, m.results[0].NS)))
				}})
			}
			return all
		})
	})
}

// object says what the object is; tier syscall knows nothing of that.
func (d *deed) object(tier tracer.Tier, key, flags int32, owner uint32) {
	if d.Known = tier == tracer.Fentry; d.Known {
		d.Key, d.Flags, d.Owner = key, flags, owner
	}
}

// TestKernelMark: a segment that is attached at IPC_RMID goes with its last
// detach, whatever that is, in the namespace it is of.
func TestKernelMark(t *testing.T) {
	const dest = 0o1000 // SHM_DEST
	home := fmt.Sprintf("/proc/%d/ns/ipc", os.Getpid())
	lasts := []struct {
		ops   []string
		call  string // of the removal
		cause tracer.Cause
		own   bool // not made the way of the others
	}{
		{ops: []string{"detach"}, call: "shmdt", cause: tracer.CauseDetach},
		{ops: []string{"attach", "detach", "detach"}, call: "shmdt", cause: tracer.CauseDetach},
		{ops: []string{"munmap:4096"}, call: "munmap", cause: tracer.CauseDetach},
		{ops: []string{"unshare", "detach"}, call: "shmdt", cause: tracer.CauseDetach},
		{ops: []string{"setns:" + home, "detach"}, call: "shmdt", cause: tracer.CauseDetach},
		{ops: []string{"setns:" + home, "exit-attached"}, cause: tracer.CauseExit},
		{ops: []string{"exit-attached"}, cause: tracer.CauseExit},
		{ops: []string{"exec"}, call: "execve", cause: tracer.CauseDetach, own: true},
	}
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[deed]) {
			for _, w := range usable(t) {
				for _, last := range lasts {
					if w.abi == tracer.X32 && last.own {
						continue
					}
					k := key()
					m := run(t, nil, w.path(t), w.args(append([]string{
						"-unshare", fmt.Sprintf("shmget:%d:4096:01620", k), "attach", "rmid:shm"}, last.ops...)...)...)
					first := m.results[0]
					mark := w.by(m.results[2])
					mark.Action = tracer.ActionMark
					mark.object(tier, k, dest|0o620, 0)
					done := []deed{mark}
					if tier == tracer.Fentry {
						gone := w.by(result{Call: last.call, Kind: "shm", ID: first.ID, NS: first.NS, PID: m.pid, TID: m.pid})
						gone.Action, gone.Cause = tracer.ActionRemove, last.cause
						gone.object(tier, 0, dest|0o620, 0)
						done = append(done, gone)
					}
					all = append(all, witness[deed]{done, func(events []tracer.Event) []deed {
						return deeds(ends(life(events, m.pid, first.NS)))
					}})
				}
			}
			return all
		})
	})
}

// TestKernelForced: with shm_rmid_forced a segment goes with the exit of its
// maker, or with a detach after which nobody has it attached.
func TestKernelForced(t *testing.T) {
	const forced = "sysctl:shm_rmid_forced=1"
	tests := []struct {
		runs  [][]string // of processes in one namespace; with the last the segment goes
		call  string
		cause tracer.Cause
	}{
		{[][]string{{forced, "shmget:0:4096:0600", "keep"}}, "", tracer.CauseExit},
		{[][]string{{forced, "shmget:0:4096:0600", "unshare"}}, "unshare", tracer.CauseExit},
		{[][]string{{forced, "shmget:0:4096:0600", "attach", "detach"}}, "shmdt", tracer.CauseDetach},
		{[][]string{{forced, "shmget:0:4096:0600", "attach", "exit-attached"}}, "", tracer.CauseExit},
		{[][]string{{"shmget:0:4096:0600", "keep"}, {forced}}, "write", tracer.CauseExit},
		{[][]string{{"shmget:0:4096:0600", "keep"}, {"got:shm:0", "attach", forced, "detach"}}, "shmdt", tracer.CauseDetach},
	}
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[deed]) {
			for _, test := range tests {
				holder := begin(t, kerneltest.Maker64(t), "unshare", "pause")
				ns := holder.read(1)[0].NS
				var last maker
				for _, ops := range test.runs {
					last = run(t, nil, kerneltest.Maker64(t), append([]string{enter(holder.pid)}, ops...)...)
				}
				if left := listed(t, holder.pid, "shm"); left != 0 {
					t.Errorf("%q: %d segments are left, want none", test.runs, left)
				}
				holder.end()
				var done []deed
				if tier == tracer.Fentry {
					gone := ways()[0].by(result{Call: test.call, Kind: "shm", NS: ns, PID: last.pid, TID: last.pid})
					gone.Action, gone.Cause, gone.Flags = tracer.ActionRemove, test.cause, 0o600
					done = []deed{gone}
				}
				all = append(all, witness[deed]{done, func(events []tracer.Event) []deed {
					return deeds(ends(life(events, holder.pid, ns)))
				}})
			}
			return all
		})
	})
}

// enter is ipcmaker's op that goes where a process is.
func enter(pid int) string { return fmt.Sprintf("setns:/proc/%d/ns/ipc", pid) }

// TestKernelSeccompLife: where a seccomp filter answers that it went well,
// nothing was removed, made or opened, and no tier says so. But tier syscall takes
// mq_unlink and setns at their word: nothing in the kernel tells. What other
// calls of a process with a filter really do is told.
func TestKernelSeccompLife(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) []witness[string] {
			self := fmt.Sprintf("/proc/%d/ns/", os.Getpid())
			ops := []string{"-unshare", "keep", "msgget:0:0600", "shmget:0:4096:0600", "semget:0:1:0600", "mq_open:a:0302", "attach"}
			for _, call := range []string{"msgctl", "shmctl", "semctl", "unshare", "mq_unlink", "mq_open"} {
				ops = append(ops, "seccomp:0:"+call)
			}
			ops = append(ops, "rmid:msg", "rmid:shm", "rmid:sem", "unshare", "mq_unlink:a", "mq_open:a:02", "seccomp:0:setns", "setns0:"+self+"ipc",
				"setns:"+self+"ipc", "detach")
			m := run(t, nil, kerneltest.Maker64(t), ops...)
			for _, r := range m.results {
				if r.Errno != 0 || r.NS != m.results[0].NS {
					t.Errorf("ipcmaker: %+v", r)
				}
			}
			done := []string{"namespace create", "msg create", "shm create", "sem create", "mq create"}
			if tier == tracer.Syscall {
				done = append(done, "mq mark", "namespace join")
			}
			return []witness[string]{{done, words(m.pid)}, trulyDone(t, tier)}
		})
	})
}

// trulyDone is what a process with a seccomp filter really does: that is told.
func trulyDone(t *testing.T, tier tracer.Tier) witness[string] {
	t.Helper()
	m := run(t, nil, kerneltest.Maker64(t), "-unshare", "keep", "seccomp:0:semctl", "msgget:0:0600", "rmid:msg", "msgget:0:0600",
		"shmget:0:4096:0600", "attach", "rmid:shm", "mq_open:a:0302", "mq_open:a:02", "unshare", "msgget:0:0600")
	done := []string{
		"namespace create", "msg create", "msg remove", "msg create", "shm create", "shm mark", "mq create", "mq open",
		"namespace create", "msg create",
	}
	if tier == tracer.Fentry {
		done = append(done, "shm remove") // at the end of the process, which had it attached
	}
	return witness[string]{done, words(m.pid)}
}

// words are what a process did, less what the end of its namespaces did.
func words(pid int) func([]tracer.Event) []string {
	return func(events []tracer.Event) (told []string) {
		for _, e := range doneBy(events, pid) {
			switch {
			case e.Cause == tracer.CauseNamespace: // a queue that it still had open
			case e.Action.OfNamespace():
				told = append(told, e.Action.String())
			default:
				told = append(told, e.Kind.String()+" "+e.Action.String())
			}
		}
		return told
	}
}

// TestKernelFiltersLife: who watches a namespace or a kind wants to know of its
// end, whoever does it; births are told always.
func TestKernelFiltersLife(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, test := range []struct {
			name string
			cfg  func(ns uint32) tracer.Config
			want []string // of what another process does in the namespace
		}{
			{
				"others' ids", func(uint32) tracer.Config { return tracer.Config{PIDs: []uint32{1 << 30}, UIDs: []uint32{4711}} },
				[]string{"msg remove", "shm mark", "mq mark", "namespace create", "msg remove"},
			},
			{
				"kind", func(uint32) tracer.Config {
					return tracer.Config{Kinds: []tracer.Kind{tracer.Shm}, UIDs: []uint32{4711}}
				},
				[]string{"shm mark", "namespace create"},
			},
			{
				"namespace", func(ns uint32) tracer.Config { return tracer.Config{Namespaces: []uint32{ns}, UIDs: []uint32{4711}} },
				[]string{"msg remove", "shm mark", "mq mark", "namespace create"},
			},
			{
				"except namespace", func(ns uint32) tracer.Config { return tracer.Config{ExceptNamespace: ns, UIDs: []uint32{4711}} },
				[]string{"namespace create", "msg remove"},
			},
		} {
			t.Run(test.name, func(t *testing.T) {
				holder := begin(t, kerneltest.Maker64(t), "unshare", "pause")
				ns := holder.read(1)[0].NS
				cfg := test.cfg(uint32(ns))
				cfg.Tier = tier
				agree(t, cfg, func(*recording) []witness[string] {
					m := run(t, nil, kerneltest.Maker64(t), enter(holder.pid), "msgget:0:0600", "rmid:msg", "shmget:0:4096:0600",
						"attach", "rmid:shm", "mq_open:a:0302", "mq_unlink:a", "unshare", "msgget:0:0600", "rmid:msg")
					done := append([]string{"namespace join"}, test.want...)
					return []witness[string]{{done, func(events []tracer.Event) []string {
						atExit := func(word string) bool { return word == "shm remove" || word == "mq remove" } // in tier fentry
						return slices.DeleteFunc(words(m.pid)(events), atExit)
					}}}
				})
				holder.end()
			})
		}
	})
}

// listed counts the objects of a kind in a process's namespace.
func listed(t *testing.T, pid int, kind string) (n int) {
	t.Helper()
	inside(t, pid, func() {
		text, err := os.ReadFile("/proc/sysvipc/" + kind)
		if err != nil {
			t.Error(err)
		}
		n = strings.Count(string(text), "\n") - 1 // the heading
	})
	return n
}

// inside does what is to be done in a process's IPC namespace, on a thread that
// ends with it.
func inside(t *testing.T, pid int, do func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/ipc", pid))
		if err == nil {
			err = unix.Setns(int(f.Fd()), unix.CLONE_NEWIPC)
			f.Close()
		}
		if err == nil {
			do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
