package inventory

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
)

var noon = time.Date(2026, 7, 14, 12, 0, 0, 0, time.UTC)

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

// call is an event of a namespace's object. Who calls is told by the second.
func call(second int, t event.Type, inode uint64, kind string, id int32, key event.Key) *event.Event {
	uid := uint32(1000)
	size := uint64(4096)
	return &event.Event{
		V: event.Version, Time: at(second), Event: t,
		NS:      &event.Namespace{Inode: inode, Gen: 1},
		Object:  &event.Object{Kind: kind, ID: &id, Key: key, Size: &size, Mode: 0o640, UID: &uid, GID: &uid},
		Process: &event.Process{PID: uint32(second), Comm: fmt.Sprint("p", second)},
	}
}

func applied(l Limits, events ...*event.Event) *Inventory {
	v := New(l)
	for _, e := range events {
		v.Apply(e)
	}
	return v
}

// names of all objects, by namespace.
func names(v *Inventory) [][]string {
	var all [][]string
	for _, n := range v.Namespaces() {
		of := []string{n.String()}
		for _, o := range n.Objects() {
			of = append(of, fmt.Sprintf("%s %d %s", o.Kind, o.ID, o.Key))
		}
		all = append(all, of)
	}
	return all
}

func check(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCreatedObjectIsKnown(t *testing.T) {
	create := call(1, event.ObjectCreate, 7, "shm", 0, 5)
	create.Container = &event.Container{ID: "c"}
	v := applied(Limits{}, create, call(2, event.ObjectOpen, 7, "shm", 0, 5))

	o := v.Namespaces()[0].Objects()[0]
	if !o.Known || *o.Size != 4096 || o.Mode != 0o640 || *o.UID != 1000 || *o.GID != 1000 {
		t.Errorf("facts of the creation are missing: %+v", o)
	}
	check(t, []string{o.Maker.Comm, o.LastUser.Comm, o.Container.ID}, []string{"p1", "p2", "c"})
	check(t, []time.Time{o.First, o.Last}, []time.Time{at(1), at(2)})
	check(t, o.Opens, uint64(1))
}

func TestFoundObjectIsUnknown(t *testing.T) {
	for _, how := range []event.Type{event.ObjectOpen, event.ObjectGet} {
		v := applied(Limits{}, call(1, how, 7, "shm", 0, 5), call(2, how, 7, "shm", 0, 5))
		o := v.Namespaces()[0].Objects()[0]
		if o.Known || o.Size != nil || o.NSems != nil || o.Mode != 0 || o.UID != nil || o.GID != nil || o.Maker != nil {
			t.Errorf("%s: what the caller asked for passes for the object's: %+v", how, o)
		}
		check(t, o.Opens, uint64(2))
	}
}

func TestIDsComeBack(t *testing.T) {
	tests := map[string]struct {
		second *event.Event
		known  bool
	}{
		"created again":        {call(3, event.ObjectCreate, 7, "msg", 0, 5), true},
		"opened by a new key":  {call(3, event.ObjectOpen, 7, "msg", 0, 6), false},
		"got by a key, unseen": {call(3, event.ObjectGet, 7, "msg", 0, 9), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := applied(Limits{},
				call(1, event.ObjectCreate, 7, "msg", 0, 5),
				call(2, event.ObjectCreate, 7, "msg", 1, 8),
				test.second)
			objects := v.Namespaces()[0].Objects()
			if len(objects) != 2 {
				t.Fatalf("%d objects", len(objects))
			}
			check(t, objects[0].ID, int32(1))
			check(t, objects[1].Known, test.known)
			check(t, objects[1].First, at(3))
			check(t, v.Totals().ForgottenObjects, uint64(0))
		})
	}
}

func TestKindsHaveIDsOfTheirOwn(t *testing.T) {
	v := applied(Limits{}, call(1, event.ObjectCreate, 7, "msg", 0, 5), call(2, event.ObjectCreate, 7, "sem", 0, 5))
	check(t, names(v), [][]string{{"7", "msg 0 0x00000005", "sem 0 0x00000005"}})
}

func TestNamespacesAreToldApart(t *testing.T) {
	first := call(1, event.ObjectCreate, 9, "msg", 0, 5)
	again := call(2, event.ObjectCreate, 9, "msg", 0, 5)
	again.NS.Gen = 2
	kernel := call(3, event.ObjectCreate, 9, "msg", 0, 5)
	kernel.NS.ID = 77
	host := call(4, event.ObjectCreate, 4026531839, "msg", 0, 5)
	host.NS.Initial = true
	v := applied(Limits{}, first, again, kernel, host)
	check(t, names(v), [][]string{
		{"4026531839", "msg 0 0x00000005"},
		{"9", "msg 0 0x00000005"},
		{"9.2", "msg 0 0x00000005"},
		{"9", "msg 0 0x00000005"},
	})
}

func TestNamespaceCounts(t *testing.T) {
	named := call(2, event.ObjectOpen, 9, "msg", 0, 5)
	named.NS.Label = "bash[5]"
	named.Process.PID = 1
	failed := call(4, event.ObjectFail, 9, "msg", 0, 5)
	failed.Object.ID = nil
	failed.Errno = "ENOSPC"
	v := applied(Limits{}, call(1, event.ObjectCreate, 9, "msg", 0, 5), named, call(3, event.ObjectGet, 9, "msg", 0, 5), failed)

	n := v.Namespaces()[0]
	check(t, []uint64{n.Created, n.Opened, n.Got, n.Failed}, []uint64{1, 1, 1, 1})
	check(t, []string{n.Label, n.LastFailure}, []string{"bash[5]", "ENOSPC"})
	check(t, []time.Time{n.First, n.Last}, []time.Time{at(1), at(4)})
	check(t, n.Processes, 3)
	check(t, len(n.Objects()), 1)
}

func TestIncompleteEvents(t *testing.T) {
	v := applied(Limits{},
		&event.Event{Event: event.ObjectCreate},
		&event.Event{Event: event.ObjectOpen, NS: &event.Namespace{Inode: 1}},
		&event.Event{Event: event.ObjectGet, NS: &event.Namespace{Inode: 1}, Object: &event.Object{}},
		&event.Event{Event: event.TraceLost},
		&event.Event{Event: event.TraceStart},
		&event.Event{Event: "object.unheard"},
	)
	check(t, v.Totals(), Totals{Events: 3, Created: 1, Opened: 1, Got: 1})
	check(t, names(v), [][]string{{"1"}})
}

func TestObjectsAreBounded(t *testing.T) {
	v := applied(Limits{Objects: 2},
		call(1, event.ObjectCreate, 1, "msg", 0, 5),
		call(2, event.ObjectCreate, 2, "msg", 1, 6),
		call(3, event.ObjectOpen, 1, "msg", 0, 5), // touched: stays
		call(4, event.ObjectCreate, 1, "msg", 2, 7),
	)
	check(t, names(v), [][]string{{"1", "msg 0 0x00000005", "msg 2 0x00000007"}, {"2"}})
	check(t, v.Totals().ForgottenObjects, uint64(1))
}

func TestNamespacesAreBounded(t *testing.T) {
	v := applied(Limits{Namespaces: 2},
		call(1, event.ObjectCreate, 1, "msg", 0, 5),
		call(2, event.ObjectCreate, 2, "msg", 0, 5),
		call(2, event.ObjectCreate, 2, "msg", 1, 6),
		call(3, event.ObjectFail, 1, "msg", 0, 5), // touched: stays
		call(4, event.ObjectCreate, 3, "msg", 0, 5),
	)
	check(t, names(v), [][]string{{"1", "msg 0 0x00000005"}, {"3", "msg 0 0x00000005"}})
	check(t, v.Totals(), Totals{Events: 5, Created: 4, Failed: 1, ForgottenNamespaces: 1, ForgottenObjects: 2})
}

func TestProcessesAreBounded(t *testing.T) {
	v := New(Limits{})
	for i := range 2 * MaxProcesses {
		v.Apply(call(i, event.ObjectFail, 1, "msg", 0, 5))
	}
	n := v.Namespaces()[0]
	check(t, []int{n.Processes, len(n.callers)}, []int{MaxProcesses, MaxProcesses})
}

// TestUses: of each object the newest calls are kept that opened it.
func TestUses(t *testing.T) {
	v := New(Limits{Uses: 3})
	v.Apply(call(1, event.ObjectCreate, 1, "msg", 0, 5))
	for second := 2; second <= 6; second++ {
		v.Apply(call(second, event.ObjectOpen, 1, "msg", 0, 5))
		var seconds []int
		for _, use := range v.Namespaces()[0].Objects()[0].Uses {
			seconds = append(seconds, int(use.Process.PID))
		}
		var want []int
		for s := max(2, second-2); s <= second; s++ {
			want = append(want, s)
		}
		check(t, seconds, want)
	}
	plain := applied(Limits{}, call(1, event.ObjectCreate, 1, "msg", 0, 5), call(2, event.ObjectOpen, 1, "msg", 0, 5))
	check(t, len(plain.Namespaces()[0].Objects()[0].Uses), 0)
}

func TestNewest(t *testing.T) {
	v := New(Limits{})
	for i := range int32(5) {
		v.Apply(call(int(i), event.ObjectCreate, 1, "msg", i, 5))
	}
	n := v.Namespaces()[0]
	for limit, want := range map[int][]int32{-1: nil, 0: nil, 2: {3, 4}, 9: {0, 1, 2, 3, 4}} {
		var ids []int32
		for _, o := range n.Newest(limit) {
			ids = append(ids, o.ID)
		}
		check(t, ids, want)
	}
}

func TestRelabel(t *testing.T) {
	v := applied(Limits{},
		&event.Event{Event: event.ObjectFail, NS: &event.Namespace{Inode: 1, Gen: 1, Label: "first"}},
		&event.Event{Event: event.ObjectFail, NS: &event.Namespace{Inode: 1, Gen: 2, Label: "second"}},
		&event.Event{Event: event.ObjectFail, NS: &event.Namespace{Inode: 2, Gen: 1, Label: "other"}},
	)
	v.Relabel(func(inode uint64) string { return map[uint64]string{1: "better"}[inode] })
	var labels []string
	for _, n := range v.Namespaces() {
		labels = append(labels, n.Label)
	}
	check(t, labels, []string{"first", "better", "other"})
}

// TestContainers: those whose processes call in a namespace, each once, by its last name;
// not those that make a queue in it as a file.
func TestContainers(t *testing.T) {
	v := New(Limits{})
	of := func(id, name string) *event.Container { return &event.Container{ID: id, Runtime: "docker", Name: name} }
	call := func(of event.Type, kind, syscall string, c *event.Container) {
		id := int32(1)
		v.Apply(&event.Event{
			Event: of, NS: &event.Namespace{Inode: 1, Gen: 1}, Object: &event.Object{Kind: kind, ID: &id, Name: "/q"},
			Syscall: syscall, Process: &event.Process{PID: 1}, Container: c,
		})
	}
	call(event.ObjectCreate, "msg", "msgget", of("a", ""))
	call(event.ObjectOpen, "msg", "msgget", nil)
	call(event.ObjectFail, "sem", "semget", of("b", "b"))
	call(event.ObjectOpen, "msg", "msgget", of("a", "A"))
	call(event.ObjectCreate, "mq", "openat", of("c", ""))
	call(event.ObjectCreate, "mq", "mq_open", of("d", ""))
	call(event.ObjectRemove, "msg", "msgctl", of("e", ""))
	var got []string
	for _, c := range v.Namespaces()[0].Containers {
		got = append(got, c.ID+c.Name)
	}
	if want := []string{"aA", "bb", "d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for i := range 2 * MaxContainers {
		call(event.ObjectOpen, "msg", "msgget", of(fmt.Sprint(i), ""))
	}
	if n := len(v.Namespaces()[0].Containers); n != MaxContainers {
		t.Errorf("%d kept", n)
	}
}
