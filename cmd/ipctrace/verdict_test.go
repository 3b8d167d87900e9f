package main

import (
	"os/exec"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// isolated is a proof in which everything is as it should be: A is process 1 in
// namespace 100, B process 2 in namespace 200.
func isolated(t *testing.T) *proof {
	t.Helper()
	const key = 0x69000001
	p := &proof{
		key: key, tier: tracer.Fentry, a: finished(t), b: finished(t),
		links: []nsresolve.Link{
			{Name: "ipc", A: "ipc:[100]", B: "ipc:[200]"},
			{Name: "pid", A: "pid:[5]", B: "pid:[5]", Same: true},
		},
		madeA: objects{Key: key, Msg: 7, Shm: 8, Sem: 9},
		madeB: objects{Key: key, Msg: 0, Shm: 0, Sem: 0},
		stats: tracer.Stats{Produced: 6, Delivered: 6},
	}
	p.inB = listOf(p.madeB)
	p.laterA, p.laterB = append(listOf(p.madeA), sysvipc.Object{Kind: "msg", Key: 1, ID: 1}), listOf(p.madeB)
	p.events = append(creations(p.b, 200, p.madeB), creations(p.a, 100, p.madeA)...)
	p.ends = append(removals(p.a, 100, p.madeA), removals(p.b, 200, p.madeB)...)
	return p
}

// finished is a party that has ended: its number is all that is asked for.
func finished(t *testing.T) *party {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return &party{cmd: cmd}
}

func listOf(o objects) []sysvipc.Object {
	return []sysvipc.Object{
		{Kind: "msg", Key: o.Key, ID: int32(o.Msg)}, {Kind: "shm", Key: o.Key, ID: int32(o.Shm)}, {Kind: "sem", Key: o.Key, ID: int32(o.Sem)},
	}
}

func creations(who *party, inode uint64, o objects) []*event.Event {
	var events []*event.Event
	for _, made := range listOf(o) {
		events = append(events, &event.Event{
			Event: event.ObjectCreate, NS: &event.Namespace{Inode: inode},
			Object:  &event.Object{Kind: made.Kind, ID: &made.ID, Key: event.Key(made.Key)},
			Process: &event.Process{PID: 4000, NSPID: uint32(who.pid())},
		})
	}
	return events
}

func removals(who *party, inode uint64, o objects) []*event.Event {
	events := creations(who, inode, o)
	for _, e := range events {
		e.Event, e.Cause = event.ObjectRemove, event.CauseRMID
	}
	return events
}

// TestVerdict: whatever is not as it should be makes the checks that look at it
// fail, and those alone.
func TestVerdict(t *testing.T) {
	const links, sawB, inB, notInA, sawA, inA, asWas, elsewhere, ends, lost, left = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
	for _, test := range []struct {
		name   string
		change func(p *proof)
		failed []int
	}{
		{"isolated", func(*proof) {}, nil},
		{"another link differs", func(p *proof) { p.links[1].Same = false }, []int{links}},
		{"one namespace", func(p *proof) { p.links[0].B, p.links[0].Same = "ipc:[100]", true }, []int{links, sawB, elsewhere, ends}},
		{"B's object told in A's namespace", func(p *proof) { p.events[0].NS.Inode = 100 }, []int{sawB, elsewhere}},
		{"A's object told in B's namespace", func(p *proof) { p.events[5].NS.Inode = 200 }, []int{sawA, elsewhere}},
		{"an event missing", func(p *proof) { p.events = p.events[1:] }, []int{sawB}},
		{"an event twice", func(p *proof) { p.events = append(p.events, p.events[5]) }, []int{sawA}},
		{"a stranger with the key", func(p *proof) {
			p.events = append(p.events, &event.Event{
				NS: &event.Namespace{Inode: 100}, Object: &event.Object{Kind: "msg"}, Process: &event.Process{NSPID: 1 << 30},
			})
		}, []int{elsewhere}},
		{"not certain", func(p *proof) { p.events[1].Event = event.ObjectGet }, []int{sawB}},
		{"another id", func(p *proof) { *p.events[3].Object.ID = 77 }, []int{sawA}},
		{"not listed in B", func(p *proof) { p.inB = p.inB[1:] }, []int{inB, asWas}},
		{"B's objects listed in A", func(p *proof) { p.inA = p.inB[:1] }, []int{notInA}},
		{"not listed in A", func(p *proof) { p.laterA = nil }, []int{inA}},
		{"A's objects listed in B", func(p *proof) { p.laterB = append(slices.Clone(p.laterB), p.laterA[0]) }, []int{asWas}},
		{"a removal not seen", func(p *proof) { p.ends = p.ends[1:] }, []int{ends}},
		{"removed by the other", func(p *proof) { p.ends[0].Process = p.ends[5].Process }, []int{ends}},
		{"removed by nobody", func(p *proof) { p.ends[0].Process = nil }, []int{ends}},
		{"lost", func(p *proof) { p.stats.Produced, p.stats.Lost = 7, 1 }, []int{lost}},
		{"never read", func(p *proof) { p.stats.Produced, p.stats.Pending = 7, 1 }, []int{lost}},
		{"a hook skipped", func(p *proof) { p.stats.Skipped = 1 }, []int{lost}},
		{"a system call of anybody's skipped", func(p *proof) { p.tier, p.stats.Skipped = tracer.Syscall, 1 }, nil},
		{"left behind", func(p *proof) { p.left = p.laterA[:1] }, []int{left}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := isolated(t)
			test.change(p)
			checks := p.checks()
			var failed []int
			for i, c := range checks {
				if !c.OK {
					failed = append(failed, i)
				}
			}
			if diff := cmp.Diff(test.failed, failed); diff != "" || proved(checks) != (failed == nil) {
				t.Errorf("checks that fail: want (-), got (+)\n%s%+v", diff, checks)
			}
		})
	}
}
