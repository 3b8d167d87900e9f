package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ipctrace/ipctrace/internal/event"
)

// example is an event and its line. The lines are the contract: a change here
// breaks the readers of every log, unless it only adds a field.
type example struct {
	name  string
	event event.Event
	line  string
}

const (
	offset    = 1783999997000000123 // CLOCK_REALTIME − CLOCK_BOOTTIME of the session
	container = "4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"
)

// booted is an event's two times.
func booted(boot int64) event.Event {
	return event.Event{V: event.Version, Time: time.Unix(0, offset+boot).UTC(), BootNS: boot}
}

func at(boot int64) time.Time { return booted(boot).Time }

func happened(seq uint64, boot int64, t event.Type, change func(*event.Event)) event.Event {
	e := booted(boot)
	e.Seq, e.Event = seq, t
	change(&e)
	return e
}

func host() *event.Namespace {
	return &event.Namespace{Inode: 4026531839, Gen: 1, ID: 4098, Initial: true, Label: "host"}
}

func shell() *event.Process {
	return &event.Process{
		PID: 62431, TID: 62431, NSPID: 62431, PPID: 62293, Comm: "ipcmk", ParentComm: "bash",
		CgroupID: 5120, Cgroup: "/user.slice/user-0.slice/session-3.scope",
	}
}

func bash(gen uint32, id uint64, label string) *event.Namespace {
	return &event.Namespace{Inode: 4026532765, Gen: gen, ID: id, Label: label}
}

func postgres() *event.Process {
	return &event.Process{
		PID: 4711, TID: 4711, NSPID: 1, PPID: 4690, UID: 999, GID: 999, Comm: "postgres",
		ParentComm: "containerd-shim", CgroupID: 7345, Cgroup: "/system.slice/docker-" + container + ".scope",
	}
}

func docker() *event.Namespace {
	return &event.Namespace{Inode: 4026532840, Gen: 1, ID: 53011, Label: "docker:4f797c539e6c"}
}

// segment is postgres's, as it is itself.
func segment(key event.Key) *event.Object {
	return &event.Object{
		Kind: "shm", ID: new(int32(32769)), Key: key, Size: new(uint64(56)), Mode: 0o600, Flags: []string{},
		UID: new(uint32(999)), GID: new(uint32(999)),
	}
}

// jobs is a POSIX queue.
func jobs(flags ...string) *event.Object {
	return &event.Object{
		Kind: "mq", Name: "/jobs", Inode: new(uint64(19)), MaxMsg: new(int64(10)), MsgSize: new(int64(8192)), Mode: 0o600,
		Flags: flags, UID: new(uint32(999)), GID: new(uint32(999)),
	}
}

// session is one trace, from its first line to its last.
var session = []example{
	{
		"trace.start",
		happened(1, 3600000000000, event.TraceStart, func(e *event.Event) {
			e.Start = &event.Start{
				Tool: "ipctrace v1.0.0", Host: "web-1", BootID: "0b8a3e60-5f0c-4a0e-9d5e-0d4c1f8b2a77",
				Kernel: "6.18.5", Arch: "x86_64", Tier: "fentry", Gaps: []string{},
				Filters:    []string{"--event=create,open,fail,mark,remove,found,namespace.create,join,free,namespace.found"},
				Namespaces: 3, Objects: 1, Unreadable: 0, ClockOffsetNS: offset,
			}
		}),
		`{"v":1,"seq":1,"time":"2026-07-14T04:33:17.000000123Z","boot_ns":3600000000000,"event":"trace.start",` +
			`"start":{"tool":"ipctrace v1.0.0","host":"web-1","boot_id":"0b8a3e60-5f0c-4a0e-9d5e-0d4c1f8b2a77",` +
			`"kernel":"6.18.5","arch":"x86_64","tier":"fentry","gaps":[],` +
			`"filters":["--event=create,open,fail,mark,remove,found,namespace.create,join,free,namespace.found"],` +
			`"namespaces":3,"objects":1,"unreadable":0,"clock_offset_ns":1783999997000000123}}`,
	},
	{
		"namespace.found",
		happened(2, 3600120000000, event.NamespaceFound, func(e *event.Event) {
			e.Observed = event.ObservedSnapshot
			e.NS = host()
		}),
		`{"v":1,"seq":2,"time":"2026-07-14T04:33:17.120000123Z","boot_ns":3600120000000,"event":"namespace.found","observed":"snapshot",` +
			`"ns":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"}}`,
	},
	{
		"object.found",
		happened(3, 3600120000000, event.ObjectFound, func(e *event.Event) {
			e.Observed = event.ObservedSnapshot
			e.NS = host()
			e.Object = &event.Object{
				Kind: "shm", ID: new(int32(2)), Key: 0, Size: new(uint64(16384)), Mode: 0o777, Flags: []string{},
				UID: new(uint32(42)), GID: new(uint32(42)),
				State: &event.State{
					Attached: new(uint64(1)), CPID: new(uint32(2210)), LPID: new(uint32(2254)), CUID: new(uint32(42)), CGID: new(uint32(42)),
					CTime: time.Unix(1783996200, 0).UTC(), Dest: true,
				},
			}
		}),
		`{"v":1,"seq":3,"time":"2026-07-14T04:33:17.120000123Z","boot_ns":3600120000000,"event":"object.found","observed":"snapshot",` +
			`"ns":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"object":{"kind":"shm","id":2,"key":"0x00000000","size":16384,"mode":"0777","flags":[],"uid":42,"gid":42,` +
			`"state":{"nattch":1,"cpid":2210,"lpid":2254,"cuid":42,"cgid":42,"ctime":"2026-07-14T02:30:00.000000000Z",` +
			`"dest":true}}}`,
	},
	{
		"namespace.create",
		happened(4, 3600750000000, event.NamespaceCreate, func(e *event.Event) {
			e.NS, e.From = bash(1, 53254, "bash[62293]"), host()
			e.Process = shell()
			e.Process.PID, e.Process.TID, e.Process.NSPID, e.Process.PPID = 62293, 62293, 62293, 49265
			e.Process.Comm = "unshare"
			e.Syscall, e.ABI = "unshare", "x86_64"
		}),
		`{"v":1,"seq":4,"time":"2026-07-14T04:33:17.750000123Z","boot_ns":3600750000000,"event":"namespace.create",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"from":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"process":{"pid":62293,"tid":62293,"ns_pid":62293,"ppid":49265,"uid":0,"gid":0,"comm":"unshare","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},"syscall":"unshare","abi":"x86_64"}`,
	},
	{
		"object.create msg",
		happened(5, 3601250000877, event.ObjectCreate, func(e *event.Event) {
			e.NS = bash(1, 53254, "bash[62293]")
			e.Object = &event.Object{
				Kind: "msg", ID: new(int32(0)), Key: 0x6c54b6c4, Mode: 0o644, Flags: []string{"IPC_CREAT", "IPC_EXCL"},
				UID: new(uint32(0)), GID: new(uint32(0)),
			}
			e.Process = shell()
			e.Syscall, e.ABI = "msgget", "x86_64"
		}),
		`{"v":1,"seq":5,"time":"2026-07-14T04:33:18.250001000Z","boot_ns":3601250000877,"event":"object.create",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"object":{"kind":"msg","id":0,"key":"0x6c54b6c4","mode":"0644","flags":["IPC_CREAT","IPC_EXCL"],"uid":0,"gid":0},` +
			`"process":{"pid":62431,"tid":62431,"ns_pid":62431,"ppid":62293,"uid":0,"gid":0,"comm":"ipcmk","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},"syscall":"msgget","abi":"x86_64"}`,
	},
	{
		"object.create shm",
		happened(6, 3602000000000, event.ObjectCreate, func(e *event.Event) {
			e.NS = docker()
			e.Object = segment(0x3a1f07c2)
			e.Object.Flags = []string{"IPC_CREAT", "IPC_EXCL"}
			e.Process = postgres()
			e.Container = &event.Container{ID: container, Runtime: "docker"}
			e.Syscall, e.ABI = "shmget", "x86_64"
		}),
		`{"v":1,"seq":6,"time":"2026-07-14T04:33:19.000000123Z","boot_ns":3602000000000,"event":"object.create",` +
			`"ns":{"inode":4026532840,"gen":1,"id":53011,"initial":false,"label":"docker:4f797c539e6c"},` +
			`"object":{"kind":"shm","id":32769,"key":"0x3a1f07c2","size":56,"mode":"0600","flags":["IPC_CREAT","IPC_EXCL"],` +
			`"uid":999,"gid":999},` +
			`"process":{"pid":4711,"tid":4711,"ns_pid":1,"ppid":4690,"uid":999,"gid":999,"comm":"postgres",` +
			`"parent_comm":"containerd-shim","cgroup_id":7345,` +
			`"cgroup":"/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope"},` +
			`"container":{"id":"4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970","runtime":"docker"},` +
			`"syscall":"shmget","abi":"x86_64"}`,
	},
	{
		"object.create sem",
		happened(7, 3602500000000, event.ObjectCreate, func(e *event.Event) {
			e.NS = host()
			e.Object = &event.Object{
				Kind: "sem", ID: new(int32(7)), Key: 0, NSems: new(int32(3)), Mode: 0o600, Flags: []string{"IPC_CREAT"},
				UID: new(uint32(33)), GID: new(uint32(33)),
			}
			e.Process = &event.Process{
				PID: 812, TID: 815, NSPID: 812, PPID: 1, UID: 33, GID: 33, Comm: "apache2", ParentComm: "systemd",
				CgroupID: 2205, Cgroup: "/system.slice/apache2.service",
			}
			e.Syscall, e.ABI = "semget", "x86_64"
		}),
		`{"v":1,"seq":7,"time":"2026-07-14T04:33:19.500000123Z","boot_ns":3602500000000,"event":"object.create",` +
			`"ns":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"object":{"kind":"sem","id":7,"key":"0x00000000","nsems":3,"mode":"0600","flags":["IPC_CREAT"],"uid":33,"gid":33},` +
			`"process":{"pid":812,"tid":815,"ns_pid":812,"ppid":1,"uid":33,"gid":33,"comm":"apache2","parent_comm":"systemd",` +
			`"cgroup_id":2205,"cgroup":"/system.slice/apache2.service"},"syscall":"semget","abi":"x86_64"}`,
	},
	{
		"object.open",
		happened(8, 3603000000000, event.ObjectOpen, func(e *event.Event) {
			e.NS = bash(1, 53254, "bash[62293]")
			e.Object = &event.Object{Kind: "msg", ID: new(int32(0)), Key: 0x6c54b6c4, Mode: 0, Flags: []string{}}
			e.Process = shell()
			e.Process.PID, e.Process.TID, e.Process.NSPID, e.Process.Comm = 62440, 62440, 62440, "caf\xe9"
			e.Syscall, e.ABI = "msgget", "x86_64"
		}),
		`{"v":1,"seq":8,"time":"2026-07-14T04:33:20.000000123Z","boot_ns":3603000000000,"event":"object.open",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"object":{"kind":"msg","id":0,"key":"0x6c54b6c4","mode":"0000","flags":[]},` +
			`"process":{"pid":62440,"tid":62440,"ns_pid":62440,"ppid":62293,"uid":0,"gid":0,"comm":"caf` + "\ufffd" + `",` +
			`"comm_hex":"636166e9","parent_comm":"bash","cgroup_id":5120,` +
			`"cgroup":"/user.slice/user-0.slice/session-3.scope"},"syscall":"msgget","abi":"x86_64"}`,
	},
	{
		"namespace.join",
		happened(9, 3603100000000, event.NamespaceJoin, func(e *event.Event) {
			e.NS, e.From = bash(1, 53254, "bash[62293]"), host()
			e.Process = shell()
			e.Process.PID, e.Process.TID, e.Process.NSPID, e.Process.PPID = 62450, 62450, 62450, 49265
			e.Process.Comm = "nsenter"
			e.Syscall, e.ABI = "setns", "x86_64"
		}),
		`{"v":1,"seq":9,"time":"2026-07-14T04:33:20.100000123Z","boot_ns":3603100000000,"event":"namespace.join",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"from":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"process":{"pid":62450,"tid":62450,"ns_pid":62450,"ppid":49265,"uid":0,"gid":0,"comm":"nsenter","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},"syscall":"setns","abi":"x86_64"}`,
	},
	{
		"object.mark",
		happened(10, 3603200000000, event.ObjectMark, func(e *event.Event) {
			e.NS = docker()
			e.Object = segment(0x3a1f07c2)
			e.Process = postgres()
			e.Container = &event.Container{ID: container, Runtime: "docker"}
			e.Syscall, e.ABI = "shmctl", "x86_64"
		}),
		`{"v":1,"seq":10,"time":"2026-07-14T04:33:20.200000123Z","boot_ns":3603200000000,"event":"object.mark",` +
			`"ns":{"inode":4026532840,"gen":1,"id":53011,"initial":false,"label":"docker:4f797c539e6c"},` +
			`"object":{"kind":"shm","id":32769,"key":"0x3a1f07c2","size":56,"mode":"0600","flags":[],"uid":999,"gid":999},` +
			`"process":{"pid":4711,"tid":4711,"ns_pid":1,"ppid":4690,"uid":999,"gid":999,"comm":"postgres",` +
			`"parent_comm":"containerd-shim","cgroup_id":7345,` +
			`"cgroup":"/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope"},` +
			`"container":{"id":"4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970","runtime":"docker"},` +
			`"syscall":"shmctl","abi":"x86_64"}`,
	},
	{
		"object.remove detach",
		happened(11, 3603300000000, event.ObjectRemove, func(e *event.Event) {
			e.NS = docker()
			e.Object = segment(0)
			e.Cause = event.CauseDetach
			e.Process = postgres()
			e.Container = &event.Container{ID: container, Runtime: "docker"}
			e.Syscall, e.ABI = "shmdt", "x86_64"
		}),
		`{"v":1,"seq":11,"time":"2026-07-14T04:33:20.300000123Z","boot_ns":3603300000000,"event":"object.remove",` +
			`"ns":{"inode":4026532840,"gen":1,"id":53011,"initial":false,"label":"docker:4f797c539e6c"},` +
			`"object":{"kind":"shm","id":32769,"key":"0x00000000","size":56,"mode":"0600","flags":[],"uid":999,"gid":999},"cause":"detach",` +
			`"process":{"pid":4711,"tid":4711,"ns_pid":1,"ppid":4690,"uid":999,"gid":999,"comm":"postgres",` +
			`"parent_comm":"containerd-shim","cgroup_id":7345,` +
			`"cgroup":"/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope"},` +
			`"container":{"id":"4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970","runtime":"docker"},` +
			`"syscall":"shmdt","abi":"x86_64"}`,
	},
	{
		"object.fail",
		happened(12, 3603500000000, event.ObjectFail, func(e *event.Event) {
			e.NS = host()
			e.Object = &event.Object{
				Kind: "sem", Key: 0x4d2, NSems: new(int32(250)), Mode: 0o640, Flags: []string{"IPC_CREAT", "IPC_EXCL"},
			}
			e.Errno = "ENOSPC"
			e.Process = &event.Process{
				PID: 1533, TID: 1533, NSPID: 1533, PPID: 1, UID: 54321, GID: 54321, Comm: "oracle", ParentComm: "systemd",
				CgroupID: 2250, Cgroup: "/system.slice/oracle.service",
			}
			e.Syscall, e.ABI = "ipc", "i386"
		}),
		`{"v":1,"seq":12,"time":"2026-07-14T04:33:20.500000123Z","boot_ns":3603500000000,"event":"object.fail",` +
			`"ns":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"object":{"kind":"sem","key":"0x000004d2","nsems":250,"mode":"0640","flags":["IPC_CREAT","IPC_EXCL"]},` +
			`"errno":"ENOSPC",` +
			`"process":{"pid":1533,"tid":1533,"ns_pid":1533,"ppid":1,"uid":54321,"gid":54321,"comm":"oracle","parent_comm":"systemd",` +
			`"cgroup_id":2250,"cgroup":"/system.slice/oracle.service"},"syscall":"ipc","abi":"i386"}`,
	},
	{
		"trace.lost exact",
		happened(13, 3604500000000, event.TraceLost, func(e *event.Event) {
			e.Time = at(3604500000000)
			e.Lost = &event.Lost{Count: 12, From: at(3603500000000), To: at(3604500000000)}
		}),
		`{"v":1,"seq":13,"time":"2026-07-14T04:33:21.500000123Z","boot_ns":3604500000000,"event":"trace.lost",` +
			`"lost":{"count":12,"from":"2026-07-14T04:33:20.500000123Z","to":"2026-07-14T04:33:21.500000123Z","at_most":false}}`,
	},
	{
		"object.remove namespace",
		happened(14, 3604600000000, event.ObjectRemove, func(e *event.Event) {
			e.NS = bash(1, 53254, "bash[62293]")
			e.Object = &event.Object{
				Kind: "msg", ID: new(int32(0)), Key: 0x6c54b6c4, Mode: 0o644, Flags: []string{}, UID: new(uint32(0)), GID: new(uint32(0)),
			}
			e.Cause = event.CauseNamespace
		}),
		`{"v":1,"seq":14,"time":"2026-07-14T04:33:21.600000123Z","boot_ns":3604600000000,"event":"object.remove",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"object":{"kind":"msg","id":0,"key":"0x6c54b6c4","mode":"0644","flags":[],"uid":0,"gid":0},"cause":"namespace"}`,
	},
	{
		"namespace.free",
		happened(15, 3604610000000, event.NamespaceFree, func(e *event.Event) {
			e.NS = bash(1, 53254, "bash[62293]")
		}),
		`{"v":1,"seq":15,"time":"2026-07-14T04:33:21.610000123Z","boot_ns":3604610000000,"event":"namespace.free",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"}}`,
	},
	{
		"namespace.create in its place",
		happened(16, 3604900000000, event.NamespaceCreate, func(e *event.Event) {
			e.NS, e.From = bash(2, 57344, "sh[63001]"), host()
			e.Process = shell()
			e.Process.PID, e.Process.TID, e.Process.NSPID, e.Process.PPID = 63000, 63000, 63000, 49265
			e.Process.UID, e.Process.GID, e.Process.Comm = 1000, 1000, "sandbox"
			e.Syscall, e.ABI = "clone3", "x86_64"
		}),
		`{"v":1,"seq":16,"time":"2026-07-14T04:33:21.900000123Z","boot_ns":3604900000000,"event":"namespace.create",` +
			`"ns":{"inode":4026532765,"gen":2,"id":57344,"initial":false,"label":"sh[63001]"},` +
			`"from":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"process":{"pid":63000,"tid":63000,"ns_pid":63000,"ppid":49265,"uid":1000,"gid":1000,"comm":"sandbox",` +
			`"parent_comm":"bash","cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},` +
			`"syscall":"clone3","abi":"x86_64"}`,
	},
	{
		"object.create in the next namespace of an inode",
		happened(17, 3605000000000, event.ObjectCreate, func(e *event.Event) {
			e.NS = bash(2, 57344, "sh[63001]")
			e.Object = &event.Object{
				Kind: "msg", ID: new(int32(0)), Key: 0x6c54b6c4, Mode: 0o600, Flags: []string{"IPC_CREAT"},
				UID: new(uint32(1000)), GID: new(uint32(1000)),
			}
			e.Process = &event.Process{
				PID: 63010, TID: 63010, NSPID: 2, PPID: 63001, UID: 1000, GID: 1000, Comm: "worker", ParentComm: "sh",
				CgroupID: 5120, Cgroup: "/user.slice/user-0.slice/session-3.scope",
			}
			e.Syscall, e.ABI = "msgget", "x86_64"
		}),
		`{"v":1,"seq":17,"time":"2026-07-14T04:33:22.000000123Z","boot_ns":3605000000000,"event":"object.create",` +
			`"ns":{"inode":4026532765,"gen":2,"id":57344,"initial":false,"label":"sh[63001]"},` +
			`"object":{"kind":"msg","id":0,"key":"0x6c54b6c4","mode":"0600","flags":["IPC_CREAT"],"uid":1000,"gid":1000},` +
			`"process":{"pid":63010,"tid":63010,"ns_pid":2,"ppid":63001,"uid":1000,"gid":1000,"comm":"worker","parent_comm":"sh",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},"syscall":"msgget","abi":"x86_64"}`,
	},
	{
		"trace.lost at most",
		happened(18, 3606000000000, event.TraceLost, func(e *event.Event) {
			e.Time = at(3606000000000)
			e.Lost = &event.Lost{Count: 1, From: at(3605000000000), To: at(3606000000000), AtMost: true}
		}),
		`{"v":1,"seq":18,"time":"2026-07-14T04:33:23.000000123Z","boot_ns":3606000000000,"event":"trace.lost",` +
			`"lost":{"count":1,"from":"2026-07-14T04:33:22.000000123Z","to":"2026-07-14T04:33:23.000000123Z","at_most":true}}`,
	},
	{
		"object.remove rmid",
		happened(19, 3606500000000, event.ObjectRemove, func(e *event.Event) {
			e.NS = host()
			e.Object = &event.Object{
				Kind: "sem", ID: new(int32(7)), Key: 0, NSems: new(int32(3)), Mode: 0o600, Flags: []string{},
				UID: new(uint32(33)), GID: new(uint32(33)),
			}
			e.Cause = event.CauseRMID
			e.Process = shell()
			e.Process.PID, e.Process.TID, e.Process.NSPID, e.Process.PPID, e.Process.Comm = 63050, 63050, 63050, 49265, "ipcrm"
			e.Syscall, e.ABI = "semctl", "x86_64"
		}),
		`{"v":1,"seq":19,"time":"2026-07-14T04:33:23.500000123Z","boot_ns":3606500000000,"event":"object.remove",` +
			`"ns":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"object":{"kind":"sem","id":7,"key":"0x00000000","nsems":3,"mode":"0600","flags":[],"uid":33,"gid":33},"cause":"rmid",` +
			`"process":{"pid":63050,"tid":63050,"ns_pid":63050,"ppid":49265,"uid":0,"gid":0,"comm":"ipcrm","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},"syscall":"semctl","abi":"x86_64"}`,
	},
	{
		"object.create mq",
		happened(20, 3607000000000, event.ObjectCreate, func(e *event.Event) {
			e.NS = docker()
			e.Object = jobs("O_RDWR", "O_CREAT")
			e.Process = postgres()
			e.Container = &event.Container{ID: container, Runtime: "docker", Name: "db", Image: "postgres:17"}
			e.Syscall, e.ABI = "mq_open", "x86_64"
		}),
		`{"v":1,"seq":20,"time":"2026-07-14T04:33:24.000000123Z","boot_ns":3607000000000,"event":"object.create",` +
			`"ns":{"inode":4026532840,"gen":1,"id":53011,"initial":false,"label":"docker:4f797c539e6c"},` +
			`"object":{"kind":"mq","name":"/jobs","ino":19,"maxmsg":10,"msgsize":8192,"mode":"0600","flags":["O_RDWR","O_CREAT"],` +
			`"uid":999,"gid":999},"process":{"pid":4711,"tid":4711,"ns_pid":1,"ppid":4690,"uid":999,"gid":999,"comm":"postgres",` +
			`"parent_comm":"containerd-shim","cgroup_id":7345,` +
			`"cgroup":"/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope"},` +
			`"container":{"id":"4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970","runtime":"docker","name":"db","image":"postgres:17"},` +
			`"syscall":"mq_open","abi":"x86_64"}`,
	},
	{
		"trace.stop",
		happened(21, 3610000000000, event.TraceStop, func(e *event.Event) {
			e.Stop = &event.Stop{
				Reason: "signal", Produced: 29, Delivered: 17, Lost: 12, Skipped: 1, Filtered: 2, Written: 15, Found: 2,
			}
		}),
		`{"v":1,"seq":21,"time":"2026-07-14T04:33:27.000000123Z","boot_ns":3610000000000,"event":"trace.stop",` +
			`"stop":{"reason":"signal","produced":29,"delivered":17,"lost":12,"skipped":1,"filtered":2,"written":15,"found":2,"dropped":0}}`,
	},
}

// elsewhere is what that trace cannot show: another tier, an older kernel, a
// kernel that tells little of the process.
var elsewhere = []example{
	{
		"object.get",
		happened(7, 3607000000000, event.ObjectGet, func(e *event.Event) {
			e.NS = &event.Namespace{Inode: 4026531839, Gen: 1, Initial: true, Label: "host"}
			e.Object = &event.Object{
				Kind: "shm", ID: new(int32(4)), Key: 0x51020c8, Size: new(uint64(0)), Mode: 0o666,
				Flags: []string{"IPC_CREAT", "0x40000000"},
			}
			e.Process = &event.Process{PID: 901, TID: 901, PPID: 1, Comm: "", ParentComm: "systemd", CgroupID: 1}
			e.Syscall, e.ABI = "shmget", "arm64"
		}),
		`{"v":1,"seq":7,"time":"2026-07-14T04:33:24.000000123Z","boot_ns":3607000000000,"event":"object.get",` +
			`"ns":{"inode":4026531839,"gen":1,"initial":true,"label":"host"},` +
			`"object":{"kind":"shm","id":4,"key":"0x051020c8","size":0,"mode":"0666","flags":["IPC_CREAT","0x40000000"]},` +
			`"process":{"pid":901,"tid":901,"ppid":1,"uid":0,"gid":0,"comm":"","parent_comm":"systemd","cgroup_id":1},` +
			`"syscall":"shmget","abi":"arm64"}`,
	},
	{
		"object.mark mq",
		happened(8, 3607500000000, event.ObjectMark, func(e *event.Event) {
			e.NS = docker()
			e.Object = jobs()
			e.Process = postgres()
			e.Container = &event.Container{ID: container, Runtime: "docker"}
			e.Syscall, e.ABI = "mq_unlink", "x86_64"
		}),
		`{"v":1,"seq":8,"time":"2026-07-14T04:33:24.500000123Z","boot_ns":3607500000000,"event":"object.mark",` +
			`"ns":{"inode":4026532840,"gen":1,"id":53011,"initial":false,"label":"docker:4f797c539e6c"},` +
			`"object":{"kind":"mq","name":"/jobs","ino":19,"maxmsg":10,"msgsize":8192,"mode":"0600","flags":[],"uid":999,"gid":999},` +
			`"process":{"pid":4711,"tid":4711,"ns_pid":1,"ppid":4690,"uid":999,"gid":999,"comm":"postgres",` +
			`"parent_comm":"containerd-shim","cgroup_id":7345,` +
			`"cgroup":"/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope"},` +
			`"container":{"id":"4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970","runtime":"docker"},` +
			`"syscall":"mq_unlink","abi":"x86_64"}`,
	},
	{
		"object.remove unlink",
		happened(9, 3608000000000, event.ObjectRemove, func(e *event.Event) {
			e.NS = docker()
			e.Object = jobs()
			e.Cause = event.CauseUnlink
			e.Process = postgres()
			e.Container = &event.Container{ID: container, Runtime: "docker"}
			e.Syscall, e.ABI = "close", "x86_64"
		}),
		`{"v":1,"seq":9,"time":"2026-07-14T04:33:25.000000123Z","boot_ns":3608000000000,"event":"object.remove",` +
			`"ns":{"inode":4026532840,"gen":1,"id":53011,"initial":false,"label":"docker:4f797c539e6c"},` +
			`"object":{"kind":"mq","name":"/jobs","ino":19,"maxmsg":10,"msgsize":8192,"mode":"0600","flags":[],"uid":999,"gid":999},` +
			`"cause":"unlink","process":{"pid":4711,"tid":4711,"ns_pid":1,"ppid":4690,"uid":999,"gid":999,"comm":"postgres",` +
			`"parent_comm":"containerd-shim","cgroup_id":7345,` +
			`"cgroup":"/system.slice/docker-4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970.scope"},` +
			`"container":{"id":"4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970","runtime":"docker"},` +
			`"syscall":"close","abi":"x86_64"}`,
	},
	{
		"object.found mq",
		happened(2, 3600120000000, event.ObjectFound, func(e *event.Event) {
			e.Observed = event.ObservedSnapshot
			e.NS = docker()
			e.Object = jobs()
			e.Object.Name = "/caf\xe9"
			e.Object.State = &event.State{Messages: new(uint64(0)), Bytes: new(uint64(0)), CTime: time.Unix(1783996201, 0).UTC()}
		}),
		`{"v":1,"seq":2,"time":"2026-07-14T04:33:17.120000123Z","boot_ns":3600120000000,"event":"object.found","observed":"snapshot",` +
			`"ns":{"inode":4026532840,"gen":1,"id":53011,"initial":false,"label":"docker:4f797c539e6c"},` +
			`"object":{"kind":"mq","name":"/caf` + "\ufffd" + `","name_hex":"2f636166e9","ino":19,"maxmsg":10,"msgsize":8192,"mode":"0600","flags":[],` +
			`"uid":999,"gid":999,"state":{"messages":0,"bytes":0,"ctime":"2026-07-14T02:30:01.000000000Z","dest":false}}}`,
	},
	{
		"object.remove found out late",
		happened(10, 3609000000000, event.ObjectRemove, func(e *event.Event) {
			e.Observed = event.ObservedSnapshot
			e.NS = &event.Namespace{Inode: 4026532765, Gen: 1, Label: "bash[62293]"}
			e.Object = &event.Object{Kind: "msg", ID: new(int32(0)), Key: 0x6c54b6c4, Mode: 0o644, Flags: []string{}}
		}),
		`{"v":1,"seq":10,"time":"2026-07-14T04:33:26.000000123Z","boot_ns":3609000000000,"event":"object.remove","observed":"snapshot",` +
			`"ns":{"inode":4026532765,"gen":1,"initial":false,"label":"bash[62293]"},` +
			`"object":{"kind":"msg","id":0,"key":"0x6c54b6c4","mode":"0644","flags":[]}}`,
	},
	{
		"namespace.free by reuse",
		happened(11, 3609500000000, event.NamespaceFree, func(e *event.Event) {
			e.Observed = event.ObservedReuse
			e.NS = &event.Namespace{Inode: 4026532765, Gen: 1, Label: "bash[62293]"}
		}),
		`{"v":1,"seq":11,"time":"2026-07-14T04:33:26.500000123Z","boot_ns":3609500000000,"event":"namespace.free","observed":"reuse",` +
			`"ns":{"inode":4026532765,"gen":1,"initial":false,"label":"bash[62293]"}}`,
	},
	{
		"namespace.create in the syscall tier",
		happened(12, 3609500000000, event.NamespaceCreate, func(e *event.Event) {
			e.NS = &event.Namespace{Inode: 4026532765, Gen: 2, Label: "sh[63001]"}
			e.Process = &event.Process{
				PID: 63001, TID: 63001, NSPID: 63001, PPID: 62000, UID: 1000, GID: 1000, Comm: "sh", ParentComm: "sshd", CgroupID: 5120,
			}
			e.Syscall, e.ABI = "unshare", "x86_64"
		}),
		`{"v":1,"seq":12,"time":"2026-07-14T04:33:26.500000123Z","boot_ns":3609500000000,"event":"namespace.create",` +
			`"ns":{"inode":4026532765,"gen":2,"initial":false,"label":"sh[63001]"},` +
			`"process":{"pid":63001,"tid":63001,"ns_pid":63001,"ppid":62000,"uid":1000,"gid":1000,"comm":"sh","parent_comm":"sshd",` +
			`"cgroup_id":5120},"syscall":"unshare","abi":"x86_64"}`,
	},
	{
		"object.remove of what nobody knew",
		happened(13, 3610000000000, event.ObjectRemove, func(e *event.Event) {
			e.NS = &event.Namespace{Inode: 4026531839, Gen: 1, Initial: true, Label: "host"}
			e.Object = &event.Object{Kind: "sem", ID: new(int32(8)), Bare: true}
			e.Cause = event.CauseRMID
			e.Process = shell()
			e.Process.PID, e.Process.TID, e.Process.NSPID, e.Process.PPID, e.Process.Comm = 63050, 63050, 63050, 49265, "ipcrm"
			e.Syscall, e.ABI = "semctl", "x86_64"
		}),
		`{"v":1,"seq":13,"time":"2026-07-14T04:33:27.000000123Z","boot_ns":3610000000000,"event":"object.remove",` +
			`"ns":{"inode":4026531839,"gen":1,"initial":true,"label":"host"},` +
			`"object":{"kind":"sem","id":8},"cause":"rmid",` +
			`"process":{"pid":63050,"tid":63050,"ns_pid":63050,"ppid":49265,"uid":0,"gid":0,"comm":"ipcrm","parent_comm":"bash","cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},"syscall":"semctl","abi":"x86_64"}`,
	},
	{
		"trace.lost output",
		happened(9, 3604500000000, event.TraceLost, func(e *event.Event) {
			e.Lost = &event.Lost{Count: 40, From: e.Time.Add(-time.Second), To: e.Time, Stage: event.StageOutput}
		}),
		`{"v":1,"seq":9,"time":"2026-07-14T04:33:21.500000123Z","boot_ns":3604500000000,"event":"trace.lost",` +
			`"lost":{"count":40,"from":"2026-07-14T04:33:20.500000123Z","to":"2026-07-14T04:33:21.500000123Z","at_most":false,"stage":"output"}}`,
	},
	{
		"trace.seal",
		happened(10, 3605000000000, event.TraceSeal, func(e *event.Event) {
			e.Seal = &event.Seal{
				First: 8, Last: 9, CRCs: "5f0e6a1c9b20d4e7", Key: publicKey,
				Hash: sealed, Signature: publicKey + sealed, CRC: "c0ffee11",
			}
		}),
		`{"v":1,"seq":10,"time":"2026-07-14T04:33:22.000000123Z","boot_ns":3605000000000,"event":"trace.seal",` +
			`"seal":{"first":8,"last":9,"crcs":"5f0e6a1c9b20d4e7","key":"` + publicKey + `","hash":"` + sealed +
			`","signature":"` + publicKey + sealed + `","crc":"c0ffee11"}}`,
	},
	{
		"trace.start in a log that is continued",
		happened(1, 3610000000000, event.TraceStart, func(e *event.Event) {
			e.Start = &event.Start{
				Tool: "ipctrace v1.0.0", Host: "web-1", BootID: "0b8a3e60-5f0c-4a0e-9d5e-0d4c1f8b2a77", Kernel: "6.18.5",
				Arch: "x86_64", Tier: "fentry", ClockOffsetNS: 1783999997000000123,
				Log: &event.Log{
					ID: "8c1f6c3ce0a94d53b1f6d0f0a5a27c41", File: "trace.jsonl", Part: 2, After: sealed,
					Torn: &event.Torn{File: "trace.jsonl.torn-8c1f6c3c-1-1024", Bytes: 88, SHA256: publicKey},
				},
			}
		}),
		`{"v":1,"seq":1,"time":"2026-07-14T04:33:27.000000123Z","boot_ns":3610000000000,"event":"trace.start",` +
			`"start":{"tool":"ipctrace v1.0.0","host":"web-1","boot_id":"0b8a3e60-5f0c-4a0e-9d5e-0d4c1f8b2a77","kernel":"6.18.5",` +
			`"arch":"x86_64","tier":"fentry","gaps":[],"filters":[],"namespaces":0,"objects":0,"unreadable":0,` +
			`"clock_offset_ns":1783999997000000123,"log":{"id":"8c1f6c3ce0a94d53b1f6d0f0a5a27c41","file":"trace.jsonl","part":2,"after":"` + sealed +
			`","torn":{"file":"trace.jsonl.torn-8c1f6c3c-1-1024","bytes":88,"sha256":"` + publicKey + `"}}}}`,
	},
	{
		"trace.state",
		happened(1002, 3611000000000, event.TraceState, func(e *event.Event) {
			e.State = &event.Extent{Namespaces: 1, Objects: 2}
		}),
		`{"v":1,"seq":1002,"time":"2026-07-14T04:33:28.000000123Z","boot_ns":3611000000000,"event":"trace.state",` +
			`"state":{"namespaces":1,"objects":2,"forgotten":0}}`,
	},
	{
		"namespace.state",
		happened(1003, 3611000000000, event.NamespaceState, func(e *event.Event) {
			e.NS, e.From = bash(1, 53254, "bash[62293]"), host()
			e.Process = shell()
			e.Process.PID, e.Process.TID, e.Process.NSPID, e.Process.PPID, e.Process.Comm = 62293, 62293, 62293, 49265, "unshare"
			e.History = &event.History{First: event.NamespaceCreate, Time: at(3600750000000)}
		}),
		`{"v":1,"seq":1003,"time":"2026-07-14T04:33:28.000000123Z","boot_ns":3611000000000,"event":"namespace.state",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"from":{"inode":4026531839,"gen":1,"id":4098,"initial":true,"label":"host"},` +
			`"process":{"pid":62293,"tid":62293,"ns_pid":62293,"ppid":49265,"uid":0,"gid":0,"comm":"unshare","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},` +
			`"history":{"first":"namespace.create","time":"2026-07-14T04:33:17.750000123Z"}}`,
	},
	{
		"object.state made",
		happened(1004, 3611000000000, event.ObjectState, func(e *event.Event) {
			e.NS = bash(1, 53254, "bash[62293]")
			e.Object = &event.Object{
				Kind: "shm", ID: new(int32(2)), Key: 0x3a1f07c2, Size: new(uint64(56)), Mode: 0o600,
				UID: new(uint32(0)), GID: new(uint32(0)), State: &event.State{Attached: new(uint64(1)), Dest: true},
			}
			e.Process = shell()
			e.History = &event.History{
				First: event.ObjectCreate, Time: at(3602000000000), BootNS: 3602000000000, Marked: at(3603000000000), Opens: 1, LastUser: shell(),
			}
		}),
		`{"v":1,"seq":1004,"time":"2026-07-14T04:33:28.000000123Z","boot_ns":3611000000000,"event":"object.state",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"object":{"kind":"shm","id":2,"key":"0x3a1f07c2","size":56,"mode":"0600","flags":[],"uid":0,"gid":0,"state":{"nattch":1,"dest":true}},` +
			`"process":{"pid":62431,"tid":62431,"ns_pid":62431,"ppid":62293,"uid":0,"gid":0,"comm":"ipcmk","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"},` +
			`"history":{"first":"object.create","time":"2026-07-14T04:33:19.000000123Z","boot_ns":3602000000000,` +
			`"marked":"2026-07-14T04:33:20.000000123Z","opens":1,` +
			`"last_user":{"pid":62431,"tid":62431,"ns_pid":62431,"ppid":62293,"uid":0,"gid":0,"comm":"ipcmk","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"}}}`,
	},
	{
		"object.state of what was opened",
		happened(1005, 3611000000000, event.ObjectState, func(e *event.Event) {
			e.NS = bash(1, 53254, "bash[62293]")
			e.Object = &event.Object{Kind: "sem", ID: new(int32(0)), Key: 5, Bare: true}
			e.History = &event.History{First: event.ObjectOpen, Time: at(3602000000000), Opens: 2, LastUser: shell()}
		}),
		`{"v":1,"seq":1005,"time":"2026-07-14T04:33:28.000000123Z","boot_ns":3611000000000,"event":"object.state",` +
			`"ns":{"inode":4026532765,"gen":1,"id":53254,"initial":false,"label":"bash[62293]"},` +
			`"object":{"kind":"sem","id":0,"key":"0x00000005"},` +
			`"history":{"first":"object.open","time":"2026-07-14T04:33:19.000000123Z","opens":2,` +
			`"last_user":{"pid":62431,"tid":62431,"ns_pid":62431,"ppid":62293,"uid":0,"gid":0,"comm":"ipcmk","parent_comm":"bash",` +
			`"cgroup_id":5120,"cgroup":"/user.slice/user-0.slice/session-3.scope"}}}`,
	},
}

// 32 bytes each.
const (
	publicKey = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	sealed    = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

// equal takes an empty list and none for the same: the contract writes [].
var equal = cmpopts.EquateEmpty()

// TestGolden fixes the contract byte for byte, in both directions.
func TestGolden(t *testing.T) {
	for _, x := range append(session, elsewhere...) {
		t.Run(x.name, func(t *testing.T) {
			const before = "what was there"
			got := string(x.event.AppendJSON([]byte(before)))
			if diff := cmp.Diff(before+x.line, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !json.Valid([]byte(x.line)) {
				t.Error("not JSON")
			}
			e, err := event.Parse([]byte(x.line))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&x.event, e, equal); diff != "" {
				t.Errorf("read back, -want +got:\n%s", diff)
			}
		})
	}
}

// TestGoldenSession: the examples keep the promises of the contract.
func TestGoldenSession(t *testing.T) {
	var written, found, lost, atMost uint64
	for i, x := range session {
		e := x.event
		if e.Seq != uint64(i+1) {
			t.Errorf("%s: seq %d, want %d", x.name, e.Seq, i+1)
		}
		if i > 0 && e.Time.Before(session[i-1].event.Time) {
			t.Errorf("%s is before %s", x.name, session[i-1].name)
		}
		switch {
		case e.Observed != event.ObservedHook:
			found++
		case e.Event.IsObject() || e.Event.IsNamespace():
			written++
		case e.Lost != nil && e.Lost.AtMost:
			atMost += e.Lost.Count
		case e.Lost != nil:
			lost += e.Lost.Count
		}
	}
	want := event.Stop{
		Reason: "signal", Produced: written + 2 + lost, Delivered: written + 2, Lost: lost, Skipped: atMost,
		Filtered: 2, Written: written, Found: found,
	}
	if diff := cmp.Diff(want, *session[len(session)-1].event.Stop); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
