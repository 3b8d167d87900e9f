package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
)

const (
	own      = true
	stranger = false
)

// did is an event on an object in namespace 1, done by the command or a stranger.
func did(t event.Type, by bool, kind string, id int32) *event.Event {
	o := &event.Object{Kind: kind, ID: &id}
	if kind == "mq" {
		o.ID, o.Name = nil, fmt.Sprintf("/q%d", id)
	}
	return in(1, 1, &event.Event{Event: t, Object: o, Process: &event.Process{Followed: by}, Time: time.Unix(int64(id), 0)})
}

func in(inode uint64, gen uint32, e *event.Event) *event.Event {
	e.NS = &event.Namespace{Inode: inode, Gen: gen}
	return e
}

// found is an end that nobody is known to have caused.
func found(e *event.Event, cause event.Cause) *event.Event {
	e.Event, e.Process, e.Cause = event.ObjectRemove, nil, cause
	return e
}

func failed(e *event.Event, errno string) *event.Event {
	e.Event, e.Errno = event.ObjectFail, errno
	return e
}

func numbered(e *event.Event, inode uint64) *event.Event {
	e.Object.Inode = &inode
	return e
}

func numberedQueue(id int32, inode uint64) sysvipc.Object {
	o := listed("mq", id)
	o.Inode = inode
	return o
}

func lost(n uint64, atMost bool) *event.Event {
	return &event.Event{Event: event.TraceLost, Lost: &event.Lost{Count: n, AtMost: atMost}}
}

func holding(objects ...sysvipc.Object) *snapshot.Snapshot {
	return &snapshot.Snapshot{Namespaces: []snapshot.Namespace{{Namespace: nsresolve.Namespace{Inode: 1}, Objects: objects}}}
}

func listed(kind string, id int32) sysvipc.Object {
	if kind == "mq" {
		return sysvipc.Object{Kind: kind, Name: fmt.Sprintf("/q%d", id)}
	}
	return sysvipc.Object{Kind: kind, ID: id}
}

// text is an account in few words.
func text(a *ledger.Account) string {
	var words []string
	for _, n := range a.Namespaces {
		n.Rows(func(kind string, c *ledger.Counts) {
			words = append(words, fmt.Sprintf("%s %s +%d =%d ?%d -%d !%d", n.String(), kind, c.Created, c.Opened, c.Got, c.Removed, c.Failed))
		})
	}
	for _, list := range []struct {
		name    string
		objects []*ledger.Object
	}{{"left", a.Left}, {"in use", a.InUse}, {"doubt", a.Doubt}, {"died", a.Died}} {
		for _, o := range list.objects {
			id := o.Object.Name
			if o.Object.ID != nil {
				id = fmt.Sprint(*o.Object.ID)
			}
			words = append(words, strings.TrimSpace(fmt.Sprintf("%s: %s %s %s", list.name, o.Object.Kind, id, o.Why)))
		}
	}
	for name, n := range map[string]int{"by others": a.ByOthers, "unseen": a.Unseen, "unplaced": a.Unplaced} {
		if n > 0 {
			words = append(words, fmt.Sprintf("%s: %d", name, n))
		}
	}
	return strings.Join(words, "; ")
}

func TestAccount(t *testing.T) {
	const (
		create, open, get  = event.ObjectCreate, event.ObjectOpen, event.ObjectGet
		mark, remove, fail = event.ObjectMark, event.ObjectRemove, event.ObjectFail
	)
	dest := sysvipc.Object{Kind: "shm", ID: 1, Mode: sysvipc.Dest | 0o600}
	for _, test := range []struct {
		name   string
		before *snapshot.Snapshot
		events []*event.Event
		now    *snapshot.Snapshot
		gone   bool
		want   string
		missed []string
	}{
		{"nothing", nil, nil, nil, false, "", nil},
		{"made and removed", nil, []*event.Event{did(create, own, "msg", 1), did(remove, own, "msg", 1)}, nil, false, "1 msg +1 =0 ?0 -1 !0", nil},
		{"made and left", nil, []*event.Event{did(create, own, "sem", 1)}, holding(listed("sem", 1)), false, "1 sem +1 =0 ?0 -0 !0; left: sem 1", nil},
		{"got, and nobody else did", nil, []*event.Event{did(get, own, "msg", 1), did(get, own, "msg", 1)}, holding(listed("msg", 1)), false,
			"1 msg +1 =1 ?0 -0 !0; left: msg 1", nil},
		{"got what was there before", holding(listed("msg", 1)), []*event.Event{did(get, own, "msg", 1)}, holding(listed("msg", 1)), false, "1 msg +0 =1 ?0 -0 !0", nil},
		{"removed what was there before, and the id came back", holding(listed("msg", 1)),
			[]*event.Event{did(remove, own, "msg", 1), did(get, own, "msg", 1)}, holding(listed("msg", 1)), false, "1 msg +1 =0 ?0 -1 !0; left: msg 1", nil},
		{"got after a stranger did", nil, []*event.Event{did(get, stranger, "msg", 1), did(get, own, "msg", 1)}, holding(listed("msg", 1)), false,
			"1 msg +0 =0 ?1 -0 !0; doubt: msg 1 others got it too, and the hooks cannot tell who made it", nil},
		{"got before a stranger did", nil, []*event.Event{did(get, own, "msg", 1), did(get, stranger, "msg", 1)}, holding(listed("msg", 1)), false,
			"1 msg +0 =0 ?1 -0 !0; doubt: msg 1 others got it too, and the hooks cannot tell who made it", nil},
		{"got what a stranger made", nil, []*event.Event{did(create, stranger, "msg", 1), did(get, own, "msg", 1)}, holding(listed("msg", 1)), false,
			"1 msg +0 =0 ?1 -0 !0; doubt: msg 1 others got it too, and the hooks cannot tell who made it", nil},
		{"a stranger's id that came back", nil, []*event.Event{did(get, stranger, "msg", 1), did(remove, stranger, "msg", 1), did(get, own, "msg", 1)},
			holding(listed("msg", 1)), false, "1 msg +1 =0 ?0 -0 !0; left: msg 1", nil},
		{"made for certain, whoever finds it", nil, []*event.Event{did(create, own, "msg", 1), did(get, stranger, "msg", 1)}, holding(listed("msg", 1)), false,
			"1 msg +1 =0 ?0 -0 !0; left: msg 1", nil},
		{"strangers' own", nil, []*event.Event{did(create, stranger, "msg", 1), did(get, stranger, "shm", 2)}, holding(listed("msg", 1), listed("shm", 2)), false, "", nil},
		{"got in a trace with losses", nil, []*event.Event{lost(3, false), did(get, own, "msg", 1)}, holding(listed("msg", 1)), false,
			"1 msg +0 =0 ?1 -0 !0; doubt: msg 1 events were lost, and others may have made it", nil},
		{"got, and losses later", nil, []*event.Event{did(get, own, "msg", 1), lost(3, true)}, holding(listed("msg", 1)), false,
			"1 msg +0 =0 ?1 -0 !0; doubt: msg 1 events were lost, and others may have made it", nil},
		{"removed by others", nil, []*event.Event{did(create, own, "msg", 1), did(remove, stranger, "msg", 1)}, nil, false, "1 msg +1 =0 ?0 -0 !0; by others: 1", nil},
		{"others' removed", nil, []*event.Event{did(remove, own, "msg", 1)}, nil, false, "1 msg +0 =0 ?0 -1 !0", nil},
		{"gone unseen", nil, []*event.Event{did(create, own, "msg", 1)}, holding(), false, "1 msg +1 =0 ?0 -0 !0; unseen: 1", nil},
		{"found out to be gone", nil, []*event.Event{did(create, own, "msg", 1), found(did(remove, own, "msg", 1), "")}, nil, false, "1 msg +1 =0 ?0 -0 !0; unseen: 1", nil},
		{"marked, and gone", nil, []*event.Event{did(create, own, "shm", 1), did(mark, own, "shm", 1)}, holding(), false, "1 shm +1 =0 ?0 -1 !0", nil},
		{"marked, and found out to be gone", nil, []*event.Event{did(create, own, "shm", 1), did(mark, own, "shm", 1), found(did(remove, own, "shm", 1), "")}, holding(), false,
			"1 shm +1 =0 ?0 -1 !0", nil},
		{"marked, and detached", nil, []*event.Event{did(create, own, "shm", 1), did(mark, own, "shm", 1), did(remove, own, "shm", 1)}, nil, false, "1 shm +1 =0 ?0 -1 !0", nil},
		{"marked, detached last by others", nil, []*event.Event{did(create, own, "shm", 1), did(mark, own, "shm", 1), did(remove, stranger, "shm", 1)}, nil, false,
			"1 shm +1 =0 ?0 -1 !0", nil},
		{"marked by others", nil, []*event.Event{did(create, own, "shm", 1), did(mark, stranger, "shm", 1)}, holding(), false, "1 shm +1 =0 ?0 -0 !0; by others: 1", nil},
		{"marked and in use", nil, []*event.Event{did(create, own, "shm", 1), did(mark, own, "shm", 1)}, holding(dest), false, "1 shm +1 =0 ?0 -0 !0; in use: shm 1", nil},
		{"queue unlinked", nil, []*event.Event{did(create, own, "mq", 1), did(mark, own, "mq", 1), did(remove, own, "mq", 1)}, nil, false, "1 mq +1 =0 ?0 -1 !0", nil},
		{"queue left", nil, []*event.Event{did(get, own, "mq", 1)}, holding(listed("mq", 1)), false, "1 mq +1 =0 ?0 -0 !0; left: mq /q1", nil},
		{"failures", nil, []*event.Event{failed(did(fail, own, "sem", 1), "ENOSPC"), failed(did(fail, stranger, "sem", 1), "ENOSPC"), did(open, own, "sem", 1)}, nil, false,
			"1 sem +0 =1 ?0 -0 !1", nil},
		{"namespace ended", nil, []*event.Event{did(create, own, "msg", 1), in(1, 1, &event.Event{Event: event.NamespaceFree})}, nil, false, "1 msg +1 =0 ?0 -0 !0; died: msg 1", nil},
		{"removed with its namespace", nil, []*event.Event{did(get, own, "msg", 1), found(did(remove, own, "msg", 1), event.CauseNamespace)}, nil, false,
			"1 msg +1 =0 ?0 -0 !0; died: msg 1", nil},
		{"namespace surely gone", nil, []*event.Event{did(create, own, "msg", 1)}, &snapshot.Snapshot{}, true, "1 msg +1 =0 ?0 -0 !0; died: msg 1", nil},
		{"namespace not found", nil, []*event.Event{did(create, own, "msg", 1)}, &snapshot.Snapshot{}, false,
			"1 msg +1 =0 ?0 -0 !0; doubt: msg 1 nothing shows whether its namespace is still there", nil},
		{"namespace closed", nil, []*event.Event{did(create, own, "msg", 1)},
			&snapshot.Snapshot{Namespaces: []snapshot.Namespace{{Namespace: nsresolve.Namespace{Inode: 1}, Err: errors.New("no")}}}, false,
			"1 msg +1 =0 ?0 -0 !0; doubt: msg 1 its namespace could not be looked into", nil},
		{"a second namespace of the inode", holding(listed("msg", 1)), []*event.Event{in(1, 2, &event.Event{Event: event.NamespaceCreate}), in(1, 2, did(get, own, "msg", 1))}, holding(listed("msg", 1)), false,
			"1.2 msg +1 =0 ?0 -0 !0; left: msg 1", nil},
		{"unseen, with losses", holding(listed("msg", 1)), []*event.Event{lost(1, true), did(create, own, "msg", 2), did(get, stranger, "msg", 3)},
			holding(listed("msg", 1), listed("msg", 2), listed("msg", 3), listed("msg", 4)), false,
			"1 msg +1 =0 ?0 -0 !0; left: msg 2; doubt: msg 4 nobody saw who made it", nil},
		{"nothing there, with losses", holding(listed("msg", 1)), []*event.Event{lost(1, true)}, holding(listed("msg", 1)), false, "", nil},
		{"queues that may be made unseen", holding(listed("mq", 1)), []*event.Event{did(create, stranger, "mq", 2)},
			holding(listed("mq", 1), listed("mq", 2), listed("mq", 3), listed("msg", 4)), false, "doubt: mq /q3 nobody saw who made it", []string{"mq"}},
		{"a name that is another queue's now", nil, []*event.Event{numbered(did(create, own, "mq", 1), 7)}, holding(numberedQueue(1, 8)), false,
			"1 mq +1 =0 ?0 -0 !0; unseen: 1", nil},
		{"a name that was another queue's before", holding(numberedQueue(1, 7)), []*event.Event{numbered(did(get, own, "mq", 1), 8)},
			holding(numberedQueue(1, 8)), false, "1 mq +1 =0 ?0 -0 !0; left: mq /q1", nil},
		{"the late end of a queue that had the name", nil, []*event.Event{numbered(did(get, own, "mq", 1), 8), numbered(did(remove, stranger, "mq", 1), 7)},
			holding(numberedQueue(1, 8)), false, "1 mq +1 =0 ?0 -0 !0; left: mq /q1", nil},
		{"a stranger's queue of the name that is gone", nil, []*event.Event{did(get, stranger, "mq", 1), did(mark, stranger, "mq", 1), did(get, own, "mq", 1)},
			holding(listed("mq", 1)), false, "1 mq +1 =0 ?0 -0 !0; left: mq /q1", nil},
		{"what was there before, removed by a stranger and made again", holding(listed("msg", 1)),
			[]*event.Event{did(remove, stranger, "msg", 1), did(get, own, "msg", 1)}, holding(listed("msg", 1)), false, "1 msg +1 =0 ?0 -0 !0; left: msg 1", nil},
		{"in a namespace that was not looked into", &snapshot.Snapshot{}, []*event.Event{did(get, own, "msg", 1), did(create, own, "sem", 2)},
			holding(listed("msg", 1), listed("sem", 2)), false,
			"1 msg +0 =0 ?1 -0 !0; 1 sem +1 =0 ?0 -0 !0; left: sem 2; doubt: msg 1 what was in its namespace before is not known", nil},
		{"another key under the id", nil, []*event.Event{did(create, own, "msg", 1)}, holding(sysvipc.Object{Kind: "msg", ID: 1, Key: 5}), false,
			"1 msg +1 =0 ?0 -0 !0; unseen: 1", nil},
		{"marked and in use, and in doubt", nil, []*event.Event{did(get, stranger, "shm", 1), did(get, own, "shm", 1), did(mark, own, "shm", 1)}, holding(dest), false,
			"1 shm +0 =0 ?1 -0 !0; in use: shm 1", nil},
		{"others' marked, once and again, and detached", nil, []*event.Event{did(mark, own, "shm", 1), did(mark, own, "shm", 1), did(remove, own, "shm", 1)}, nil, false,
			"1 shm +0 =0 ?0 -1 !0", nil},
		{"a segment found out to be gone with its namespace", nil,
			[]*event.Event{did(create, own, "shm", 1), found(did(remove, own, "shm", 1), ""), in(1, 1, &event.Event{Event: event.NamespaceFree})}, nil, false,
			"1 shm +1 =0 ?0 -0 !0; died: shm 1", nil},
		{"unreadable namespace", nil, []*event.Event{{Event: create, Object: &event.Object{Kind: "msg"}}}, nil, false, "unplaced: 1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.before == nil {
				test.before = holding()
			}
			if test.now == nil {
				test.now = &snapshot.Snapshot{}
			}
			l := ledger.New(test.before)
			for _, e := range test.events {
				l.Apply(e)
			}
			got := text(l.Settle(test.now, test.missed, func(*event.Namespace) bool { return test.gone }))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHidden: what was got is the command's only if no stranger can have made it
// unseen; what was made is in any case.
func TestHidden(t *testing.T) {
	l := ledger.New(holding(), "mq")
	for _, e := range []*event.Event{did(event.ObjectGet, own, "mq", 1), did(event.ObjectCreate, own, "mq", 2), did(event.ObjectGet, own, "msg", 3)} {
		l.Apply(e)
	}
	got := text(l.Settle(holding(listed("mq", 1), listed("mq", 2), listed("msg", 3)), nil, nil))
	want := "1 msg +1 =0 ?0 -0 !0; 1 mq +1 =0 ?1 -0 !0; left: mq /q2; left: msg 3; " +
		"doubt: mq /q1 others may have made it as a file, which the hooks do not see"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestFailed counts calls by what they failed with.
func TestFailed(t *testing.T) {
	l := ledger.New(&snapshot.Snapshot{})
	for _, errno := range []string{"ENOSPC", "EACCES", "ENOSPC"} {
		l.Apply(failed(did(event.ObjectFail, own, "sem", 1), errno))
	}
	a := l.Settle(&snapshot.Snapshot{}, nil, nil)
	if a.Failed("ENOSPC") != 2 || a.Failed("ENOSPC", "EACCES", "EPERM") != 3 || a.Failed() != 0 {
		t.Error(a.Failed("ENOSPC"), a.Failed("ENOSPC", "EACCES", "EPERM"), a.Failed())
	}
}

// TestDiedIsBounded: a command may go through any number of namespaces.
func TestDiedIsBounded(t *testing.T) {
	l := ledger.New(&snapshot.Snapshot{})
	const n = 1500
	for gen := range uint32(n) {
		l.Apply(in(1, gen+1, did(event.ObjectCreate, own, "msg", 0)))
		l.Apply(in(1, gen+1, &event.Event{Event: event.NamespaceFree}))
	}
	if a := l.Settle(&snapshot.Snapshot{}, nil, nil); len(a.Died)+a.DiedMore != n || a.DiedMore == 0 {
		t.Error(len(a.Died), a.DiedMore)
	}
}
