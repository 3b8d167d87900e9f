package tracer_test

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"unsafe"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// move is what an event says of a namespace that came, went or was entered.
type move struct {
	Action   tracer.Action
	NS, From uint64
	ByKernel bool
	PID, TID int
	Call     string
	ABI      tracer.ABI
}

func moves(events []tracer.Event) []move {
	var all []move
	for _, e := range events {
		if !e.Action.OfNamespace() {
			continue
		}
		m := move{Action: e.Action, NS: uint64(e.Namespace), From: uint64(e.From), ByKernel: e.ByKernel}
		if !e.ByKernel {
			m.PID, m.TID, m.Call, m.ABI = int(e.PID), int(e.TID), e.Syscall(), e.ABI
		}
		all = append(all, m)
	}
	return all
}

// done by a process.
func doneBy(events []tracer.Event, pid int) []tracer.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e tracer.Event) bool { return e.ByKernel || int(e.PID) != pid })
}

// move is how a call that was made shows in an event.
func (w way) move(action tracer.Action, r result, from uint64) move {
	return move{Action: action, NS: r.NS, From: from, PID: r.PID, TID: r.TID, Call: r.Call, ABI: w.abi}
}

// TestKernelNamespaceEnd: a namespace that ends takes its objects along. Tier
// syscall hears nothing of that.
func TestKernelNamespaceEnd(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(r *recording) []witness[deed] {
			m := run(t, nil, kerneltest.Maker64(t), "-unshare", "keep", "uid:1000",
				"shmget:0:1:0600", "msgget:5:01640", "semget:6:1:01600", "shmget:7:4097:01666", "msgget:0:0400",
				"attach", "mq_open:jobs:0102:0600:3:64", "mq_close")
			ns := m.results[0].NS
			done := []deed{{Action: tracer.ActionNamespaceCreate, NS: ns, PID: m.pid, TID: m.pid, Call: "unshare", ABI: ways()[0].abi, Known: true}}
			if tier == tracer.Fentry {
				r.await(over(m.pid, ns))
				gone := func(kind tracer.Kind, id, key, flags int32) deed {
					return deed{
						Action: tracer.ActionRemove, Cause: tracer.CauseNamespace, Kind: kind, NS: ns, ID: id,
						Known: true, Key: key, Flags: flags, Owner: 1000, ByKernel: true,
					}
				}
				queue := gone(tracer.MQ, -1, 0, 0o600)
				queue.Queue = tracer.Queue{Inode: m.results[6].Inode, Mode: 0o600, MaxMsg: 3, MsgSize: 64}
				done = append(done, queue,
					gone(tracer.Sem, m.results[2].ID, 6, 0o600),
					gone(tracer.Msg, m.results[1].ID, 5, 0o640), gone(tracer.Msg, m.results[4].ID, 0, 0o400),
					gone(tracer.Shm, m.results[0].ID, 0, 0o600), gone(tracer.Shm, m.results[3].ID, 7, 0o666),
					deed{Action: tracer.ActionNamespaceFree, NS: ns, Known: true, ByKernel: true})
			}
			return []witness[deed]{{done, func(events []tracer.Event) []deed {
				return deeds(slices.DeleteFunc(life(events, m.pid, ns), func(e tracer.Event) bool {
					return e.Action.Call()
				}))
			}}}
		})
	})
}

// TestKernelNamespaces: a hundred namespaces one after the other are a hundred,
// though they share a few inode numbers.
func TestKernelNamespaces(t *testing.T) {
	const times = 100
	host := uint64(inode(t, "/proc/self/ns/ipc"))
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		calls := []string{"unshare", "clone", "clone3"}
		pids := make([]int, len(calls)) // of who made them
		var told []tracer.Event
		agree(t, tracer.Config{Tier: tier}, func(r *recording) (all []witness[move]) {
			for i, call := range calls {
				args := []string{"-repeat", fmt.Sprint(times), call}
				if call != "unshare" { // the child says where it is
					args = append(args, "msgget:0:0600")
				}
				m := run(t, nil, kerneltest.Maker64(t), args...)
				pids[i] = m.pid
				if tier == tracer.Fentry {
					r.await(func(events []tracer.Event) bool { return len(fates(births(events, m.pid), events)) == times })
				}
				all = append(all, witness[move]{ways()[0].births(tier, m, call, host), func(events []tracer.Event) []move {
					told = events
					return moves(births(events, m.pid))
				}})
			}
			return all
		})
		for i, call := range calls {
			checkIdentities(t, tier, call, births(told, pids[i]), told)
		}
	})
}

// births are those that a process caused.
func births(events []tracer.Event, pid int) []tracer.Event {
	return slices.DeleteFunc(doneBy(events, pid), func(e tracer.Event) bool { return e.Action != tracer.ActionNamespaceCreate })
}

// births are what the results of unshare, clone or clone3 say.
func (w way) births(tier tracer.Tier, m maker, call string, from uint64) (done []move) {
	parent := from
	for i, r := range m.results {
		if r.Call != call {
			continue
		}
		if call != "unshare" {
			r.NS = m.results[i+1].NS
		}
		done = append(done, w.move(tracer.ActionNamespaceCreate, r, parent))
		switch {
		case call == "unshare" && tier == tracer.Syscall:
			parent = 0
			done[len(done)-1].From = 0
		case call == "unshare":
			parent = r.NS
		}
	}
	return done
}

// fates are the ends of namespaces that were born, by inode number and
// position: of each birth the first that follows, before the number's next birth.
func fates(births, events []tracer.Event) (ends []tracer.Event) {
	open := map[uint32]bool{}
	mine := func(e tracer.Event) bool {
		return slices.ContainsFunc(births, func(b tracer.Event) bool { return b.Boot == e.Boot && b.PID == e.PID })
	}
	for _, e := range events {
		switch e.Action {
		case tracer.ActionNamespaceCreate:
			open[e.Namespace] = mine(e)
		case tracer.ActionNamespaceFree:
			if open[e.Namespace] {
				ends = append(ends, e)
			}
			delete(open, e.Namespace)
		}
	}
	return ends
}

// checkIdentities holds births against the ends that follow them, and ids.
func checkIdentities(t *testing.T, tier tracer.Tier, call string, births, events []tracer.Event) {
	t.Helper()
	ends := fates(births, events)
	if want := map[tracer.Tier]int{tracer.Fentry: len(births)}[tier]; len(ends) != want {
		t.Errorf("%s: %d of %d ended before the next of the same number, want %d", call, len(ends), len(births), want)
	}
	numbers, ids := map[uint32]bool{}, map[uint64]bool{}
	born := map[uint64]uint32{}
	for _, e := range births {
		numbers[e.Namespace] = true
		ids[e.NamespaceID] = true
		born[e.NamespaceID] = e.Namespace
	}
	t.Logf("%s: %d namespaces, %d inode numbers, %d ids", call, len(births), len(numbers), len(ids))
	if want := map[bool]int{true: len(births), false: 1}[kernelAtLeast(t, 6, 18)]; len(ids) != want {
		t.Errorf("%s: %d ids, want %d", call, len(ids), want)
	}
	if !kernelAtLeast(t, 6, 18) {
		return
	}
	for _, e := range ends {
		if born[e.NamespaceID] != e.Namespace {
			t.Errorf("end of %d with id %d, which was born as %d", e.Namespace, e.NamespaceID, born[e.NamespaceID])
		}
	}
}

// TestKernelJoin: threads that go back and forth by setns, every way.
func TestKernelJoin(t *testing.T) {
	host := uint64(inode(t, "/proc/self/ns/ipc"))
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[move]) {
			for _, w := range usable(t) {
				if w.ipc { // setns is no call of ipc(2)
					continue
				}
				holder := begin(t, kerneltest.Maker64(t), "unshare", "pause")
				inner := holder.read(1)[0].NS
				self := fmt.Sprintf("/proc/%d/ns/", os.Getpid())
				m := run(t, nil, w.path(t), w.args(
					enter(holder.pid), "setns:"+self+"ipc", fmt.Sprintf("setns0:/proc/%d/ns/ipc", holder.pid), "setns0:"+self+"uts",
					"setns0:"+self+"ipc", fmt.Sprintf("setnspid:%d", holder.pid), enter(holder.pid), "unshare", enter(holder.pid),
					"setns:"+self+"uts")...)
				holder.end()
				var done []move
				at := host
				for _, r := range m.results {
					action, from := tracer.ActionNamespaceJoin, at
					if r.Call == "unshare" {
						action = tracer.ActionNamespaceCreate
					}
					if tier == tracer.Syscall {
						from = 0
					}
					entered := r.NS != at || tier == tracer.Syscall && r.Flags == unix.CLONE_NEWIPC // and went well
					if r.Errno == 0 && entered {
						done = append(done, w.move(action, r, from))
					}
					at = r.NS
				}
				if want := map[tracer.Tier]int{tracer.Fentry: 7, tracer.Syscall: 8}[tier]; len(done) != want || m.results[0].NS != inner {
					t.Errorf("%v: %d moves, want %d: %+v", w, len(done), want, m.results)
				}
				all = append(all, witness[move]{done, func(events []tracer.Event) []move { return moves(doneBy(events, m.pid)) }})
			}
			return all
		})
	})
}

// TestKernelWaysIn: unshare, clone and clone3 by every ABI.
func TestKernelWaysIn(t *testing.T) {
	host := uint64(inode(t, "/proc/self/ns/ipc"))
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[move]) {
			for _, w := range usable(t) {
				if w.ipc {
					continue
				}
				for _, call := range []string{"unshare", "clone", "clone3"} {
					m := run(t, nil, w.path(t), w.args(call, "msgget:0:0600")...)
					all = append(all, witness[move]{w.births(tier, m, call, host), func(events []tracer.Event) []move {
						return moves(doneBy(events, m.pid))
					}})
				}
			}
			return all
		})
	})
}

// TestKernelThreadLives: threads of one process make, move between and leave
// namespaces, each its own.
func TestKernelThreadLives(t *testing.T) {
	const threads = 4
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) []witness[deed] {
			m := run(t, nil, kerneltest.Maker64(t), "-threads", fmt.Sprint(threads),
				"unshare", "msgget:7:01600", fmt.Sprintf("setns0:/proc/%d/ns/ipc", os.Getpid()), "unshare", "msgget:7:01600", "rmid:msg")
			byThread := func(all []deed) []deed {
				slices.SortStableFunc(all, func(a, b deed) int { return a.TID - b.TID })
				return all
			}
			var done []deed
			spaces := map[uint64]bool{}
			for _, r := range m.results {
				d := ways()[0].by(r)
				switch spaces[r.NS] = true; r.Call {
				case "unshare":
					d.Action, d.ID = tracer.ActionNamespaceCreate, 0
				case "setns":
					d.Action, d.ID = tracer.ActionNamespaceJoin, 0
				case "msgctl":
					d.Action, d.Cause = tracer.ActionRemove, tracer.CauseRMID
					d.object(tier, 7, 0o600, 0)
				default:
					continue
				}
				done = append(done, d)
			}
			if len(spaces) < threads+1 || len(done) != 4*threads {
				t.Errorf("%d namespaces, %d changes: %+v", len(spaces), len(done), m.results)
			}
			return []witness[deed]{{byThread(done), func(events []tracer.Event) []deed {
				return byThread(deeds(slices.DeleteFunc(doneBy(events, m.pid), func(e tracer.Event) bool { return e.Action.Call() })))
			}}}
		})
	})
}

// TestKernelStillborn: a clone that fails after it made the namespace.
func TestKernelStillborn(t *testing.T) {
	host := uint64(inode(t, "/proc/self/ns/ipc"))
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(r *recording) []witness[move] {
			cloneInUse(t)
			born := func(events []tracer.Event) []tracer.Event {
				mine := doneBy(events, os.Getpid())
				if len(mine) == 0 {
					return nil
				}
				return life(events, os.Getpid(), uint64(mine[0].Namespace))
			}
			var done []move
			if tier == tracer.Fentry {
				var ns uint64 // nobody but the kernel knows its number
				r.await(func(events []tracer.Event) bool {
					if mine := born(events); mine != nil {
						ns = uint64(mine[0].Namespace)
					}
					return over(os.Getpid(), ns)(events)
				})
				done = []move{
					{Action: tracer.ActionNamespaceCreate, NS: ns, From: host, PID: os.Getpid(), Call: "clone3", ABI: ways()[0].abi},
					{Action: tracer.ActionNamespaceFree, NS: ns, ByKernel: true},
				}
			}
			return []witness[move]{{done, func(events []tracer.Event) []move {
				told := moves(born(events))
				for i := range told {
					told[i].TID = 0 // whichever thread the test is on
				}
				return told
			}}}
		})
	})
}

// cloneInUse asks for a child with a number that is in use: the kernel looks at
// that last (copy_process, kernel/fork.c).
func cloneInUse(t *testing.T) {
	t.Helper()
	pid := int32(os.Getpid())
	args := struct {
		flags, pidFD, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
		setTID                                                               *int32
		setTIDSize                                                           uint64
	}{flags: unix.CLONE_NEWIPC, exitSignal: uint64(unix.SIGCHLD), setTID: &pid, setTIDSize: 1}
	_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	if errno != unix.EEXIST {
		t.Fatalf("clone3: %v, want EEXIST", errno)
	}
}
