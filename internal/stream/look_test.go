package stream_test

import (
	"errors"
	"io/fs"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// holding is a namespace in a snapshot.
func holding(inode, id uint64, objects ...sysvipc.Object) snapshot.Namespace {
	return snapshot.Namespace{
		Namespace: nsresolve.Namespace{Inode: inode, ID: id, Initial: inode == nsresolve.InitialInode, Label: "seen"},
		Objects:   objects,
	}
}

func msg(id int32) sysvipc.Object {
	return sysvipc.Object{Kind: "msg", ID: id, Key: id + 1000, Mode: 0o640, GID: 50}
}

func shm(id int32, attached uint64, dest bool) sysvipc.Object {
	o := sysvipc.Object{Kind: "shm", ID: id, Key: id + 1000, Mode: 0o640, GID: 50, Size: 4096, Attached: attached}
	if dest {
		o.Key, o.Mode = 0, o.Mode|sysvipc.Dest
	}
	return o
}

func mq(name string, inode uint64) sysvipc.Object {
	return sysvipc.Object{Kind: "mq", Name: name, Inode: inode, Mode: 0o600, MaxMsg: 10, MsgSize: 8192}
}

// answers is asked about namespaces of the kernel instead of it.
func (s *session) answers(alive bool, err error) (asked *[]uint64) {
	asked = new([]uint64)
	s.AskAlive(func(id, inode uint64) (bool, error) {
		*asked = append(*asked, id)
		return alive, err
	})
	return asked
}

// TestFirstLook: what was there before the trace is found, once, and what was
// told of by then is not.
func TestFirstLook(t *testing.T) {
	s := begin(stream.Filter{})
	s.BeginLook()
	s.takes(
		in(of(call(tracer.Msg, tracer.ActionCreate), 1), 7, 100, 10),
		in(of(call(tracer.Shm, tracer.ActionOpen), 2), 7, 100, 11),
		in(of(call(tracer.Msg, tracer.ActionRemove), 5), 7, 100, 12), // read, and gone
		born(8, 101, 5), in(of(call(tracer.Msg, tracer.ActionCreate), 1), 8, 101, 13),
	)
	told := s.take(&snapshot.Snapshot{From: 8, To: 20, Namespaces: []snapshot.Namespace{
		holding(nsresolve.InitialInode, 1, mq("/a", 3)),
		holding(7, 100, msg(1), shm(2, 3, false), msg(4), msg(5)),
		holding(8, 101, msg(1)),
		{Namespace: nsresolve.Namespace{Inode: 9, ID: 50, Label: "?"}, Err: fs.ErrPermission, From: 9, To: 9},
	}})
	check(t, []string{
		"namespace.found snapshot 4026531839", "object.found snapshot 4026531839 mq /a",
		"namespace.found snapshot 7", "object.found snapshot 7 msg 4", "namespace.found snapshot 9",
	}, texts(told))
	var clock tracer.Clock
	if apart := told[3].Time.Sub(clock.Wall(20)).Abs(); apart > time.Second {
		t.Errorf("the time is %v off", apart)
	}
	check(t, &event.Event{
		V: event.Version, Seq: 9, Time: told[3].Time, BootNS: 20, Event: event.ObjectFound, Observed: event.ObservedSnapshot,
		NS: &event.Namespace{Inode: 7, Gen: 1, ID: 100, Label: "seen"},
		Object: &event.Object{
			Kind: "msg", ID: new(int32(4)), Key: 1004, Mode: 0o640, Flags: []string{}, UID: new(uint32(0)), GID: new(uint32(50)),
			State: &event.State{Messages: new(uint64(0)), Bytes: new(uint64(0)), CUID: new(uint32(0)), CGID: new(uint32(0))},
		},
	}, told[3])
	check(t, []any{"seen", true, ""}, []any{told[0].NS.Label, told[0].NS.Initial, told[4].NS.Label})
	check(t, uint64(5), s.Stop(noon, 0, "", tracer.Stats{}).Stop.Found)
	check(t, []uint64{5, 0}, []uint64{s.Written(), s.Filtered()})

	// What is there is what the lists say, with its present state.
	n := s.inventory.Find(&event.Namespace{Inode: 7, Gen: 1, ID: 100})
	check(t, true, n.Existing)
	check(t, false, s.inventory.Find(&event.Namespace{Inode: 8, Gen: 1, ID: 101}).Existing)
	var states []any
	for _, o := range n.Objects() {
		states = append(states, o.ID, o.State != nil, o.Existing)
	}
	check(t, []any{int32(1), true, false, int32(2), true, true, int32(4), true, true}, states)
	check(t, uint64(3), *n.Objects()[1].State.Attached)
	check(t, false, s.Unsettled())
}

// TestFirstLookMissesNothing: what is not in the list may have been made since.
func TestFirstLookMissesNothing(t *testing.T) {
	s := begin(stream.Filter{})
	s.BeginLook()
	s.takes(in(of(call(tracer.Msg, tracer.ActionCreate), 1), 7, 100, 10), in(of(call(tracer.Msg, tracer.ActionCreate), 1), 8, 101, 10))
	check(t, []string{"namespace.found snapshot 7"}, s.sees(5, holding(7, 100)))
}

// TestEndedSince: a queue unlinked, a namespace ended, or born, since the list.
func TestEndedSince(t *testing.T) {
	for _, ids := range [][3]uint64{{100, 101, 102}, {}} {
		s := begin(stream.Filter{})
		s.BeginLook()
		unlink := in(call(tracer.MQ, tracer.ActionMark), 7, ids[0], 12)
		unlink.Queue = tracer.Queue{Name: "/a", Mode: -1, MaxMsg: -1, MsgSize: -1}
		s.takes(unlink, freed(8, ids[1], 13), born(9, ids[2], 14))
		check(t, []string{"namespace.found snapshot 7", "object.found snapshot 7 mq /b"},
			s.sees(10, holding(7, ids[0], mq("/a", 3), mq("/b", 4)), holding(8, ids[1], msg(1)), holding(9, ids[2], msg(1))))
		check(t, []string{"object.create 9 msg 1"}, texts(s.takes(in(of(call(tracer.Msg, tracer.ActionCreate), 1), 9, ids[2], 15))))
		check(t, nil, s.looks(20, holding(7, ids[0], mq("/b", 4)), holding(9, ids[2], msg(1))))
	}
}

// TestTwice: once proves nothing, twice in a row does.
func TestTwice(t *testing.T) {
	for _, test := range []struct {
		name string
		now  snapshot.Namespace
		want []string
	}{
		{"made unseen", holding(7, 100, msg(1), msg(2), shm(3, 1, false)), []string{"object.found snapshot 7 msg 2"}},
		{"removed unseen", holding(7, 100, shm(3, 1, false)), []string{"object.remove snapshot 7 msg 1"}},
		{"marked unseen", holding(7, 100, msg(1), shm(3, 1, true)), []string{"object.mark snapshot 7 shm 3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(stream.Filter{})
			as := holding(7, 100, msg(1), shm(3, 1, false))
			s.looks(10, as)
			check(t, nil, s.looks(20, test.now))
			check(t, true, s.Unsettled())
			check(t, nil, s.looks(30, as))
			check(t, false, s.Unsettled())
			check(t, nil, s.looks(40, test.now)) // not in a row
			told := s.looks(50, test.now)
			check(t, test.want, told)
			check(t, false, s.Unsettled())
			for at := time.Duration(60); at < 100; at += 10 {
				check(t, nil, s.looks(at, test.now))
			}
			last := s.told[len(s.told)-1]
			check(t, []int64{50 + 1, 0}, []int64{last.BootNS, int64(last.NS.Gen - 1)})
			if last.Event != event.ObjectFound && last.Object.State != nil {
				t.Errorf("%s tells a state", text(last))
			}
		})
	}
}

// TestMarkFound: the mark has the last key, and what is gone after it has none.
func TestMarkFound(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 100, shm(3, 1, false)))
	s.looks(20, holding(7, 100, shm(3, 1, true)))
	s.looks(30, holding(7, 100, shm(3, 1, true)))
	mark := s.told[len(s.told)-1]
	check(t, []any{"object.mark snapshot 7 shm 3", event.Key(1003)}, []any{text(mark), mark.Object.Key})
	s.looks(40, holding(7, 100))
	s.looks(50, holding(7, 100))
	gone := s.told[len(s.told)-1]
	check(t, []any{"object.remove snapshot 7 shm 3", event.Key(0), uint64(4096)}, []any{text(gone), gone.Object.Key, *gone.Object.Size})
}

// TestTwiceTheSame: what disagrees must be the same both times.
func TestTwiceTheSame(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 0))
	s.looks(20, holding(7, 0, shm(1, 0, true)))
	s.takes(in(of(call(tracer.Shm, tracer.ActionCreate), 1), 7, 0, 19)) // told late
	check(t, nil, s.looks(30, holding(7, 0, shm(1, 0, true))))          // marked, for the first time
	check(t, []string{"object.mark snapshot 7 shm 1"}, s.looks(40, holding(7, 0, shm(1, 0, true))))
}

// TestStir: what is made or removed while a snapshot is taken may be in it or not,
// every time.
func TestStir(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 100))
	for at := time.Duration(20); at < 100; at += 10 {
		s.BeginLook()
		s.takes(in(call(tracer.MQ, tracer.ActionCreate), 7, 100, at+3)) // after the list
		check(t, nil, s.sees(at, holding(7, 100)))
		check(t, false, s.Unsettled())
		s.BeginLook()
		s.takes(in(call(tracer.MQ, tracer.ActionMark), 7, 100, at+8), in(call(tracer.MQ, tracer.ActionRemove), 7, 100, at+9))
		check(t, nil, s.sees(at+5, holding(7, 100, mq("/jobs", 19))))
		check(t, false, s.Unsettled())
	}
}

// TestToldBetween: what the hooks tell of after all is in doubt no more, though
// the next list is as odd.
func TestToldBetween(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 100))
	s.looks(20, holding(7, 100, msg(1)))
	s.takes(in(of(call(tracer.Msg, tracer.ActionCreate), 1), 7, 100, 22), in(of(call(tracer.Msg, tracer.ActionRemove), 1), 7, 100, 29))
	check(t, nil, s.looks(30, holding(7, 100, msg(1)))) // its end was told, and is still to come
	check(t, nil, s.looks(40, holding(7, 100)))
}

// TestToldOnce: what was told takes two more looks to be told again, as when a
// queue made since has taken its name, and the list is older.
func TestToldOnce(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 100))
	s.looks(20, holding(7, 100, mq("/jobs", 18)))
	check(t, []string{"object.found snapshot 7 mq /jobs"}, s.looks(30, holding(7, 100, mq("/jobs", 18))))
	s.BeginLook()
	s.takes(in(call(tracer.MQ, tracer.ActionCreate), 7, 100, 42))
	check(t, nil, s.sees(40, holding(7, 100, mq("/jobs", 18))))
	check(t, nil, s.looks(50, holding(7, 100, mq("/jobs", 19))))
}

// TestBornDuringLooks: nor is a namespace missed that was born since.
func TestBornDuringLooks(t *testing.T) {
	s := begin(stream.Filter{})
	asked := s.answers(false, nil)
	for at := time.Duration(10); at < 50; at += 10 {
		s.BeginLook()
		s.takes(born(7, uint64(at), at+5))
		check(t, nil, s.sees(at))
		check(t, false, s.Unsettled())
		s.takes(freed(7, uint64(at), at+6))
	}
	check(t, 0, len(*asked))
}

// TestQueuesStay: a list that is not there, or has no place for what is unlinked,
// says nothing of what is not in it.
func TestQueuesStay(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 100, msg(1), mq("/a", 3), mq("/b", 4)))
	closed := holding(7, 100)
	closed.MQ = errors.New("mount mqueue: no")
	s.looks(20, closed)
	check(t, []string{"object.remove snapshot 7 msg 1"}, s.looks(30, closed))
	unlink := in(call(tracer.MQ, tracer.ActionMark), 7, 100, 35)
	unlink.Queue.Name, unlink.Queue.Inode = "/a", 3
	s.takes(unlink)
	s.looks(40, holding(7, 100))
	check(t, []string{"object.mark snapshot 7 mq /b"}, s.looks(50, holding(7, 100)))
	check(t, nil, s.looks(60, holding(7, 100))) // told once
	check(t, 2, s.inventory.Find(&event.Namespace{Inode: 7, Gen: 1, ID: 100}).Len())
}

// TestClosed: a namespace that cannot be entered is there, whatever is in it.
func TestClosed(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 100, msg(1)))
	closed := holding(7, 100)
	closed.Err = sysvipc.ErrPrivilege
	for at := time.Duration(20); at < 60; at += 10 {
		check(t, nil, s.looks(at, closed))
		check(t, false, s.Unsettled())
	}
	check(t, nil, s.looks(60, holding(7, 100, msg(1))))
}

// TestNamespacesFound: those born unseen are told once they are there twice.
func TestNamespacesFound(t *testing.T) {
	for _, ids := range [][2]uint64{{100, 101}, {}} {
		s := begin(stream.Filter{})
		all := []snapshot.Namespace{holding(8, ids[0]), holding(7, ids[1], msg(1))}
		check(t, []string{"namespace.found snapshot 8"}, s.looks(10, all[:1]...))
		check(t, nil, s.looks(20, all...))
		check(t, []string{"namespace.found snapshot 7"}, s.looks(30, all...))
		check(t, true, s.Unsettled())
		check(t, []string{"object.found snapshot 7 msg 1"}, s.looks(40, all...))
		check(t, nil, s.looks(50, all...))
		// Something happened in it: so it is there, and its birth was not seen.
		s.takes(in(call(tracer.Msg, tracer.ActionFail), 9, ids[1], 55))
		check(t, []string{"namespace.found snapshot 9"}, s.looks(60, append(all, holding(9, ids[1]))...))
	}
}

// TestNewerID: a snapshot shows that the inode number has gone to another one. The
// one before is told to have ended, once, whether or not it was missed already.
func TestNewerID(t *testing.T) {
	want := []string{"object.remove reuse namespace 7 msg 1", "namespace.free reuse 7", "namespace.found snapshot 7.2"}
	s := begin(stream.Filter{})
	s.answers(false, nil)
	s.looks(10, holding(7, 100, msg(1)))
	check(t, nil, s.looks(20, holding(7, 101, msg(1), msg(2))))
	check(t, want, s.looks(30, holding(7, 101, msg(1), msg(2))))
	check(t, nil, s.looks(40, holding(7, 100, msg(1)))) // old news
	check(t, nil, s.looks(50, holding(7, 101, msg(1), msg(2))))
	check(t, []string{"object.found snapshot 7.2 msg 1", "object.found snapshot 7.2 msg 2"}, s.looks(60, holding(7, 101, msg(1), msg(2))))
	check(t, "object.open 7.2 msg 1", text(s.one(t, in(of(call(tracer.Msg, tracer.ActionOpen), 1), 7, 101, 70))))
}

// TestSameInodeAgain: without ids, that one has ended tells it from the next.
func TestSameInodeAgain(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 0, msg(1)))
	s.BeginLook()
	s.takes(in(of(call(tracer.Msg, tracer.ActionRemove), 1), 7, 0, 24), freed(7, 0, 25))
	check(t, nil, s.sees(20, holding(7, 0, msg(1)))) // read before
	check(t, nil, s.looks(30, holding(7, 0, msg(1))))
	check(t, []string{"namespace.found snapshot 7.2"}, s.looks(40, holding(7, 0, msg(1))))
	check(t, []string{"object.found snapshot 7.2 msg 1"}, s.looks(50, holding(7, 0, msg(1))))
}

// TestNewerIDAtFirst: also the first look needs another one, if more is known
// than nothing.
func TestNewerIDAtFirst(t *testing.T) {
	s := begin(stream.Filter{})
	s.BeginLook()
	s.takes(born(7, 100, 5))
	check(t, nil, s.sees(10, holding(7, 101)))
	check(t, true, s.Unsettled())
	s.takes(freed(7, 100, 12)) // held up
	check(t, []string{"namespace.create 7.2"}, texts(s.takes(born(7, 101, 13))))
	check(t, nil, s.looks(20, holding(7, 101)))
}

// TestEndedForGood: an id is not used again.
func TestEndedForGood(t *testing.T) {
	s := begin(stream.Filter{})
	s.takes(born(7, 100, 5), freed(7, 100, 6))
	for at := time.Duration(10); at < 50; at += 10 {
		check(t, nil, s.looks(at, holding(7, 100, msg(1))))
	}
}

// TestVanished: what is not there twice has ended, if that is certain.
func TestVanished(t *testing.T) {
	gone := []string{"object.remove snapshot namespace 7 msg 1", "object.remove snapshot 7 shm 2", "namespace.free snapshot 7"}
	for _, test := range []struct {
		name       string
		id         uint64
		attached   uint64
		alive      bool
		err        error
		incomplete bool
		want       []string
	}{
		{"the kernel says so", 100, 0, false, nil, true, gone},
		{"the kernel says so, and the last look saw it attached", 100, 1, false, nil, false, gone},
		{"the kernel says no", 100, 0, true, nil, false, nil},
		{"the kernel does not say", 100, 0, false, fs.ErrPermission, false, nil},
		{"without ids", 0, 0, false, nil, false, gone},
		{"without ids, attached", 0, 1, false, nil, false, nil},
		{"without ids, not all was seen", 0, 0, false, nil, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(stream.Filter{})
			asked := s.answers(test.alive, test.err)
			host := holding(nsresolve.InitialInode, min(test.id, 1))
			look := func(at time.Duration, found ...snapshot.Namespace) []string {
				all := &snapshot.Snapshot{From: at, To: at + 5, Namespaces: append(found, host)}
				if test.incomplete {
					all.Unreadable = 1
				}
				s.BeginLook()
				return texts(s.take(all))
			}
			look(10, holding(7, test.id, msg(1), shm(2, test.attached, false)))
			check(t, nil, look(20))
			check(t, []any{0, true}, []any{len(*asked), s.Unsettled()})
			check(t, test.want, look(30))
			check(t, test.id != 0, len(*asked) == 1)
			check(t, false, s.Unsettled())
			if test.want == nil {
				check(t, nil, look(40, holding(7, test.id, msg(1), shm(2, test.attached, false))))
				return
			}
			last := s.told[len(s.told)-1]
			check(t, int64(35), last.BootNS)
			check(t, nil, look(40))
			check(t, "namespace.create 7.2", text(s.one(t, born(7, test.id+min(test.id, 1), 45))))
		})
	}
}

// TestDescriptorsUnread: a descriptor that could not be looked at may hold it.
func TestDescriptorsUnread(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(7, 0))
	for at := time.Duration(20); at < 50; at += 10 {
		s.BeginLook()
		check(t, nil, texts(s.take(&snapshot.Snapshot{From: at, To: at, UnreadableFDs: 1})))
	}
}

// TestTheInitialOneNeverGoes: nobody need be in it.
func TestTheInitialOneNeverGoes(t *testing.T) {
	s := begin(stream.Filter{})
	s.looks(10, holding(nsresolve.InitialInode, 0, msg(1)))
	for at := time.Duration(20); at < 50; at += 10 {
		check(t, nil, s.looks(at))
		check(t, false, s.Unsettled())
	}
}

// TestToldAfterAll: the hooks may tell of an end that looks found out before.
func TestToldAfterAll(t *testing.T) {
	for _, id := range []uint64{100, 0} {
		s := begin(stream.Filter{})
		s.answers(false, nil)
		s.looks(10, holding(7, id, msg(1)))
		s.looks(20)
		check(t, []string{"object.remove snapshot namespace 7 msg 1", "namespace.free snapshot 7"}, s.looks(30))
		s.takes(in(of(call(tracer.Msg, tracer.ActionRemove), 1), 7, id, 40))
		check(t, []string{"namespace.free 7"}, texts(s.takes(freed(7, id, 41))))
		check(t, []string{"namespace.create 7.2"}, texts(s.takes(born(7, id+min(id, 1), 42))))
	}
}

// TestForgotten: what the inventory had no room for is not found again and again.
func TestForgotten(t *testing.T) {
	s := begin(stream.Filter{})
	s.inventory = inventory.New(inventory.Limits{Objects: 2})
	s.Stream = stream.New(s.resolver, stream.Filter{}, s.inventory)
	check(t, 4, len(s.looks(10, holding(7, 0, msg(1), msg(2), msg(3)))))
	for at := time.Duration(20); at < 60; at += 10 {
		check(t, nil, s.looks(at, holding(7, 0, msg(1), msg(2), msg(3))))
		check(t, false, s.Unsettled())
	}
}

// TestLookBehindEvents: what looks find is told where it is asked for, whatever
// other events are not.
func TestLookBehindEvents(t *testing.T) {
	s := begin(stream.Filter{Events: []event.Type{event.ObjectRemove, event.NamespaceFree}})
	s.looks(10, holding(8, 50))
	check(t, nil, texts(s.takes(in(call(tracer.Msg, tracer.ActionCreate), 8, 50, 11))))
	s.looks(20, holding(8, 50))
	check(t, []string{"object.remove snapshot 8 msg 32769"}, s.looks(30, holding(8, 50)))
}

// TestReplaced: whoever has the name or the id of another shows that it is gone,
// when nothing told so: a queue unlinked as a file, a segment after its last detach.
func TestReplaced(t *testing.T) {
	s := begin(stream.Filter{})
	create := func(o *tracer.Event, at time.Duration) []string {
		o.Boot = at
		return texts(s.takes(in(o, 7, 100, at)))
	}
	queue := func(inode uint64) *tracer.Event {
		q := call(tracer.MQ, tracer.ActionCreate)
		q.Queue.Inode = inode
		return q
	}
	check(t, []string{"object.create 7 mq /jobs"}, create(queue(3), 10))
	check(t, []string{"object.mark reuse 7 mq /jobs", "object.create 7 mq /jobs"}, create(queue(4), 20))
	check(t, []string{"object.create 7 shm 5"}, create(of(call(tracer.Shm, tracer.ActionCreate), 5), 30))
	check(t, []string{"object.mark 7 shm 5"}, create(of(call(tracer.Shm, tracer.ActionMark), 5), 40))
	check(t, []string{}, append([]string{}, create(of(call(tracer.Shm, tracer.ActionMark), 5), 50)...)) // once more
	check(t, []string{"object.remove reuse 7 shm 5", "object.create 7 shm 5"}, create(of(call(tracer.Shm, tracer.ActionCreate), 5), 60))
}
