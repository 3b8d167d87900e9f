package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestObject: everything the tracer says arrives, in the words of the contract.
func TestObject(t *testing.T) {
	s := begin(stream.Filter{})
	check(t, &event.Event{
		V: event.Version, Seq: 1, Time: noon, BootNS: int64(time.Hour), Event: event.ObjectCreate,
		NS: &event.Namespace{Inode: inode, Gen: 1, ID: 53254, Label: "label of 4026532765"},
		Object: &event.Object{
			Kind: "shm", ID: new(int32(32769)), Key: 0x6c54b6c4, Size: new(uint64(4096)), Mode: 0o640,
			Flags: []string{"IPC_CREAT", "IPC_EXCL"}, UID: new(uint32(0)), GID: new(uint32(50)),
		},
		Process: &event.Process{
			PID: 62431, TID: 62432, NSPID: 2, PPID: 62293, UID: 1000, GID: 1001, Comm: "ipcmk", ParentComm: "bash",
			CgroupID: cgroup, Cgroup: "/system.slice/docker-" + idA + ".scope",
		},
		Container: &event.Container{ID: idA, Runtime: "docker"},
		Syscall:   "shmget", ABI: "i386",
	}, s.one(t, call(tracer.Shm, tracer.ActionCreate)))
}

// TestActions: the type of each, and what only some have.
func TestActions(t *testing.T) {
	for _, test := range []struct {
		action  tracer.Action
		want    event.Type
		cause   tracer.Cause
		because event.Cause
		errno   string
	}{
		{tracer.ActionCreate, "object.create", 0, "", ""},
		{tracer.ActionOpen, "object.open", 0, "", ""},
		{tracer.ActionGet, "object.get", 0, "", ""},
		{tracer.ActionFail, "object.fail", 0, "", "ENOSPC"},
		{tracer.ActionMark, "object.mark", 0, "", ""},
		{tracer.ActionRemove, "object.remove", tracer.CauseUnknown, "", ""},
		{tracer.ActionRemove, "object.remove", tracer.CauseRMID, "rmid", ""},
		{tracer.ActionRemove, "object.remove", tracer.CauseDetach, "detach", ""},
		{tracer.ActionRemove, "object.remove", tracer.CauseExit, "exit", ""},
		{tracer.ActionRemove, "object.remove", tracer.CauseNamespace, "namespace", ""},
		{tracer.ActionRemove, "object.remove", tracer.CauseUnlink, "unlink", ""},
		{tracer.ActionNamespaceCreate, "namespace.create", 0, "", ""},
		{tracer.ActionNamespaceJoin, "namespace.join", 0, "", ""},
		{tracer.ActionNamespaceFree, "namespace.free", 0, "", ""},
	} {
		t.Run(fmt.Sprint(test.action, " ", test.cause), func(t *testing.T) {
			raw := call(tracer.Shm, test.action)
			raw.Cause = test.cause
			e := begin(stream.Filter{}).one(t, raw)
			check(t, []string{string(test.want), string(test.because), test.errno}, []string{string(e.Event), string(e.Cause), e.Errno})
			check(t, test.action.OfNamespace(), e.Object == nil)
			check(t, event.ObservedHook, e.Observed)
		})
	}
}

// TestWho: what the kernel itself did has no process, what happened in no system
// call has no ABI.
func TestWho(t *testing.T) {
	for _, test := range []struct {
		name               string
		change             func(*tracer.Event)
		process, container bool
		syscall, abi       string
	}{
		{"a call", func(*tracer.Event) {}, true, true, "shmget", "i386"},
		{"through ipc(2)", func(t *tracer.Event) { t.Nr = 117 }, true, true, "ipc", "i386"},
		{"a call without a name here", func(t *tracer.Event) { t.Nr = 9999 }, true, true, "", "i386"},
		{"call number 0", func(t *tracer.Event) { t.Nr, t.ABI = 0, tracer.X86_64 }, true, true, "", "x86_64"},
		{"the end of a process", func(t *tracer.Event) { t.Nr = -1 }, true, true, "", ""},
		{"the kernel", func(t *tracer.Event) { t.ByKernel = true }, false, false, "", ""},
		{"no container", func(t *tracer.Event) { t.CgroupID = 1 }, true, false, "shmget", "i386"},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := call(tracer.Shm, tracer.ActionRemove)
			raw.Nr = 395
			test.change(raw)
			e := begin(stream.Filter{}).one(t, raw)
			check(t, []bool{test.process, test.container}, []bool{e.Process != nil, e.Container != nil})
			check(t, []string{test.syscall, test.abi}, []string{e.Syscall, e.ABI})
		})
	}
}

// TestObjectFields: which fields an object has, by kind and action.
func TestObjectFields(t *testing.T) {
	calls := map[tracer.Kind]string{tracer.Msg: "msgget", tracer.Shm: "shmget", tracer.Sem: "semget"}
	for kind, syscall := range calls {
		for action := tracer.ActionCreate; action <= tracer.ActionRemove; action++ {
			t.Run(kind.String()+" "+action.String(), func(t *testing.T) {
				want := &event.Object{Kind: kind.String(), Key: 0x6c54b6c4, Mode: 0o640, Flags: []string{}}
				if action != tracer.ActionFail {
					want.ID = new(int32(32769))
				}
				if action == tracer.ActionCreate || !action.Call() {
					want.UID, want.GID = new(uint32(0)), new(uint32(50))
				}
				switch {
				case !action.Call():
				case kind == tracer.Shm:
					want.Size = new(uint64(4096))
				case kind == tracer.Sem:
					want.NSems = new(int32(5))
				}
				if action.Call() {
					want.Flags = []string{"IPC_CREAT", "IPC_EXCL"}
				}
				e := begin(stream.Filter{}).one(t, call(kind, action))
				check(t, want, e.Object)
				check(t, syscall, e.Syscall)
			})
		}
	}
}

// TestQueueFields: likewise, of POSIX queues.
func TestQueueFields(t *testing.T) {
	unreadable := func(t *tracer.Event) { t.Queue = tracer.Queue{Name: "/jobs", Mode: -1, MaxMsg: -1, MsgSize: -1} }
	attributes := func(change ...func(*event.Object)) *event.Object {
		o := &event.Object{
			Kind: "mq", Name: "/jobs", Inode: new(uint64(19)), Mode: 0o600, MaxMsg: new(int64(10)), MsgSize: new(int64(8192)),
			Flags: []string{},
		}
		for _, c := range change {
			c(o)
		}
		return o
	}
	owned := func(o *event.Object) { o.UID, o.GID = new(uint32(0)), new(uint32(50)) }
	created := func(o *event.Object) { o.Flags = []string{"O_RDWR", "O_CREAT"} }
	for _, test := range []struct {
		name   string
		action tracer.Action
		change func(*tracer.Event)
		want   *event.Object
	}{
		{"created", tracer.ActionCreate, nil, attributes(owned, created)},
		{"created as a file", tracer.ActionCreate, func(t *tracer.Event) { t.Nr, t.Flags = 295, 0 }, attributes(owned)},
		{"opened", tracer.ActionOpen, nil, attributes(created)},
		{"got", tracer.ActionGet, nil, attributes(created)},
		{"refused", tracer.ActionFail, func(t *tracer.Event) { t.Queue.Inode, t.Queue.MaxMsg, t.Queue.MsgSize = 0, -1, -1 },
			attributes(created, func(o *event.Object) { o.Inode, o.MaxMsg, o.MsgSize = nil, nil, nil })},
		{"unlinked", tracer.ActionMark, nil, attributes(owned)},
		{"gone", tracer.ActionRemove, func(t *tracer.Event) { t.Queue.Name = "" },
			attributes(owned, func(o *event.Object) { o.Name = "" })},
		{"created unreadable", tracer.ActionCreate, unreadable,
			&event.Object{Kind: "mq", Name: "/jobs", Flags: []string{"O_RDWR", "O_CREAT"}, Bare: true}},
		{"unlinked unreadable", tracer.ActionMark, unreadable,
			&event.Object{Kind: "mq", Name: "/jobs", Flags: []string{}, Bare: true}},
		{"without messages", tracer.ActionOpen, func(t *tracer.Event) { t.Queue.MaxMsg, t.Queue.MsgSize, t.Queue.Mode = 0, 0, 0 },
			attributes(created, func(o *event.Object) { o.Mode, o.MaxMsg, o.MsgSize = 0, new(int64), new(int64) })},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := call(tracer.MQ, test.action)
			if raw.Flags = 0o600; test.action.Call() {
				raw.Flags = 0o102
			}
			if test.change != nil {
				test.change(raw)
			}
			check(t, test.want, begin(stream.Filter{}).one(t, raw).Object)
		})
	}
}

// TestBare: of what ends the hooks may say no more than which it was. The rest is
// what is known of it, or nothing.
func TestBare(t *testing.T) {
	bare := func(kind tracer.Kind, action tracer.Action) *tracer.Event {
		raw := call(kind, action)
		raw.Known, raw.Key, raw.Flags, raw.Owner, raw.Group = false, 0, 0, 0, 0
		return raw
	}
	for _, action := range []tracer.Action{tracer.ActionMark, tracer.ActionRemove} {
		t.Run("unknown "+action.String(), func(t *testing.T) {
			s := begin(stream.Filter{})
			check(t, &event.Object{Kind: "sem", ID: new(int32(32769)), Flags: []string{}, Bare: true}, s.one(t, bare(tracer.Sem, action)).Object)
		})
		t.Run("only opened "+action.String(), func(t *testing.T) {
			s := begin(stream.Filter{})
			s.takes(call(tracer.Sem, tracer.ActionOpen))
			check(t, &event.Object{Kind: "sem", ID: new(int32(32769)), Key: 0x6c54b6c4, Flags: []string{}, Bare: true}, s.one(t, bare(tracer.Sem, action)).Object)
		})
		t.Run("known "+action.String(), func(t *testing.T) {
			s := begin(stream.Filter{})
			s.takes(call(tracer.Shm, tracer.ActionCreate))
			check(t, &event.Object{
				Kind: "shm", ID: new(int32(32769)), Key: 0x6c54b6c4, Mode: 0o640, Size: new(uint64(4096)), Flags: []string{},
				UID: new(uint32(0)), GID: new(uint32(50)),
			}, s.one(t, bare(tracer.Shm, action)).Object)
		})
	}
	t.Run("marked before", func(t *testing.T) { // its key went with the mark
		s := begin(stream.Filter{})
		s.takes(call(tracer.Shm, tracer.ActionCreate), bare(tracer.Shm, tracer.ActionMark))
		o := s.one(t, bare(tracer.Shm, tracer.ActionRemove)).Object
		check(t, []any{event.Key(0), event.Mode(0o640), false}, []any{o.Key, o.Mode, o.Bare})
	})
	t.Run("told whole", func(t *testing.T) { // what the kernel says now is right, and the size is known
		s := begin(stream.Filter{})
		s.takes(call(tracer.Shm, tracer.ActionCreate))
		raw := call(tracer.Shm, tracer.ActionRemove)
		raw.Key, raw.Flags, raw.Owner, raw.Group = 0, 0o604, 7, 8
		check(t, &event.Object{
			Kind: "shm", ID: new(int32(32769)), Mode: 0o604, Size: new(uint64(4096)), Flags: []string{},
			UID: new(uint32(7)), GID: new(uint32(8)),
		}, s.one(t, raw).Object)
	})
	t.Run("queue by its number", func(t *testing.T) {
		s := begin(stream.Filter{})
		s.takes(call(tracer.MQ, tracer.ActionCreate), call(tracer.MQ, tracer.ActionMark))
		raw := call(tracer.MQ, tracer.ActionRemove)
		raw.Queue = tracer.Queue{Inode: 19, Mode: 0o604, MaxMsg: 10, MsgSize: 8192}
		check(t, &event.Object{
			Kind: "mq", Name: "/jobs", Inode: new(uint64(19)), Mode: 0o604, MaxMsg: new(int64(10)), MsgSize: new(int64(8192)),
			Flags: []string{}, UID: new(uint32(0)), GID: new(uint32(50)),
		}, s.one(t, raw).Object)
	})
	t.Run("queue by its name", func(t *testing.T) {
		s := begin(stream.Filter{})
		s.takes(call(tracer.MQ, tracer.ActionCreate))
		raw := bare(tracer.MQ, tracer.ActionMark)
		raw.Queue = tracer.Queue{Name: "/jobs", Mode: -1, MaxMsg: -1, MsgSize: -1}
		check(t, &event.Object{
			Kind: "mq", Name: "/jobs", Inode: new(uint64(19)), Mode: 0o600, MaxMsg: new(int64(10)), MsgSize: new(int64(8192)),
			Flags: []string{}, UID: new(uint32(0)), GID: new(uint32(50)),
		}, s.one(t, raw).Object)
	})
	t.Run("queue of which less is known", func(t *testing.T) {
		s := begin(stream.Filter{})
		create := call(tracer.MQ, tracer.ActionCreate)
		create.Queue.MaxMsg, create.Queue.MsgSize = -1, -1
		s.takes(create)
		o := s.one(t, call(tracer.MQ, tracer.ActionMark)).Object
		check(t, []*int64{new(int64(10)), new(int64(8192))}, []*int64{o.MaxMsg, o.MsgSize})
	})
	t.Run("of another namespace", func(t *testing.T) {
		s := begin(stream.Filter{})
		s.takes(call(tracer.Sem, tracer.ActionCreate))
		check(t, true, s.one(t, in(bare(tracer.Sem, tracer.ActionRemove), 9, 9, time.Hour)).Object.Bare)
	})
}

// TestZeroIsAValue: id, size, nsems and owner 0 are there.
func TestZeroIsAValue(t *testing.T) {
	for kind, want := range map[tracer.Kind]*event.Object{
		tracer.Msg: {Kind: "msg"},
		tracer.Shm: {Kind: "shm", Size: new(uint64(0))},
		tracer.Sem: {Kind: "sem", NSems: new(int32(0))},
	} {
		want.ID, want.UID, want.GID, want.Flags = new(int32(0)), new(uint32(0)), new(uint32(0)), []string{}
		check(t, want, begin(stream.Filter{}).one(t, &tracer.Event{Kind: kind, Action: tracer.ActionCreate}).Object)
	}
}

// TestContainer: the caller's cgroup says which.
func TestContainer(t *testing.T) {
	for _, test := range []struct {
		name   string
		cgroup uint64
		path   string
		want   *event.Container
	}{
		{"docker", cgroup, "/system.slice/docker-" + idA + ".scope", &event.Container{ID: idA, Runtime: "docker"}},
		{"podman", cgroup + 1, "/machine.slice/libpod-" + idB + ".scope", &event.Container{ID: idB, Runtime: "podman"}},
		{"none", cgroup + 2, "/system.slice/cron.service", nil},
		{"cgroup gone", 1, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(stream.Filter{})
			raw := call(tracer.Msg, tracer.ActionCreate)
			raw.CgroupID = test.cgroup
			e := s.one(t, raw)
			check(t, test.want, e.Container)
			check(t, test.path, e.Process.Cgroup)
			check(t, test.cgroup, e.Process.CgroupID)
			check(t, []string{fmt.Sprintf("label %d ipcmk[62431] %d", inode, test.cgroup)}, s.resolver.asked)
		})
	}
}

// TestEventsStandAlone: an event does not change with those after it.
func TestEventsStandAlone(t *testing.T) {
	s := begin(stream.Filter{})
	raw := call(tracer.MQ, tracer.ActionCreate)
	first := s.one(t, raw)
	line := string(first.AppendJSON(nil))
	*raw = *call(tracer.MQ, tracer.ActionRemove)
	raw.NamespaceID, raw.CgroupID, raw.Comm, raw.Queue.Inode, raw.Queue.MaxMsg = 99, cgroup+1, "x", 5, 6
	s.takes(raw)
	check(t, line, string(first.AppendJSON(nil)))
}
