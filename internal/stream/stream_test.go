package stream_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ipctrace/ipctrace/internal/event"
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

func (f *fake) forgotten() (inodes []string) {
	for _, a := range f.asked {
		if rest, ok := strings.CutPrefix(a, "forget "); ok {
			inodes = append(inodes, rest)
		}
	}
	return inodes
}

func newStream(filter stream.Filter) (*stream.Stream, *fake) {
	f := &fake{cgroups: map[uint64]string{
		cgroup:     "/system.slice/docker-" + idA + ".scope",
		cgroup + 1: "/machine.slice/libpod-" + idB + ".scope",
		cgroup + 2: "/system.slice/cron.service",
	}}
	return stream.New(f, filter), f
}

var noon = time.Date(2026, 7, 14, 12, 0, 0, 0, time.UTC)

// call is an event of the tracer's. Fields of the other kinds are not zero, to
// see that they do not come through.
func call(kind tracer.Kind, verdict tracer.Verdict) *tracer.Event {
	t := &tracer.Event{
		Time: noon, Boot: time.Hour, CPU: 3, Namespace: inode, NamespaceID: 53254,
		Kind: kind, Verdict: verdict, ID: 32769, Key: 0x6c54b6c4, Flags: 0o3640, Size: 4096, Sems: 5, ABI: tracer.I386,
		PID: 62431, TID: 62432, NSPID: 2, PPID: 62293, UID: 1000, GID: 1001, EUID: 0, EGID: 50,
		CgroupID: cgroup, Comm: "ipcmk", ParentComm: "bash",
	}
	if verdict == tracer.VerdictFail {
		t.ID, t.Errno = -1, unix.ENOSPC
	}
	return t
}

func check(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestObject: everything the tracer says arrives, in the words of the contract.
func TestObject(t *testing.T) {
	s, _ := newStream(stream.Filter{})
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
	}, s.Object(call(tracer.Shm, tracer.VerdictCreate)))
}

// TestObjectFields: which fields an object has, by kind and verdict.
func TestObjectFields(t *testing.T) {
	types := map[tracer.Verdict]event.Type{
		tracer.VerdictCreate: "object.create", tracer.VerdictOpen: "object.open",
		tracer.VerdictGet: "object.get", tracer.VerdictFail: "object.fail",
	}
	calls := map[tracer.Kind]string{tracer.Msg: "msgget", tracer.Shm: "shmget", tracer.Sem: "semget"}
	for kind, syscall := range calls {
		for verdict, typ := range types {
			t.Run(kind.String()+" "+verdict.String(), func(t *testing.T) {
				want := &event.Object{
					Kind: strings.TrimSuffix(syscall, "get"), Key: 0x6c54b6c4, Mode: 0o640, Flags: []string{"IPC_CREAT", "IPC_EXCL"},
				}
				errno := ""
				if verdict == tracer.VerdictFail {
					errno = "ENOSPC"
				} else {
					want.ID = new(int32(32769))
				}
				if verdict == tracer.VerdictCreate {
					want.UID, want.GID = new(uint32(0)), new(uint32(50))
				}
				switch kind {
				case tracer.Shm:
					want.Size = new(uint64(4096))
				case tracer.Sem:
					want.NSems = new(int32(5))
				}
				s, _ := newStream(stream.Filter{})
				e := s.Object(call(kind, verdict))
				check(t, want, e.Object)
				check(t, []string{string(typ), errno, syscall}, []string{string(e.Event), e.Errno, e.Syscall})
			})
		}
	}
}

// TestZeroIsAValue: id, size, nsems and owner 0 are there.
func TestZeroIsAValue(t *testing.T) {
	s, _ := newStream(stream.Filter{})
	for kind, want := range map[tracer.Kind]*event.Object{
		tracer.Msg: {Kind: "msg"},
		tracer.Shm: {Kind: "shm", Size: new(uint64(0))},
		tracer.Sem: {Kind: "sem", NSems: new(int32(0))},
	} {
		want.ID, want.UID, want.GID, want.Flags = new(int32(0)), new(uint32(0)), new(uint32(0)), []string{}
		check(t, want, s.Object(&tracer.Event{Kind: kind, Verdict: tracer.VerdictCreate}).Object)
	}
}

func TestSyscall(t *testing.T) {
	s, _ := newStream(stream.Filter{})
	raw := call(tracer.Msg, tracer.VerdictOpen)
	raw.IPCCall = true
	e := s.Object(raw)
	check(t, []string{"ipc", "i386"}, []string{e.Syscall, e.ABI})
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
			s, f := newStream(stream.Filter{})
			raw := call(tracer.Msg, tracer.VerdictCreate)
			raw.CgroupID = test.cgroup
			e := s.Object(raw)
			check(t, test.want, e.Container)
			check(t, test.path, e.Process.Cgroup)
			check(t, test.cgroup, e.Process.CgroupID)
			check(t, []string{fmt.Sprintf("label %d ipcmk[62431] %d", inode, test.cgroup)}, f.asked)
		})
	}
}

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
		{"no ids before 6.18", []seen{{7, 0, "7"}, {8, 0, "8"}, {7, 0, "7"}}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, f := newStream(stream.Filter{})
			for i, c := range test.calls {
				raw := call(tracer.Msg, tracer.VerdictCreate)
				raw.Namespace, raw.NamespaceID = c.inode, c.id
				before := len(f.forgotten())
				ns := s.Object(raw).NS
				if ns.String() != c.want || ns.ID != c.id || ns.Inode != uint64(c.inode) {
					t.Errorf("call %d is in %v, id %d; want %s, id %d", i, ns, ns.ID, c.want, c.id)
				}
				// What was known of the old one must not name the new one.
				if last := f.asked[len(f.asked)-1]; len(f.forgotten()) > before && !strings.HasPrefix(last, "label") {
					t.Errorf("call %d: forgotten after the label was asked for: %q", i, f.asked)
				}
			}
			check(t, test.forget, f.forgotten())
		})
	}
}

// TestGenerationsBehindAFilter: what is left out counts all the same.
func TestGenerationsBehindAFilter(t *testing.T) {
	s, f := newStream(stream.Filter{Events: []event.Type{event.ObjectFail}})
	for id := range uint64(3) {
		raw := call(tracer.Msg, tracer.VerdictCreate)
		raw.NamespaceID = id + 1
		if e := s.Object(raw); e != nil {
			t.Errorf("%+v came through", e)
		}
	}
	fail := call(tracer.Msg, tracer.VerdictFail)
	fail.NamespaceID = 4
	check(t, uint32(4), s.Object(fail).NS.Gen)
	check(t, []string{"4026532765", "4026532765", "4026532765"}, f.forgotten())
}

func TestInitialNamespace(t *testing.T) {
	s, _ := newStream(stream.Filter{})
	for inode, want := range map[uint32]bool{nsresolve.InitialInode: true, nsresolve.InitialInode + 1: false, inode: false} {
		raw := call(tracer.Msg, tracer.VerdictCreate)
		raw.Namespace = inode
		check(t, want, s.Object(raw).NS.Initial)
	}
}

func TestFilter(t *testing.T) {
	type m = func(*tracer.Event)
	in := func(id uint64) m { return func(t *tracer.Event) { t.CgroupID = id } }
	comm := func(c string) m { return func(t *tracer.Event) { t.Comm = c } }
	events := func(types ...event.Type) stream.Filter { return stream.Filter{Events: types} }
	comms := func(names ...string) stream.Filter { return stream.Filter{Comms: names} }
	containers := func(ids ...string) stream.Filter { return stream.Filter{Containers: ids} }
	all := stream.Filter{Events: []event.Type{event.ObjectCreate}, Comms: []string{"ipcmk"}, Containers: []string{idA[:4]}}
	for _, test := range []struct {
		name   string
		filter stream.Filter
		change m
		want   bool
	}{
		{"none", stream.Filter{}, in(1), true},
		{"event", events(event.ObjectCreate), nil, true},
		{"one of events", events(event.ObjectOpen, event.ObjectCreate), nil, true},
		{"other events", events(event.ObjectOpen, event.ObjectGet, event.ObjectFail), nil, false},
		{"comm", comms("ipcmk"), nil, true},
		{"one of comms", comms("x", "ipcmk"), nil, true},
		{"beginning of a comm", comms("ipc"), nil, false},
		{"end of a comm", comms("mk"), nil, false},
		{"comm in another case", comms("IPCMK"), nil, false},
		{"the parent's comm", comms("bash"), nil, false},
		{"empty comm", comms(""), comm(""), true},
		{"not the empty comm", comms(""), nil, false},
		{"container", containers(idA), nil, true},
		{"beginning of a container", containers("4f797c53"), nil, true},
		{"one of containers", containers(idB, "4f"), nil, true},
		{"middle of a container", containers("797c"), nil, false},
		{"more than a container", containers(idA + "0"), nil, false},
		{"other container", containers("4f797c53"), in(cgroup + 1), false},
		{"runtime", containers("docker"), nil, false},
		{"no container", containers("4f"), in(cgroup + 2), false},
		{"any container", containers(""), nil, true},
		{"any container, but there is none", containers(""), in(cgroup + 2), false},
		{"all", all, nil, true},
		{"all but the comm", all, comm("x"), false},
		{"all but the container", all, in(cgroup + 1), false},
		{"all but the event", all, func(t *tracer.Event) { t.Verdict = tracer.VerdictOpen }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStream(test.filter)
			raw := call(tracer.Msg, tracer.VerdictCreate)
			if test.change != nil {
				test.change(raw)
			}
			if e := s.Object(raw); (e != nil) != test.want {
				t.Errorf("let through: %v, want %v", e != nil, test.want)
			}
			want := map[bool][2]uint64{true: {1, 0}, false: {0, 1}}[test.want]
			check(t, want, [2]uint64{s.Written(), s.Filtered()})
		})
	}
}

// TestSession: numbers without gaps whatever is left out or lost, and totals that
// add up.
func TestSession(t *testing.T) {
	s, _ := newStream(stream.Filter{Events: []event.Type{event.ObjectCreate, event.ObjectFail}})
	start := &event.Start{Tier: "fentry", Gaps: []string{"a"}, Filters: []string{}}
	told := []*event.Event{s.Start(noon, time.Hour, start)}
	var delivered uint64
	for range 3 {
		for _, v := range []tracer.Verdict{tracer.VerdictOpen, tracer.VerdictCreate, tracer.VerdictGet, tracer.VerdictFail} {
			delivered++
			if e := s.Object(call(tracer.Shm, v)); e != nil {
				told = append(told, e)
			}
		}
		told = append(told, s.Lost(&tracer.Loss{Count: 7, Cause: tracer.ErrRingFull}))
	}
	delivered += 2
	s.Skip()
	s.Skip()
	stats := tracer.Stats{Produced: delivered + 21, Delivered: delivered, Lost: 21, Skipped: 4}
	told = append(told, s.Stop(noon.Add(time.Minute), time.Hour+time.Minute, "signal", stats))

	var types []event.Type
	for i, e := range told {
		if e.Seq != uint64(i+1) || e.V != event.Version {
			t.Errorf("event %d has seq %d, version %d", i, e.Seq, e.V)
		}
		types = append(types, e.Event)
		line := e.AppendJSON(nil)
		back, err := event.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		check(t, e, back)
	}
	check(t, []event.Type{
		"trace.start",
		"object.create", "object.fail", "trace.lost",
		"object.create", "object.fail", "trace.lost",
		"object.create", "object.fail", "trace.lost",
		"trace.stop",
	}, types)
	check(t, &event.Event{
		V: event.Version, Seq: 1, Time: noon, BootNS: int64(time.Hour), Event: event.TraceStart, Start: start,
	}, told[0])
	check(t, &event.Event{
		V: event.Version, Seq: 11, Time: noon.Add(time.Minute), BootNS: int64(time.Hour + time.Minute), Event: event.TraceStop,
		Stop: &event.Stop{Reason: "signal", Produced: 35, Delivered: 14, Lost: 21, Skipped: 4, Filtered: 8, Written: 6},
	}, told[10])
	if stop := told[10].Stop; stop.Delivered != stop.Written+stop.Filtered || stop.Produced != stop.Delivered+stop.Lost {
		t.Errorf("totals do not add up: %+v", stop)
	}
}

func TestLost(t *testing.T) {
	later := noon.Add(time.Second)
	for _, test := range []struct {
		name   string
		cause  error
		atMost bool
	}{
		{"ring full", tracer.ErrRingFull, false},
		{"hooks skipped", tracer.ErrSkipped, true},
		{"hooks skipped, wrapped", fmt.Errorf("on this kernel: %w", tracer.ErrSkipped), true},
		{"of another cause", errors.New("other"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newStream(stream.Filter{})
			check(t, &event.Event{
				V: event.Version, Seq: 1, Time: later, Event: event.TraceLost,
				Lost: &event.Lost{Count: 3, From: noon, To: later, AtMost: test.atMost},
			}, s.Lost(&tracer.Loss{Count: 3, From: noon, To: later, Cause: test.cause}))
			check(t, [2]uint64{}, [2]uint64{s.Written(), s.Filtered()})
		})
	}
}

// TestEventsStandAlone: an event does not change with those after it.
func TestEventsStandAlone(t *testing.T) {
	s, _ := newStream(stream.Filter{})
	first := s.Object(call(tracer.Msg, tracer.VerdictCreate))
	line := string(first.AppendJSON(nil))
	other := call(tracer.Msg, tracer.VerdictFail)
	other.Namespace, other.NamespaceID, other.CgroupID, other.Comm = inode, 99, cgroup+1, "x"
	s.Object(other)
	check(t, line, string(first.AppendJSON(nil)))
}

// TestRecheck: without ids of the kernel's, a new caller has the name looked at.
func TestRecheck(t *testing.T) {
	s, f := newStream(stream.Filter{})
	for _, call := range []struct {
		id  uint64
		pid uint32
	}{{0, 1}, {0, 1}, {0, 2}, {0, 2}, {0, 1}} {
		s.Object(&tracer.Event{Namespace: inode, NamespaceID: call.id, PID: call.pid})
	}
	rechecks := 0
	for _, asked := range f.asked {
		if strings.HasPrefix(asked, "recheck ") {
			rechecks++
		}
	}
	if rechecks != 2 || len(f.forgotten()) != 0 {
		t.Errorf("asked %q", f.asked)
	}
	s, f = newStream(stream.Filter{})
	s.Object(&tracer.Event{Namespace: inode, NamespaceID: 7, PID: 1})
	s.Object(&tracer.Event{Namespace: inode, NamespaceID: 7, PID: 2})
	if strings.Contains(strings.Join(f.asked, " "), "recheck") {
		t.Errorf("the kernel's ids tell enough, but asked %q", f.asked)
	}
}
