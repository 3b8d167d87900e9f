package stream_test

import (
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

func TestFilter(t *testing.T) {
	type m = func(*tracer.Event)
	cgroups := func(id uint64) m { return func(t *tracer.Event) { t.CgroupID = id } }
	comm := func(c string) m { return func(t *tracer.Event) { t.Comm = c } }
	place := func(inode uint32) m { return func(t *tracer.Event) { t.Namespace = inode } }
	kernel := func(t *tracer.Event) { t.ByKernel = true }
	becomes := func(action tracer.Action, change ...m) m {
		return func(t *tracer.Event) {
			t.Action = action
			for _, c := range change {
				c(t)
			}
		}
	}
	from := func(inode uint32) m { return func(t *tracer.Event) { t.From = inode } }
	events := func(types ...event.Type) stream.Filter { return stream.Filter{Events: types} }
	comms := func(names ...string) stream.Filter { return stream.Filter{Comms: names} }
	containers := func(ids ...string) stream.Filter { return stream.Filter{Containers: ids} }
	kinds := func(names ...string) stream.Filter { return stream.Filter{Kinds: names} }
	places := func(inodes ...uint64) (f stream.Filter) {
		for _, inode := range inodes {
			f.Namespaces = append(f.Namespaces, stream.Place{Inode: inode})
		}
		return f
	}
	generation := func(gen uint32) stream.Filter {
		return stream.Filter{Namespaces: []stream.Place{{Inode: inode, Gen: gen}}}
	}
	all := stream.Filter{
		Events: []event.Type{event.ObjectCreate}, Kinds: []string{"msg"}, Namespaces: []stream.Place{{Inode: inode}}, PIDs: []uint32{62431},
		UIDs: []uint32{1000}, Comms: []string{"ipcmk"}, Containers: []string{idA[:4]},
	}
	host := stream.Filter{Except: nsresolve.InitialInode}
	for _, test := range []struct {
		name   string
		filter stream.Filter
		change m
		want   bool
	}{
		{"none", stream.Filter{}, cgroups(1), true},
		{"none, by the kernel", stream.Filter{}, kernel, true},
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
		{"empty comm, by the kernel", comms(""), kernel, false},
		{"container", containers(idA), nil, true},
		{"beginning of a container", containers("4f797c53"), nil, true},
		{"one of containers", containers(idB, "4f"), nil, true},
		{"middle of a container", containers("797c"), nil, false},
		{"more than a container", containers(idA + "0"), nil, false},
		{"other container", containers("4f797c53"), cgroups(cgroup + 1), false},
		{"runtime", containers("docker"), nil, false},
		{"no container", containers("4f"), cgroups(cgroup + 2), false},
		{"any container", containers(""), nil, true},
		{"any container, but there is none", containers(""), cgroups(cgroup + 2), false},
		{"pid", stream.Filter{PIDs: []uint32{1, 62431}}, nil, true},
		{"not the tid", stream.Filter{PIDs: []uint32{62432}}, nil, false},
		{"pid 0 is not the kernel", stream.Filter{PIDs: []uint32{0}}, kernel, false},
		{"uid", stream.Filter{UIDs: []uint32{1000}}, nil, true},
		{"not the owner", stream.Filter{UIDs: []uint32{0}}, nil, false},
		{"kind", kinds("sem", "msg"), nil, true},
		{"other kind", kinds("shm"), nil, false},
		{"kind, of a namespace", kinds("msg"), becomes(tracer.ActionNamespaceCreate), false},
		{"kind, of a namespace that is asked for",
			stream.Filter{Kinds: []string{"msg"}, Events: []event.Type{event.NamespaceCreate}}, becomes(tracer.ActionNamespaceCreate), true},
		{"births", events(event.NamespaceCreate), becomes(tracer.ActionNamespaceCreate), true},
		{"births alone", events(event.NamespaceCreate), nil, false},
		{"births, not joins", events(event.NamespaceCreate), becomes(tracer.ActionNamespaceJoin), false},
		{"place", places(5, inode), nil, true},
		{"other place", places(5), nil, false},
		{"generation", generation(1), nil, true},
		{"other generation", generation(2), nil, false},
		{"place not readable", places(5), place(0), false},
		{"not readable", stream.Filter{}, place(0), true},
		{"born from the place", places(5), becomes(tracer.ActionNamespaceCreate, from(5)), false},
		{"born in the place", places(inode), becomes(tracer.ActionNamespaceCreate, from(5)), true},
		{"born elsewhere", places(6), becomes(tracer.ActionNamespaceCreate, from(5)), false},
		{"gone from the place", places(5), becomes(tracer.ActionNamespaceJoin, from(5)), false},
		{"not the host", host, nil, true},
		{"the host", host, place(nsresolve.InitialInode), false},
		{"perhaps the host", host, place(0), false},
		{"born from the host", host, becomes(tracer.ActionNamespaceCreate, from(nsresolve.InitialInode)), true},
		{"back to the host", host, becomes(tracer.ActionNamespaceJoin, from(inode), place(nsresolve.InitialInode)), false},
		{"all", all, nil, true},
		{"all but the comm", all, comm("x"), false},
		{"all but the container", all, cgroups(cgroup + 1), false},
		{"all but the event", all, becomes(tracer.ActionOpen), false},
		{"all but the pid", all, func(t *tracer.Event) { t.PID = 1 }, false},
		{"all but the uid", all, func(t *tracer.Event) { t.UID = 1 }, false},
		{"all but the place", all, place(5), false},
		{"all but the kind", all, func(t *tracer.Event) { t.Kind = tracer.Sem }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(test.filter)
			raw := call(tracer.Msg, tracer.ActionCreate)
			if test.change != nil {
				test.change(raw)
			}
			if told := s.takes(raw); (len(told) == 1) != test.want {
				t.Errorf("let through: %q, want %v", texts(told), test.want)
			}
			want := map[bool][2]uint64{true: {1, 0}, false: {0, 1}}[test.want]
			check(t, want, [2]uint64{s.Written(), s.Filtered()})
		})
	}
}

// TestFollowUps: what becomes of what was shown is shown, whoever does it.
func TestFollowUps(t *testing.T) {
	for name, filter := range map[string]stream.Filter{
		"pid": {PIDs: []uint32{62431}}, "uid": {UIDs: []uint32{1000}},
		"comm": {Comms: []string{"ipcmk"}}, "container": {Containers: []string{idA}},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(filter)
			other := func(e *tracer.Event) *tracer.Event {
				e.PID, e.UID, e.Comm, e.CgroupID = 1, 0, "init", 1
				return e
			}
			kernel := func(e *tracer.Event) *tracer.Event {
				e.ByKernel = true
				return e
			}
			// Of others, and then one of its own, opened and marked by others.
			check(t, []string{"object.create 4026532765 shm 2"}, texts(s.takes(
				other(call(0, tracer.ActionNamespaceCreate)), other(of(call(tracer.Shm, tracer.ActionCreate), 1)),
				of(call(tracer.Shm, tracer.ActionCreate), 2), other(of(call(tracer.Shm, tracer.ActionOpen), 2)),
			)))
			check(t, []string{"object.mark 4026532765 shm 2"}, texts(s.takes(
				other(of(call(tracer.Shm, tracer.ActionMark), 1)), other(of(call(tracer.Shm, tracer.ActionMark), 2)),
			)))
			check(t, []string{"object.remove 4026532765 shm 2", "namespace.free 4026532765"}, texts(s.takes(
				kernel(of(call(tracer.Shm, tracer.ActionRemove), 1)), kernel(of(call(tracer.Shm, tracer.ActionRemove), 2)),
				other(of(call(tracer.Shm, tracer.ActionRemove), 2)), // once
				freed(inode, 53254, time.Hour), freed(9, 9, time.Hour),
			)))
			check(t, []uint64{4, 7}, []uint64{s.Written(), s.Filtered()})
		})
	}
	t.Run("what is reused", func(t *testing.T) {
		s := begin(stream.Filter{PIDs: []uint32{62431}})
		s.takes(in(of(call(tracer.Msg, tracer.ActionCreate), 1), 7, 100, 1))
		birth := born(7, 101, 2)
		birth.PID = 1
		check(t, []string{"object.remove reuse namespace 7 msg 1", "namespace.free reuse 7"}, texts(s.takes(birth)))
		birth = born(7, 102, 3)
		birth.PID = 1
		check(t, nil, texts(s.takes(birth)))
		check(t, []uint64{1, 2}, []uint64{s.Written(), s.Filtered()})
	})
	t.Run("but not other events", func(t *testing.T) {
		s := begin(stream.Filter{PIDs: []uint32{62431}, Events: []event.Type{event.ObjectCreate}})
		check(t, []string{"object.create 4026532765 msg 32769"},
			texts(s.takes(call(tracer.Msg, tracer.ActionCreate), call(tracer.Msg, tracer.ActionRemove))))
	})
}

// TestFound: of what is found nobody knows who did it.
func TestFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		filter stream.Filter
		want   []string
	}{
		{"none", stream.Filter{}, []string{
			"namespace.found snapshot 7", "object.found snapshot 7 msg 1", "object.found snapshot 7 shm 2",
			"namespace.found snapshot 8", "object.found snapshot 8 mq /a",
		}},
		{"pid", stream.Filter{PIDs: []uint32{0}}, nil},
		{"uid", stream.Filter{UIDs: []uint32{0}}, nil},
		{"comm", stream.Filter{Comms: []string{""}}, nil},
		{"container", stream.Filter{Containers: []string{""}}, nil},
		{"kind", stream.Filter{Kinds: []string{"shm", "mq"}}, []string{"object.found snapshot 7 shm 2", "object.found snapshot 8 mq /a"}},
		{"kind and event", stream.Filter{Kinds: []string{"sem"}, Events: []event.Type{event.NamespaceFound}},
			[]string{"namespace.found snapshot 7", "namespace.found snapshot 8"}},
		{"event", stream.Filter{Events: []event.Type{event.ObjectCreate}}, nil},
		{"place", stream.Filter{Namespaces: []stream.Place{{Inode: 8}}}, []string{"namespace.found snapshot 8", "object.found snapshot 8 mq /a"}},
		{"not that place", stream.Filter{Except: 8},
			[]string{"namespace.found snapshot 7", "object.found snapshot 7 msg 1", "object.found snapshot 7 shm 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(test.filter)
			check(t, test.want, s.looks(5, holding(7, 0, msg(1), shm(2, 0, false)), holding(8, 0, mq("/a", 3))))
			check(t, []uint64{0, 0}, []uint64{s.Written(), s.Filtered()})
			stop := s.Stop(noon, 0, "signal", tracer.Stats{}).Stop
			check(t, uint64(len(test.want)), stop.Found)
			for range 3 {
				check(t, nil, s.looks(6, holding(7, 0, msg(1), shm(2, 0, false)), holding(8, 0, mq("/a", 3))))
				check(t, false, s.Unsettled())
			}
		})
	}
}
