package view

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
)

// found is an object or a namespace that was there before.
func found(seconds float64, t event.Type, ns *event.Namespace, o *event.Object) *event.Event {
	e := call(seconds, t, ns, o, 0, "")
	e.Process, e.ABI, e.Observed = nil, "", event.ObservedSnapshot
	return e
}

// gone is the end of an object, by nobody when there is no comm.
func gone(seconds float64, ns *event.Namespace, o *event.Object, c event.Cause, comm string) *event.Event {
	e := call(seconds, event.ObjectRemove, ns, o, 77, comm)
	e.Cause = c
	if comm == "" {
		e.Process = nil
	}
	return e
}

func queue(name string, inode uint64) *event.Object {
	return &event.Object{
		Kind: "mq", Name: name, Inode: &inode, MaxMsg: new(int64(10)), MsgSize: new(int64(8192)), Mode: 0o600,
		UID: new(uint32(33)), GID: new(uint32(33)),
	}
}

const hostileName = "/\x1b[2J\u202e世界\xff\nand a name that goes on and on and on"

// life is what there is to see from the first look to the last end, up to 60 s.
func life() []*event.Event {
	waiting := shm(2, 0, 16384, owner(42))
	waiting.State = &event.State{Attached: new(uint64(1)), CPID: new(uint32(2210)), CTime: at(-7200), Dest: true}
	old := msg(3, 0x77, owner(0))
	old.State = &event.State{Messages: new(uint64(2)), Bytes: new(uint64(2048)), CTime: at(-100000)}
	hostile := queue(hostileName, 8)
	hostile.State = &event.State{Messages: new(uint64(1)), Bytes: new(uint64(5))}
	born := call(2, event.NamespaceCreate, shellNS(), nil, 62293, "unshare")
	born.From = hostNS()
	join := call(30, event.NamespaceJoin, shellNS(), nil, 62450, "nsenter")
	join.From = hostNS()
	late := gone(57, hostNS(), msg(3, 0x77, owner(0)), "", "")
	late.Observed = event.ObservedSnapshot
	reborn := call(59.5, event.NamespaceCreate, hostileNS(), nil, 70000, "e\x1bvil")
	reused := &event.Event{Event: event.NamespaceFree, Time: at(59.5), NS: shellNS(), Observed: event.ObservedReuse}
	return []*event.Event{
		found(0.1, event.NamespaceFound, hostNS(), nil),
		found(0.1, event.ObjectFound, hostNS(), waiting),
		found(0.1, event.ObjectFound, hostNS(), old),
		found(0.1, event.ObjectFound, hostNS(), hostile),
		found(0.1, event.NamespaceFound, &event.Namespace{Inode: 4026532900, Gen: 1, Label: "docker:1"}, nil),
		found(0.1, event.NamespaceFound, &event.Namespace{Inode: 4026532901, Gen: 1, Label: "docker:2"}, nil),
		born,
		call(3, event.ObjectCreate, shellNS(), msg(0, 0x6c54b6c4, owner(0)), 62430, "ipcmk"),
		call(4, event.ObjectCreate, hostNS(), shm(7, 0x51, 4096, owner(33)), 900, "apache2"),
		call(5, event.ObjectMark, hostNS(), shm(7, 0x51, 4096, owner(33)), 901, "ipcrm"),
		call(6, event.ObjectCreate, hostNS(), queue("/jobs", 9), 900, "apache2"),
		call(7, event.ObjectOpen, hostNS(), queue("/jobs", 9), 902, "worker"),
		join,
		gone(31, hostNS(), sem(9, 5, 3, owner(33)), event.CauseRMID, "ipcrm"),
		call(40, event.ObjectMark, hostNS(), queue("/jobs", 9), 900, "apache2"),
		call(41, event.ObjectCreate, hostNS(), queue("/jobs", 10), 900, "apache2"),
		gone(56, hostNS(), shm(7, 0, 4096, owner(33)), event.CauseDetach, "apache2"),
		late,
		gone(58, hostNS(), queue("/jobs", 9), event.CauseUnlink, "apache2"),
		gone(59, shellNS(), msg(0, 0x6c54b6c4, owner(0)), event.CauseNamespace, ""),
		reused,
		reborn,
		call(59.6, event.ObjectCreate, hostileNS(), msg(0, 1, owner(666)), 70000, "e\x1bvil"),
	}
}

// shells are sequential `unshare --ipc ipcmk -Q`, in namespaces of one number.
func shells(n int) []*event.Event {
	var all []*event.Event
	for i := range n {
		second := 60 * float64(i) / float64(n)
		ns := &event.Namespace{Inode: 4026532765, Gen: uint32(i + 1), Label: fmt.Sprintf("unshare[%d]", 1000+i)}
		all = append(all,
			call(second, event.NamespaceCreate, ns, nil, uint32(1000+i), "unshare"),
			call(second, event.ObjectCreate, ns, msg(0, 0x5, owner(0)), uint32(1000+i), "ipcmk"),
			gone(second, ns, msg(0, 0x5, owner(0)), event.CauseNamespace, ""),
			&event.Event{Event: event.NamespaceFree, Time: at(second), NS: ns})
	}
	return all
}

func TestLife(t *testing.T) {
	golden(t, "life-lines.txt", rendered(t, func(w *bytes.Buffer) error { return writeLines(w, plainOptions(), life()...) }))
	golden(t, "life-table.txt", rendered(t, writeTable(inventoryOf(life()), plainOptions())))
}

func TestShells(t *testing.T) {
	v := inventoryOf(shells(100))
	golden(t, "shells-table.txt", rendered(t, writeTable(v, plainOptions())))
}

func TestNoteText(t *testing.T) {
	for _, test := range []struct {
		event *event.Event
		want  string
	}{
		{&event.Event{Event: event.ObjectCreate}, ""},
		{&event.Event{Event: event.ObjectRemove}, " · cause not known"},
		{&event.Event{Event: event.ObjectRemove, Cause: "\x1b[2Jand so on and on"}, ` · \x1b[2Jand so o…`},
		{&event.Event{Event: event.ObjectRemove, Cause: event.CauseExit}, " · exit"},
		{&event.Event{Event: event.NamespaceFree, Observed: event.ObservedReuse}, " · found out as its number was reused"},
		{&event.Event{Event: event.NamespaceJoin, From: hostileNS()}, ` · from 4026532765.2 \x1b[31m世界\u202e\xff…`},
		{&event.Event{Event: event.NamespaceFree, Observed: "\n"}, ` · found out: \n`},
	} {
		check(t, noteText(test.event, plainOptions()), test.want)
	}
}

func TestUsedText(t *testing.T) {
	huge := uint64(math.MaxUint64)
	for want, s := range map[string]*event.State{
		"":                                   {},
		"0 attached":                         {Attached: new(uint64)},
		"1 msg":                              {Messages: new(uint64(1))},
		"2 msgs/5 B":                         {Messages: new(uint64(2)), Bytes: new(uint64(5))},
		"18446744073709551615 msgs/16.0 EiB": {Messages: &huge, Bytes: &huge},
	} {
		check(t, UsedText(s), want)
	}
	check(t, UsedText(nil), "")
}

func TestSizeOfQueues(t *testing.T) {
	check(t, ObjectSize(nil, nil, new(int64(10)), new(int64(8192))), "10×8 KiB")
	check(t, ObjectSize(nil, nil, new(int64(math.MinInt64)), new(int64(math.MinInt64))), "-9223372036854775808×0 B")
	check(t, ObjectSize(nil, nil, new(int64(1)), nil), "-")
}
