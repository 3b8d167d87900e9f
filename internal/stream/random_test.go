package stream_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// The clock of a history: when tracing begins, when all changes are over, how
// long a thread can be held up between what it does and the hook that tells of
// it, how long a snapshot takes, and how long it is from one to the next.
const (
	attached = 500
	over     = 4000
	heldUp   = 30
	taking   = 40
	interval = 150
	never    = time.Duration(1 << 40)
)

// rules are what a history may have.
type rules struct {
	ids    bool // the kernel has ids of namespaces
	frees  bool // the hooks tell of the end of namespaces
	losses bool
}

// history is all that ever happens on a machine, and when.
type history struct {
	*rand.Rand
	rules
	spaces []*place
	events []*tracer.Event
	lost   uint64
	lastID uint64
	queues int32 // inode numbers of queues so far: get_next_ino, fs/inode.c
}

// place is a namespace. It and what is in it are there from its first moment to
// its last one, that one excluded.
type place struct {
	inode       uint32
	id          uint64
	from, until time.Duration
	ready       time.Duration // its birth has been told
	things      []*item
	names       int32
}

// item is an object.
type item struct {
	kind        tracer.Kind
	id          int32 // of queues the inode number
	from, until time.Duration
	marked      time.Duration
	told        time.Duration // of the last event about it
}

func newHistory(seed uint64, r rules) *history {
	h := &history{Rand: rand.New(rand.NewPCG(seed, 7)), rules: r}
	slots := map[uint32]*place{}
	host := &place{inode: nsresolve.InitialInode, from: 0, until: never}
	h.identify(host)
	slots[host.inode] = host
	h.spaces = append(h.spaces, host)
	for now := time.Duration(1); now < over; now += time.Duration(1 + h.IntN(12)) {
		inode := []uint32{nsresolve.InitialInode, 7, 8, 9}[h.IntN(4)]
		p := slots[inode]
		switch {
		case p == nil || p.until+heldUp < now:
			slots[inode] = h.birth(inode, now)
		case p.until < never || p.ready > now:
		case h.IntN(25) == 0 && p != host:
			h.death(p, now)
		default:
			h.change(p, now)
		}
	}
	slices.SortStableFunc(h.events, func(a, b *tracer.Event) int { return cmp.Compare(a.Boot, b.Boot) })
	return h
}

func (h *history) identify(p *place) {
	if h.ids {
		h.lastID++
		p.id = h.lastID
	}
}

func (h *history) hold() time.Duration { return time.Duration(h.IntN(heldUp)) }

// tell has the hooks tell of something, unless that is lost.
func (h *history) tell(t *tracer.Event, p *place, at time.Duration) {
	t.PID = 1 + h.Uint32N(4)
	t.Time = noon.Add(at)
	switch {
	case at < attached:
	case h.losses && h.IntN(6) == 0:
		h.lost++
	default:
		h.events = append(h.events, in(t, p.inode, p.id, at))
	}
}

func (h *history) birth(inode uint32, now time.Duration) *place {
	p := &place{inode: inode, from: now, until: never, ready: now + h.hold()}
	h.identify(p)
	h.spaces = append(h.spaces, p)
	h.tell(call(0, tracer.ActionNamespaceCreate), p, p.ready)
	return p
}

// death: nobody can see it any more, and some time later the kernel clears it
// away.
func (h *history) death(p *place, now time.Duration) {
	p.until = now
	cleared := now + h.hold()
	for _, o := range p.things {
		cleared = max(cleared, o.told)
	}
	for _, o := range p.things {
		if o.until == never {
			o.until = now
			h.tellOf(p, o, tracer.ActionRemove, tracer.CauseNamespace, cleared)
		}
	}
	if h.frees {
		h.tell(freed(0, 0, 0), p, cleared)
	}
	p.ready = cleared
}

// tellOf tells of an object, not before what was told of it already.
func (h *history) tellOf(p *place, o *item, action tracer.Action, cause tracer.Cause, at time.Duration) {
	if cause == tracer.CauseNamespace && !h.frees {
		return // no such hook
	}
	o.told = max(at, o.told)
	t := of(call(o.kind, action), o.id)
	t.Cause = cause
	if o.marked < never {
		t.Key = 0
	}
	if o.kind == tracer.MQ {
		t.ID, t.Key = -1, 0
		t.Queue.Name, t.Queue.Inode = o.name(), uint64(o.id)
		if action == tracer.ActionRemove {
			t.Queue.Name = ""
		}
	}
	h.tell(t, p, o.told)
}

// name is one of few: they come again.
func (o *item) name() string { return fmt.Sprintf("/%d", o.id%3) }

// change makes an object in a namespace, or has one come to its end.
func (h *history) change(p *place, now time.Duration) {
	there := slices.DeleteFunc(slices.Clone(p.things), func(o *item) bool { return o.until < never || o.told > now })
	if len(there) == 0 || h.IntN(2) == 0 {
		h.create(p, now)
		return
	}
	o := there[h.IntN(len(there))]
	mayMark := o.kind == tracer.MQ || o.kind == tracer.Shm && h.ids
	switch {
	case h.IntN(4) == 0 && o.marked == never:
		h.tellOf(p, o, tracer.ActionOpen, 0, now)
	case o.marked == never && mayMark:
		h.tellOf(p, o, tracer.ActionMark, 0, now+h.hold())
		o.marked = now
	case h.IntN(2) == 0: // told, and then done
		h.tellOf(p, o, tracer.ActionRemove, tracer.CauseRMID, now)
		o.until = now + h.hold()
	default:
		h.tellOf(p, o, tracer.ActionRemove, tracer.CauseRMID, now+h.hold())
		o.until = now
	}
}

func (h *history) create(p *place, now time.Duration) {
	p.names++
	o := &item{kind: tracer.Kind(h.IntN(4)), id: p.names, from: now, until: never, marked: never}
	if o.kind == tracer.MQ {
		h.queues++
		o.id = h.queues
	}
	for _, other := range p.things {
		if o.kind == tracer.MQ && other.kind == o.kind && other.name() == o.name() && (other.marked == never || other.told > now) {
			return // the name is taken
		}
	}
	p.things = append(p.things, o)
	h.tellOf(p, o, tracer.ActionCreate, 0, now+h.hold())
}

// list is what the kernel's list of a namespace has at a moment.
func (p *place) list(at time.Duration) (all []sysvipc.Object) {
	for _, o := range p.things {
		switch {
		case at < o.from || at >= o.until:
		case o.kind != tracer.MQ:
			one := sysvipc.Object{Kind: o.kind.String(), ID: o.id, Key: o.id + 1000, Mode: 0o640}
			if o.marked <= at {
				one.Key, one.Attached, one.Mode = 0, 1, one.Mode|sysvipc.Dest
			}
			all = append(all, one)
		case at < o.marked:
			all = append(all, mq(o.name(), uint64(o.id)))
		}
	}
	return all
}

// look is a snapshot, taken from a moment on.
func (h *history) look(at time.Duration) *snapshot.Snapshot {
	s := &snapshot.Snapshot{From: at, To: at + taking}
	for _, p := range h.spaces {
		read := at + time.Duration(h.IntN(taking-10))
		if at < p.from || read+9 >= p.until {
			continue
		}
		n := holding(uint64(p.inode), p.id, p.list(read+time.Duration(h.IntN(9)))...)
		n.From, n.To = read, read+9
		if h.IntN(20) == 0 && at > attached+interval && at < over {
			n.Objects, n.Err = nil, sysvipc.ErrPrivilege
		}
		s.Namespaces = append(s.Namespaces, n)
	}
	return s
}

// alive is what the kernel answers, now.
func (h *history) alive(now time.Duration) func(id, inode uint64) (bool, error) {
	return func(id, inode uint64) (bool, error) {
		return slices.ContainsFunc(h.spaces, func(p *place) bool { return p.id == id && now < p.until }), nil
	}
}

// remains are the namespaces and objects that are there in the end.
func (h *history) remains(f stream.Filter) (all []string) {
	for _, p := range h.spaces {
		if p.until < never {
			continue
		}
		all = append(all, fmt.Sprintf("%d id %d", p.inode, p.id))
		for _, o := range p.things {
			wanted := len(f.Kinds) == 0 || slices.Contains(f.Kinds, o.kind.String())
			if o.until < never || !wanted || o.kind == tracer.MQ && o.marked < never {
				continue
			}
			name := fmt.Sprint(o.id)
			if o.kind == tracer.MQ {
				name = o.name()
			}
			all = append(all, fmt.Sprintf("%d id %d: %v %s marked %v", p.inode, p.id, o.kind, name, o.marked < never))
		}
	}
	return sorted(all)
}

// holds are those that the inventory has. Of a queue that was unlinked no list can
// tell whether it is still open.
func (s *session) holds() (all []string) {
	for _, n := range s.inventory.Namespaces() {
		if n.Ended() {
			continue
		}
		all = append(all, fmt.Sprintf("%d id %d", n.Inode, n.ID))
		for _, o := range n.Objects() {
			name := fmt.Sprint(o.ID)
			if o.Kind == "mq" {
				name = o.Name
			}
			if o.Kind != "mq" || o.Marked.IsZero() {
				all = append(all, fmt.Sprintf("%d id %d: %s %s marked %v", n.Inode, n.ID, o.Kind, name, !o.Marked.IsZero()))
			}
		}
	}
	return sorted(all)
}

// objects are the lines that are about one.
func objects(all []string) []string {
	return slices.DeleteFunc(all, func(line string) bool { return !slices.Contains([]byte(line), ':') })
}

func sorted(all []string) []string {
	slices.Sort(all)
	return all
}

// replay has a session follow a history. Looks say late what they saw, when all
// that happened by then was taken in, and perhaps some more.
func replay(t *testing.T, h *history, f stream.Filter) *session {
	t.Helper()
	s := begin(f)
	next, number := 0, 0
	upTo := func(at time.Duration) {
		for ; next < len(h.events) && h.events[next].Boot <= at; next++ {
			s.takes(h.events[next])
		}
	}
	for at := time.Duration(attached + heldUp); at < over+20*interval; at += interval {
		if number > 0 { // the first one begins before anything is taken in
			upTo(at - time.Duration(h.IntN(20)))
		}
		s.BeginLook()
		found := h.look(at)
		upTo(found.To + time.Duration(h.IntN(20)))
		s.AskAlive(h.alive(found.To))
		told, fresh := s.Look(found)
		for _, e := range told {
			if e.Event == event.ObjectFound && s.inventory.Has(e) {
				t.Errorf("told again: %s", text(e))
			}
		}
		if number > 0 && !h.losses && h.frees && len(told) > 0 {
			t.Errorf("look %d at %d tells what the hooks told: %q", number, at, texts(told))
		}
		if at > over+10*interval && (len(told) > 0 || s.Unsettled()) {
			t.Errorf("look %d at %d still tells: %q", number, at, texts(told))
		}
		for _, e := range fresh {
			s.inventory.Apply(e)
		}
		s.apply(told)
		number++
	}
	return s
}

// addUp checks the numbers, and that nothing is found twice unless it was told to
// be gone in between.
func addUp(t *testing.T, h *history, s *session) {
	t.Helper()
	var written, found uint64
	there := map[string]bool{}
	for i, e := range s.told {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
		if e.Observed == event.ObservedHook {
			written++
		} else {
			found++
		}
		if e.NS == nil {
			continue // the end of a queue of a namespace that nobody knows
		}
		name := fmt.Sprintf("%s id %d", e.NS, e.NS.ID)
		if o := e.Object; o != nil {
			name += fmt.Sprintf(" %s %s", o.Kind, o.Name)
			if o.Inode != nil {
				name += fmt.Sprintf(" #%d", *o.Inode)
			}
			if o.ID != nil {
				name += fmt.Sprint(*o.ID)
			}
		}
		switch e.Event {
		case event.ObjectFound, event.NamespaceFound:
			if there[name] {
				t.Errorf("found twice: %s", text(e))
			}
			there[name] = true
		case event.ObjectRemove, event.ObjectMark:
			delete(there, name)
		}
	}
	stats := tracer.Stats{Delivered: uint64(len(h.events)), Lost: h.lost, Produced: uint64(len(h.events)) + h.lost}
	stop := s.Stop(noon, 0, "done", stats).Stop
	check(t, []uint64{written, found}, []uint64{stop.Written, stop.Found})
	check(t, stop.Delivered, stop.Written+stop.Filtered)
	sum := s.inventory.Totals()
	check(t, []uint64{written}, []uint64{sum.Events})
}

// TestRandom: whatever happens and whatever of it is lost, after some looks what
// is known is what there is.
func TestRandom(t *testing.T) {
	for seed := range uint64(60) {
		for i, r := range []rules{
			{true, true, false}, {false, true, false}, {true, true, true}, {true, false, false}, {true, false, true},
			{false, true, true}, {false, false, false}, {false, false, true},
		} {
			t.Run(fmt.Sprintf("%+v %d", r, seed), func(t *testing.T) {
				h := newHistory(seed*8+uint64(i), r)
				s := replay(t, h, stream.Filter{})
				addUp(t, h, s)
				check(t, h.remains(stream.Filter{}), s.holds())
			})
		}
		t.Run(fmt.Sprintf("kinds %d", seed), func(t *testing.T) {
			h := newHistory(seed, rules{true, seed%2 == 0, true})
			f := stream.Filter{Kinds: []string{"msg", "mq"}}
			s := replay(t, h, f)
			addUp(t, h, s)
			check(t, objects(h.remains(f)), objects(s.holds()))
		})
	}
}
