package view

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
}

// plainOptions do not depend on the machine.
func plainOptions() Options {
	return Options{Users: testUsers(), Native: "x86_64", Location: time.UTC}
}

func testUsers() *Users {
	names := map[string]string{"0": "root", "33": "www-data", "666": "ev\x1b[2Jil\n"}
	return &Users{Lookup: func(uid string) (*user.User, error) {
		if name, ok := names[uid]; ok {
			return &user.User{Uid: uid, Username: name}, nil
		}
		return nil, errors.New("unknown user")
	}}
}

var start = time.Date(2026, 7, 14, 7, 46, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

// The walk-through's two namespaces, and a hostile third one in the place of the
// second.
func hostNS() *event.Namespace {
	return &event.Namespace{Inode: 4026531839, Gen: 1, Initial: true, Label: "host"}
}

func shellNS() *event.Namespace {
	return &event.Namespace{Inode: 4026532765, Gen: 1, Label: "bash[62293]"}
}

func hostileNS() *event.Namespace {
	return &event.Namespace{Inode: 4026532765, Gen: 2, Label: "\x1b[31m世界\u202e\xff\nאבג and much more"}
}

func session() []*event.Event {
	hostile := call(5, event.ObjectCreate, hostileNS(), shm(1, 0, 7372800, owner(666)), 70001, "\x1b]0;x\a\n🌍e\u0301\xff")
	hostile.Process.NSPID = 1
	hostile.ABI = "i386"
	hostile.Container = &event.Container{ID: "3f2a9c0b1d2e4f5a6b7c8d9e0f1a2b3c4d5e6f7081920a1b2c3d4e5f60718293", Runtime: "docker"}
	failed := call(6.5, event.ObjectFail, hostNS(), sem(-1, 0x77, 1, nil), 900, "fakeroot")
	failed.Errno = "EEXIST"
	return []*event.Event{
		call(1, event.ObjectCreate, shellNS(), msg(0, 0x6c54b6c4, owner(0)), 62430, "ipcmk"),
		call(2.000001, event.ObjectCreate, shellNS(), shm(0, 0x6c54b6c5, 65536, owner(0)), 62431, "ipcmk"),
		call(3, event.ObjectCreate, shellNS(), sem(32768, -5, 3, owner(33)), 62432, "ipcmk"),
		call(4, event.ObjectOpen, hostNS(), shm(5, 0x1234, 100, nil), 812, "postgres"),
		hostile,
		call(6, event.ObjectGet, hostNS(), msg(2147483647, 0x99, nil), 813, "sixteen-letters"),
		failed,
		{Event: event.TraceLost, Time: at(9), Lost: &event.Lost{Count: 12, From: at(7), To: at(9)}},
	}
}

func call(seconds float64, t event.Type, ns *event.Namespace, o *event.Object, pid uint32, comm string) *event.Event {
	return &event.Event{
		V: event.Version, Time: at(seconds), Event: t, NS: ns, Object: o, ABI: "x86_64",
		Process: &event.Process{PID: pid, TID: pid, NSPID: pid, Comm: comm},
	}
}

func owner(uid uint32) *uint32 { return &uid }

func object(kind string, id int32, key event.Key, uid *uint32) *event.Object {
	o := &event.Object{Kind: kind, Key: key, Mode: 0o644, UID: uid, GID: uid}
	if id >= 0 {
		o.ID = &id
	}
	return o
}

func msg(id int32, key event.Key, uid *uint32) *event.Object { return object("msg", id, key, uid) }

func shm(id int32, key event.Key, size uint64, uid *uint32) *event.Object {
	o := object("shm", id, key, uid)
	o.Size = &size
	return o
}

func sem(id int32, key event.Key, nsems int32, uid *uint32) *event.Object {
	o := object("sem", id, key, uid)
	o.NSems = &nsems
	return o
}

func inventoryOf(events []*event.Event) *inventory.Inventory {
	v := inventory.New(inventory.Limits{})
	for _, e := range events {
		v.Apply(e)
	}
	return v
}

// rendered is what write writes.
func rendered(t *testing.T, write func(w *bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
