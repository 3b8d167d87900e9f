package sysvipc_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
)

func TestEvent(t *testing.T) {
	made := time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)
	for _, test := range []struct {
		object sysvipc.Object
		want   event.Object
	}{
		{
			sysvipc.Object{
				Kind: "msg", Key: -1, ID: 5, Mode: 0o644, UID: 1, GID: 2, CUID: 3, CGID: 4,
				Messages: 2, Bytes: 129, LSPID: 10, CTime: made.Unix(),
			},
			event.Object{
				Kind: "msg", ID: new(int32(5)), Key: -1, Mode: 0o644, Flags: []string{}, UID: new(uint32(1)), GID: new(uint32(2)),
				State: &event.State{
					Messages: new(uint64(2)), Bytes: new(uint64(129)), LSPID: new(uint32(10)),
					CUID: new(uint32(3)), CGID: new(uint32(4)), CTime: made,
				},
			},
		},
		{
			sysvipc.Object{Kind: "shm", Mode: 0o3600, Size: 10000, Attached: 1, CPID: 7, LPID: 8, CTime: made.Unix()},
			event.Object{
				Kind: "shm", ID: new(int32), Size: new(uint64(10000)), Mode: 0o600, Flags: []string{}, UID: new(uint32), GID: new(uint32),
				State: &event.State{
					Attached: new(uint64(1)), CPID: new(uint32(7)), LPID: new(uint32(8)),
					CUID: new(uint32), CGID: new(uint32), CTime: made, Dest: true,
				},
			},
		},
		{
			sysvipc.Object{Kind: "shm"}, // zero is a value, but for processes
			event.Object{
				Kind: "shm", ID: new(int32), Size: new(uint64), Flags: []string{}, UID: new(uint32), GID: new(uint32),
				State: &event.State{Attached: new(uint64), CUID: new(uint32), CGID: new(uint32)},
			},
		},
		{
			sysvipc.Object{Kind: "sem", Key: 1, ID: 1, Mode: 0o777, NSems: 3, CTime: made.Unix()},
			event.Object{
				Kind: "sem", ID: new(int32(1)), Key: 1, NSems: new(int32(3)), Mode: 0o777, Flags: []string{}, UID: new(uint32), GID: new(uint32),
				State: &event.State{CUID: new(uint32), CGID: new(uint32), CTime: made},
			},
		},
		{
			sysvipc.Object{
				Kind: "mq", Name: "/jobs", Inode: 99, Mode: 0o600, UID: 1, GID: 2, MaxMsg: 10, MsgSize: 8192, CTime: made.Unix(),
			},
			event.Object{
				Kind: "mq", Name: "/jobs", Inode: new(uint64(99)), MaxMsg: new(int64(10)), MsgSize: new(int64(8192)),
				Mode: 0o600, Flags: []string{}, UID: new(uint32(1)), GID: new(uint32(2)),
				State: &event.State{Messages: new(uint64), Bytes: new(uint64), CTime: made},
			},
		},
		{
			sysvipc.Object{Kind: "mq", Name: "/closed", Inode: 100}, // not readable
			event.Object{
				Kind: "mq", Name: "/closed", Inode: new(uint64(100)), Flags: []string{}, UID: new(uint32), GID: new(uint32),
				State: &event.State{},
			},
		},
	} {
		if diff := cmp.Diff(&test.want, test.object.Event()); diff != "" {
			t.Errorf("%+v: %s", test.object, diff)
		}
	}
}
