package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// seen is what a call in a namespace is told as.
type seen struct {
	inode uint32
	id    uint64
	want  string // namespace, as users see it
}

func TestGenerations(t *testing.T) {
	for _, test := range []struct {
		name   string
		calls  []seen
		forget []string
	}{
		{"one", []seen{{7, 100, "7"}, {7, 100, "7"}}, nil},
		{"an inode number used again", []seen{{7, 100, "7"}, {7, 101, "7.2"}, {7, 101, "7.2"}, {7, 102, "7.3"}}, []string{"7", "7"}},
		{"beside others", []seen{{7, 100, "7"}, {8, 101, "8"}, {7, 102, "7.2"}, {8, 101, "8"}, {8, 103, "8.2"}}, []string{"7", "8"}},
		{"one before", []seen{{7, 100, "7"}, {7, 101, "7.2"}, {7, 102, "7.3"}, {7, 100, "7"}, {7, 101, "7.2"}, {7, 102, "7.3"}}, []string{"7", "7"}},
		{"ids tell no order", []seen{{7, 100, "7"}, {7, 102, "7.2"}, {7, 101, "7.3"}, {7, 102, "7.2"}}, []string{"7", "7"}},
		{"no ids before 6.18", []seen{{7, 0, "7"}, {8, 0, "8"}, {7, 0, "7"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(stream.Filter{})
			for i, c := range test.calls {
				before := len(s.resolver.askedTo("forget"))
				events := s.takes(in(call(tracer.Msg, tracer.ActionCreate), c.inode, c.id, time.Hour))
				ns := events[len(events)-1].NS
				if ns.String() != c.want || ns.ID != c.id || ns.Inode != uint64(c.inode) {
					t.Errorf("call %d is in %v, id %d; want %s, id %d", i, ns, ns.ID, c.want, c.id)
				}
				// What was known of the old one must not name the new one.
				last := s.resolver.asked[len(s.resolver.asked)-1]
				if len(s.resolver.askedTo("forget")) > before && !strings.HasPrefix(last, "label") {
					t.Errorf("call %d: forgotten after the label was asked for: %q", i, s.resolver.asked)
				}
			}
			check(t, test.forget, s.resolver.askedTo("forget"))
		})
	}
}

// TestSequence: one after the other in the same inode number, as sequential
// unshare --ipc gives them. Each is one of its own, whatever of it is seen.
func TestSequence(t *testing.T) {
	for _, ids := range []bool{true, false} {
		for _, ends := range []bool{true, false} {
			t.Run(fmt.Sprintf("ids %v, ends seen %v", ids, ends), func(t *testing.T) {
				const many = 100
				s := begin(stream.Filter{})
				for i := range many {
					var id uint64
					if ids {
						id = uint64(1000 + i)
					}
					at := time.Duration(i+1) * time.Second
					s.takes(born(7, id, at), in(call(tracer.Msg, tracer.ActionCreate), 7, id, at+1))
					if ends {
						s.takes(in(call(tracer.Msg, tracer.ActionRemove), 7, id, at+2), freed(7, id, at+3))
					}
				}
				all := s.inventory.Namespaces()
				check(t, many, len(all))
				for i, n := range all {
					last := i == many-1 && !ends
					check(t, []any{uint32(i + 1), uint64(1), !last}, []any{n.Gen, n.Created, n.Ended()})
				}
				sum := s.inventory.Totals()
				want := uint64(many)
				if !ends {
					want--
				}
				check(t, []uint64{many, want, want}, []uint64{sum.Born, sum.Freed, sum.Removed})
			})
		}
	}
}

// TestSuccession: a birth shows that the one before has ended with all in it.
func TestSuccession(t *testing.T) {
	for _, ids := range [][3]uint64{{100, 101, 102}, {}} {
		t.Run(fmt.Sprint(ids), func(t *testing.T) {
			s := begin(stream.Filter{})
			s.takes(born(7, ids[0], 1), in(of(call(tracer.Msg, tracer.ActionCreate), 1), 7, ids[0], 2),
				in(of(call(tracer.Shm, tracer.ActionOpen), 2), 7, ids[0], 3), in(call(tracer.MQ, tracer.ActionCreate), 7, ids[0], 4),
				in(of(call(tracer.Sem, tracer.ActionCreate), 3), 7, ids[0], 4), in(of(call(tracer.Sem, tracer.ActionRemove), 3), 7, ids[0], 5))
			told := s.takes(born(7, ids[1], 6))
			check(t, []string{
				"object.remove reuse namespace 7 msg 1", "object.remove reuse 7 shm 2",
				"object.remove reuse namespace 7 mq /jobs", "namespace.free reuse 7", "namespace.create 7.2",
			}, texts(told))
			check(t, &event.Event{
				V: event.Version, Seq: 7, Time: noon, BootNS: 6, Event: event.ObjectRemove, Observed: event.ObservedReuse, Cause: event.CauseNamespace,
				NS: &event.Namespace{Inode: 7, Gen: 1, ID: ids[0], Label: "label of 7"},
				Object: &event.Object{
					Kind: "msg", ID: new(int32(1)), Key: 1001, Mode: 0o640, Flags: []string{}, UID: new(uint32(0)), GID: new(uint32(50)),
				},
			}, told[0])
			check(t, &event.Object{Kind: "shm", ID: new(int32(2)), Key: 1002, Flags: []string{}, Bare: true}, told[1].Object)
			check(t, &event.Event{
				V: event.Version, Seq: 10, Time: noon, BootNS: 6, Event: event.NamespaceFree, Observed: event.ObservedReuse,
				NS: &event.Namespace{Inode: 7, Gen: 1, ID: ids[0], Label: "label of 7"},
			}, told[3])
			check(t, []uint64{7, 0}, []uint64{s.Written(), s.Filtered()})
			check(t, []string{"namespace.free 7.2"}, texts(s.takes(freed(7, ids[1], 7))))
			check(t, []string{"namespace.create 7.3"}, texts(s.takes(born(7, ids[2], 8))))
		})
	}
}

// TestLostBirth: where the kernel has ids, whatever happens shows that the
// namespace is another one, also as the place that one comes from. Where it has
// none, that the one before was seen to end.
func TestLostBirth(t *testing.T) {
	things := map[string]func(*session, uint64) []*event.Event{
		"object.create 7.2 msg 32769": func(s *session, id uint64) []*event.Event {
			return s.takes(in(call(tracer.Msg, tracer.ActionCreate), 7, id, 5))
		},
		"object.remove 7.2 msg 32769": func(s *session, id uint64) []*event.Event {
			return s.takes(in(call(tracer.Msg, tracer.ActionRemove), 7, id, 5))
		},
		"namespace.free 7.2": func(s *session, id uint64) []*event.Event { return s.takes(freed(7, id, 5)) },
		"namespace.join 7.2": func(s *session, id uint64) []*event.Event {
			return s.takes(in(call(0, tracer.ActionNamespaceJoin), 7, id, 5))
		},
	}
	for want, happens := range things {
		t.Run(want, func(t *testing.T) {
			s := begin(stream.Filter{})
			s.takes(in(call(tracer.Msg, tracer.ActionCreate), 7, 100, 1))
			check(t, []string{"object.remove reuse namespace 7 msg 32769", "namespace.free reuse 7", want}, texts(happens(s, 101)))
			s = begin(stream.Filter{})
			s.takes(in(call(tracer.Msg, tracer.ActionCreate), 7, 0, 1), in(call(tracer.Msg, tracer.ActionRemove), 7, 0, 2), freed(7, 0, 3))
			check(t, []string{want}, texts(happens(s, 0)))
		})
	}
	t.Run("as the place one comes from", func(t *testing.T) {
		s := begin(stream.Filter{})
		s.takes(in(call(tracer.Msg, tracer.ActionCreate), 7, 100, 1))
		birth := born(8, 102, 2)
		birth.From, birth.FromID = 7, 101
		told := s.takes(birth)
		check(t, []string{"object.remove reuse namespace 7 msg 32769", "namespace.free reuse 7", "namespace.create 8"}, texts(told))
		check(t, "7.2", told[2].From.String())
		check(t, []string{"7"}, s.resolver.askedTo("forget"))
		check(t, "7.2", s.one(t, in(call(tracer.Msg, tracer.ActionOpen), 7, 101, 3)).NS.String())
	})
}

func TestFrom(t *testing.T) {
	join := func(from uint32, id uint64) *tracer.Event {
		t := in(call(0, tracer.ActionNamespaceJoin), 8, id+1000*min(id, 1), 5)
		t.From, t.FromID = from, id
		return t
	}
	for _, test := range []struct {
		name   string
		before []*tracer.Event
		from   uint32
		id     uint64
		want   *event.Namespace
	}{
		{"not known", nil, 0, 0, nil},
		{"the host", nil, nsresolve.InitialInode, 0,
			&event.Namespace{Inode: nsresolve.InitialInode, Gen: 1, Initial: true, Label: "label of 4026531839"}},
		{"one not seen yet", nil, 7, 100, &event.Namespace{Inode: 7, Gen: 1, ID: 100, Label: "label of 7"}},
		{"the newest", []*tracer.Event{born(7, 99, 1), born(7, 100, 1)}, 7, 100,
			&event.Namespace{Inode: 7, Gen: 2, ID: 100, Label: "label of 7"}},
		{"one that has ended", []*tracer.Event{born(7, 100, 1), freed(7, 100, 2)}, 7, 100,
			&event.Namespace{Inode: 7, Gen: 1, ID: 100, Label: "label of 7"}},
		{"one that has ended, without ids", []*tracer.Event{born(7, 0, 1), freed(7, 0, 2)}, 7, 0,
			&event.Namespace{Inode: 7, Gen: 1, Label: "label of 7"}},
		{"one whose inode number has gone to another", []*tracer.Event{born(7, 100, 1), freed(7, 100, 2), born(7, 101, 3)}, 7, 100,
			&event.Namespace{Inode: 7, Gen: 1, ID: 100, Label: "label of 7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(stream.Filter{})
			s.takes(test.before...)
			check(t, test.want, s.one(t, join(test.from, test.id)).From)
			// It has made no generation.
			if test.want != nil && len(test.before) > 0 {
				last := test.before[len(test.before)-1]
				next := s.takes(born(7, last.NamespaceID+min(last.NamespaceID, 1), 9))
				check(t, fmt.Sprintf("7.%d", len(s.resolver.askedTo("forget"))+1), next[len(next)-1].NS.String())
			}
		})
	}
}

// TestAfterlife: POSIX queues outlive their namespace where they are open, or
// their filesystem is mounted. Where there are ids that shows even when the inode
// number has gone to another one.
func TestAfterlife(t *testing.T) {
	asFile := func(action tracer.Action) *tracer.Event {
		t := call(tracer.MQ, action)
		t.Nr = 295
		return t
	}
	for _, ids := range [][2]uint64{{100, 101}, {}} {
		t.Run(fmt.Sprint(ids), func(t *testing.T) {
			s := begin(stream.Filter{})
			s.takes(born(7, ids[0], 1), in(call(tracer.MQ, tracer.ActionCreate), 7, ids[0], 2), freed(7, ids[0], 3))
			check(t, []string{"object.mark 7 mq /jobs", "object.fail 7 mq /jobs", "object.remove 7 mq /jobs"}, texts(s.takes(
				in(asFile(tracer.ActionMark), 7, ids[0], 4), in(asFile(tracer.ActionFail), 7, ids[0], 4),
				in(asFile(tracer.ActionRemove), 7, ids[0], 5))))
			check(t, []string{"namespace.create 7.2"}, texts(s.takes(born(7, ids[1], 6))))
			if ids[0] != 0 {
				check(t, []string{"object.remove 7 mq /jobs"}, texts(s.takes(in(asFile(tracer.ActionRemove), 7, ids[0], 7))))
			}
			check(t, []string{"object.create 7.2 mq /jobs"}, texts(s.takes(in(call(tracer.MQ, tracer.ActionCreate), 7, ids[1], 8))))
		})
	}
}

// TestLateBirth: a thread can be held up between its birth and the hook that
// tells of it. Its id tells that it is the one known by then.
func TestLateBirth(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(8, 50))
	s.looks(20, holding(8, 50), holding(7, 100, msg(1)))
	s.looks(30, holding(8, 50), holding(7, 100, msg(1)))
	check(t, []string{"namespace.create 7"}, texts(s.takes(born(7, 100, 31))))
	n := s.inventory.Find(&event.Namespace{Inode: 7, Gen: 1, ID: 100})
	check(t, []bool{false, false}, []bool{n.Existing, n.Born.IsZero()})
}

// TestUnreadable: what happened in nobody knows which namespace is told.
func TestUnreadable(t *testing.T) {
	s := begin(stream.Filter{})
	s.BeginLook()
	for action := tracer.ActionCreate; action <= tracer.ActionNamespaceFree; action++ {
		if e := s.one(t, in(call(tracer.Msg, action), 0, 0, 1)); e.NS != nil || e.From != nil {
			t.Errorf("%v: in %v, from %v", action, e.NS, e.From)
		}
	}
	check(t, 0, len(s.inventory.Namespaces()))
	check(t, 0, len(s.resolver.asked))
	check(t, []string{"namespace.found snapshot 7"}, s.sees(5, holding(7, 0)))
}

// TestGenerationsBehindAFilter: what is left out counts all the same.
func TestGenerationsBehindAFilter(t *testing.T) {
	s := begin(stream.Filter{Events: []event.Type{event.ObjectFail}})
	for id := range uint64(3) {
		check(t, nil, texts(s.takes(in(call(tracer.Msg, tracer.ActionCreate), inode, id+1, time.Hour))))
	}
	check(t, uint32(4), s.one(t, in(call(tracer.Msg, tracer.ActionFail), inode, 4, time.Hour)).NS.Gen)
	check(t, []string{"4026532765", "4026532765", "4026532765"}, s.resolver.askedTo("forget"))
}

func TestInitialNamespace(t *testing.T) {
	s := begin(stream.Filter{})
	for inode, want := range map[uint32]bool{nsresolve.InitialInode: true, nsresolve.InitialInode + 1: false, inode: false} {
		check(t, want, s.one(t, in(call(tracer.Msg, tracer.ActionCreate), inode, 5, time.Hour)).NS.Initial)
	}
}

// TestMaker: who names a namespace that has no name yet: who calls in it, and who
// made it, but not who removes something of it, or makes a file in it, from afar.
func TestMaker(t *testing.T) {
	for action := tracer.ActionCreate; action <= tracer.ActionNamespaceFree; action++ {
		s := begin(stream.Filter{})
		s.takes(in(call(tracer.Shm, action), 7, 5, 1))
		want := "7 [0] 0"
		switch {
		case action == tracer.ActionNamespaceFree:
			continue // it has no name any more
		case action.Call(), action == tracer.ActionNamespaceCreate:
			want = "7 ipcmk[62431] 7345"
		}
		check(t, []string{want}, s.resolver.askedTo("label"))
	}
	s := begin(stream.Filter{})
	create := in(call(tracer.MQ, tracer.ActionCreate), 7, 5, 1)
	create.Nr = 295
	s.takes(create)
	check(t, []string{"7 [0] 0"}, s.resolver.askedTo("label"))
}

// TestRecheck: without ids of the kernel's, a new caller has the name looked at.
func TestRecheck(t *testing.T) {
	calls := func(id uint64, action tracer.Action, pids ...uint32) []string {
		s := begin(stream.Filter{})
		for _, pid := range pids {
			s.takes(&tracer.Event{Namespace: inode, NamespaceID: id, Action: action, PID: pid})
		}
		return append(s.resolver.askedTo("forget"), s.resolver.askedTo("recheck")...)
	}
	check(t, []string{"4026532765", "4026532765"}, calls(0, tracer.ActionOpen, 1, 1, 2, 2, 1))
	check(t, nil, calls(7, tracer.ActionOpen, 1, 2)) // the kernel's ids tell enough
	check(t, nil, calls(0, tracer.ActionRemove, 1, 2))
}
