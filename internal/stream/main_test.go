package stream_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

const (
	inode  = 4026532765
	idA    = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
	idB    = "9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"
	cgroup = 7345
)

// fake is a resolver that knows what the test tells it, and what it was asked.
type fake struct {
	cgroups map[uint64]string
	asked   []string
}

func (f *fake) Label(inode uint64, m nsresolve.Maker) string {
	f.asked = append(f.asked, fmt.Sprintf("label %d %s[%d] %d", inode, m.Comm, m.PID, m.CgroupID))
	return fmt.Sprintf("label of %d", inode)
}

func (f *fake) Forget(inode uint64) { f.asked = append(f.asked, fmt.Sprintf("forget %d", inode)) }

func (f *fake) Recheck(inode uint64) { f.asked = append(f.asked, fmt.Sprintf("recheck %d", inode)) }

func (f *fake) Cgroup(id uint64, pid int) (string, bool) {
	path, ok := f.cgroups[id]
	return path, ok
}

// askedTo is what it was asked to do by a name, in order.
func (f *fake) askedTo(do string) (inodes []string) {
	for _, a := range f.asked {
		if rest, ok := strings.CutPrefix(a, do+" "); ok {
			inodes = append(inodes, rest)
		}
	}
	return inodes
}

// session is a stream, and who takes its events: all are applied before the next
// call, as they have to be.
type session struct {
	*stream.Stream
	resolver  *fake
	inventory *inventory.Inventory
	told      []*event.Event
}

func begin(filter stream.Filter) *session {
	s := &session{
		resolver: &fake{cgroups: map[uint64]string{
			cgroup:     "/system.slice/docker-" + idA + ".scope",
			cgroup + 1: "/machine.slice/libpod-" + idB + ".scope",
			cgroup + 2: "/system.slice/cron.service",
		}},
		inventory: inventory.New(inventory.Limits{}),
	}
	s.Stream = stream.New(s.resolver, filter, s.inventory)
	s.AskAlive(func(id, inode uint64) (bool, error) { panic("nobody is to ask") })
	return s
}

func (s *session) apply(events []*event.Event) (told []*event.Event) {
	for _, e := range events {
		if e.Seq == 0 {
			s.inventory.Note(e)
			continue
		}
		s.inventory.Apply(e)
		told = append(told, e.Clone())
	}
	s.told = append(s.told, told...)
	return told
}

// takes is what is told of what happened.
func (s *session) takes(happened ...*tracer.Event) (all []*event.Event) {
	for _, t := range happened {
		all = append(all, s.apply(s.Events(t))...)
	}
	return all
}

// one is the event that one thing that happened is told as.
func (s *session) one(t *testing.T, happened *tracer.Event) *event.Event {
	t.Helper()
	events := s.takes(happened)
	if len(events) != 1 {
		t.Fatalf("%d events, want 1: %q", len(events), texts(events))
	}
	return events[0]
}

// looks is what is told of a snapshot that was taken since nothing happened.
func (s *session) looks(at time.Duration, found ...snapshot.Namespace) []string {
	s.BeginLook()
	return s.sees(at, found...)
}

// sees is what is told of a snapshot that began to be taken before.
func (s *session) sees(at time.Duration, found ...snapshot.Namespace) []string {
	return texts(s.take(&snapshot.Snapshot{Namespaces: found, From: at, To: at + 1}))
}

func (s *session) take(found *snapshot.Snapshot) []*event.Event {
	for i := range found.Namespaces {
		if n := &found.Namespaces[i]; n.From == 0 {
			n.From, n.To = found.From, found.To
		}
	}
	told, fresh := s.Look(found)
	for _, e := range fresh {
		s.inventory.Apply(e)
	}
	return s.apply(told)
}

var noon = time.Date(2026, 7, 14, 12, 0, 0, 0, time.UTC)

// call is an event of the tracer's. Fields of the other kinds are not zero, to
// see that they do not come through.
func call(kind tracer.Kind, action tracer.Action) *tracer.Event {
	t := &tracer.Event{
		Time: noon, Boot: time.Hour, CPU: 3, Namespace: inode, NamespaceID: 53254,
		Kind: kind, Action: action, ID: 32769, Key: 0x6c54b6c4, Flags: 0o3640, Size: 4096, Sems: 5, ABI: tracer.I386,
		Nr:  map[tracer.Kind]int32{tracer.Msg: 399, tracer.Shm: 395, tracer.Sem: 393, tracer.MQ: 277}[kind],
		PID: 62431, TID: 62432, NSPID: 2, PPID: 62293, UID: 1000, GID: 1001, Owner: 0, Group: 50,
		CgroupID: cgroup, Comm: "ipcmk", ParentComm: "bash",
	}
	switch {
	case action == tracer.ActionFail:
		t.ID, t.Errno = -1, unix.ENOSPC
	case !action.Call():
		t.Flags, t.Known = 0o640, true
	}
	if kind == tracer.MQ {
		t.ID, t.Key = -1, 0
		t.Queue = tracer.Queue{Name: "/jobs", Inode: 19, Mode: 0o600, MaxMsg: 10, MsgSize: 8192}
	}
	return t
}

// in moves what happened to another namespace, and to another moment.
func in(t *tracer.Event, inode uint32, id uint64, at time.Duration) *tracer.Event {
	t.Namespace, t.NamespaceID, t.Boot = inode, id, at
	return t
}

// of is what happened to an object by its id.
func of(t *tracer.Event, id int32) *tracer.Event {
	t.ID, t.Key = id, id+1000
	return t
}

func born(inode uint32, id uint64, at time.Duration) *tracer.Event {
	return in(call(0, tracer.ActionNamespaceCreate), inode, id, at)
}

func freed(inode uint32, id uint64, at time.Duration) *tracer.Event {
	t := in(call(0, tracer.ActionNamespaceFree), inode, id, at)
	t.ByKernel = true
	return t
}

// text is an event in few words: what, how it is known, why, where, of what.
func text(e *event.Event) string {
	words := []string{string(e.Event), string(e.Observed), string(e.Cause)}
	if e.NS != nil {
		words = append(words, e.NS.String())
	}
	if o := e.Object; o != nil {
		words = append(words, o.Kind, o.Name)
		if o.ID != nil {
			words = append(words, fmt.Sprint(*o.ID))
		}
	}
	return strings.Join(strings.Fields(strings.Join(words, " ")), " ")
}

func texts(events []*event.Event) []string {
	var all []string
	for _, e := range events {
		all = append(all, text(e))
	}
	return all
}

func check[T any](t *testing.T, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
