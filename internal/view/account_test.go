package view

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/ledger"
)

func account() *ledger.Account {
	maker := &event.Process{PID: 62431, Comm: "make\x1b[2Jr", Followed: true}
	object := func(o *event.Object, ns *event.Namespace, minute int) *ledger.Object {
		return &ledger.Object{NS: *ns, Object: *o, Maker: maker, Time: at(float64(minute))}
	}
	segment := shm(5, 0x51, 7372800, owner(33))
	segment.State = &event.State{Attached: new(uint64(2)), Dest: true}
	hostile := queue(hostileName, 10)
	hostile.UID = owner(666)
	other := &event.Namespace{Inode: 4026532765, Gen: 2, Label: "sh\u202e[63001]"}
	a := &ledger.Account{
		Namespaces: []*ledger.Namespace{
			{Namespace: *hostNS(), Kinds: map[string]*ledger.Counts{
				"msg": {Created: 12, Opened: 3, Removed: 11}, "shm": {Got: 1},
				"sem": {Failed: 3, Errnos: map[string]uint64{"ENOSPC": 2, "EEXIST": 1}},
			}},
			{Namespace: *other, Kinds: map[string]*ledger.Counts{"mq": {Created: 1}}},
		},
		Left:     []*ledger.Object{object(msg(32769, 0x6c54b6c4, owner(0)), hostNS(), 1), object(hostile, other, 2)},
		InUse:    []*ledger.Object{object(segment, hostNS(), 3)},
		Doubt:    []*ledger.Object{object(sem(3, -5, 250, owner(54321)), hostNS(), 4)},
		Died:     []*ledger.Object{object(msg(0, 7, nil), other, 5)},
		DiedMore: 2, ByOthers: 1, Unseen: 1, Unplaced: 1, Lost: 12, Skipped: 1,
	}
	return a
}

func TestAccount(t *testing.T) {
	colored := plainOptions()
	colored.Color = true
	for name, opts := range map[string]Options{"account": plainOptions(), "account-color": colored} {
		a := account()
		left, doubt := leftovers(a.Left), leftovers(a.Doubt)
		left[0].Command, left[1].Note, doubt[0].Note = "ipcrm -q 32769", "not removed: no", "events were lost, and others may have made it"
		var out bytes.Buffer
		if err := Account(&out, a, left, leftovers(a.InUse), doubt, opts); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", out.Bytes())
	}
}

// TestAccountIsBounded: of many only some are listed, and all are counted.
func TestAccountIsBounded(t *testing.T) {
	a := &ledger.Account{}
	for i := range 1000 {
		id := int32(i)
		ns := event.Namespace{Inode: uint64(i)}
		a.Left = append(a.Left, &ledger.Object{NS: ns, Object: event.Object{Kind: "msg", ID: &id}})
		a.Namespaces = append(a.Namespaces, &ledger.Namespace{Namespace: ns, Kinds: map[string]*ledger.Counts{"msg": {Created: 1}}})
	}
	var out bytes.Buffer
	if err := Account(&out, a, leftovers(a.Left), nil, nil, plainOptions()); err != nil {
		t.Fatal(err)
	}
	more := fmt.Sprintf("… and %d more: --json has them all\n", 1000-accountShown)
	check(t, bytes.Count(out.Bytes(), []byte(more)), 2)
	check(t, bytes.HasSuffix(out.Bytes(), []byte("\n1000 objects left behind; 0 lost\n")), true)
}

// TestAccountOfNothing: a command that used no IPC.
func TestAccountOfNothing(t *testing.T) {
	var out bytes.Buffer
	if err := Account(&out, &ledger.Account{}, nil, nil, nil, plainOptions()); err != nil {
		t.Fatal(err)
	}
	check(t, out.String(), "it used no System V IPC and no POSIX queues\n\nnothing left behind; 0 lost\n")
}
