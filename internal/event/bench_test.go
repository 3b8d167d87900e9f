package event_test

import (
	"encoding/json"
	"testing"
	"time"
)

// TestAllocatesNothing: to write an event costs no memory, whatever is in it.
func TestAllocatesNothing(t *testing.T) {
	b := make([]byte, 0, 4096)
	for _, x := range append(session, elsewhere...) {
		if n := testing.AllocsPerRun(100, func() { b = x.event.AppendJSON(b[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations", x.name, n)
		}
	}
}

// The events of the session in docs/events.md, written by hand and by reflection.

func BenchmarkAppendJSON(b *testing.B) {
	line := make([]byte, 0, 4096)
	for i := 0; b.Loop(); i++ {
		line = session[i%len(session)].event.AppendJSON(line[:0])
	}
}

// reflected has the fields of event.Event, and no methods that write them.
type reflected struct {
	V        int       `json:"v"`
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	BootNS   int64     `json:"boot_ns"`
	Event    string    `json:"event"`
	NS, From *struct {
		Inode   uint64 `json:"inode"`
		Gen     uint32 `json:"gen"`
		ID      uint64 `json:"id,omitzero"`
		Initial bool   `json:"initial"`
		Label   string `json:"label"`
	}
	Object *struct {
		Kind  string   `json:"kind"`
		ID    *int32   `json:"id,omitempty"`
		Key   string   `json:"key"`
		Size  *uint64  `json:"size,omitempty"`
		NSems *int32   `json:"nsems,omitempty"`
		Mode  string   `json:"mode"`
		Flags []string `json:"flags"`
		UID   *uint32  `json:"uid,omitempty"`
		GID   *uint32  `json:"gid,omitempty"`
	}
	Process *struct {
		PID        uint32 `json:"pid"`
		TID        uint32 `json:"tid"`
		NSPID      uint32 `json:"ns_pid"`
		PPID       uint32 `json:"ppid"`
		UID        uint32 `json:"uid"`
		GID        uint32 `json:"gid"`
		Comm       string `json:"comm"`
		ParentComm string `json:"parent_comm"`
		CgroupID   uint64 `json:"cgroup_id"`
		Cgroup     string `json:"cgroup,omitempty"`
	}
	Container *struct {
		ID      string `json:"id"`
		Runtime string `json:"runtime"`
	}
	Syscall string `json:"syscall,omitempty"`
	ABI     string `json:"abi,omitempty"`
}

func BenchmarkEncodingJSON(b *testing.B) {
	var structs []*reflected
	for _, x := range session {
		r := new(reflected)
		if err := json.Unmarshal([]byte(x.line), r); err != nil {
			b.Fatal(err)
		}
		structs = append(structs, r)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := json.Marshal(structs[i%len(structs)]); err != nil {
			b.Fatal(err)
		}
	}
}
