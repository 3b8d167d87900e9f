// Package event is the contract, version 1: what ipctrace says of what it saw,
// one JSON object a line. [Event.AppendJSON] writes it, [Parse] reads it, and
// nothing else in the project knows its words. docs/events.md describes it for
// readers of the log.
//
// Within a version fields are added, never renamed, retyped or dropped. Zero is
// a value (key 0, id 0, uid 0), so what may be absent is a pointer or a string
// whose empty value cannot occur.
package event

import "time"

// Version of the contract, in every event.
const Version = 1

// Type says what happened.
type Type string

// The types so far.
const (
	ObjectCreate Type = "object.create" // the call made the object
	ObjectOpen   Type = "object.open"   // the call found an existing one
	ObjectGet    Type = "object.get"    // made or found: the hooks cannot tell
	ObjectFail   Type = "object.fail"   // the call failed, with Errno
	TraceStart   Type = "trace.start"   // first in a stream
	TraceStop    Type = "trace.stop"    // last in a stream
	TraceLost    Type = "trace.lost"    // events are missing at this place
)

// Types that --event takes, in the order in which they are told to users.
var Types = []Type{ObjectCreate, ObjectOpen, ObjectGet, ObjectFail}

// Event is one line of the log. Strings that come from other processes (Comm,
// ParentComm, Cgroup, labels) hold any bytes: escape them for whatever they
// are shown in.
type Event struct {
	V         int        `json:"v"`
	Seq       uint64     `json:"seq"` // place in this stream, from 1, no gaps
	Time      time.Time  `json:"time"`
	BootNS    int64      `json:"boot_ns"` // CLOCK_BOOTTIME, ns
	Event     Type       `json:"event"`
	NS        *Namespace `json:"ns"`
	Object    *Object    `json:"object"`
	Errno     string     `json:"errno"` // name, "EEXIST"
	Process   *Process   `json:"process"`
	Container *Container `json:"container"`
	Syscall   string     `json:"syscall"` // "msgget" "shmget" "semget" "ipc"
	ABI       string     `json:"abi"`     // "x86_64" "i386" "x32" "arm64" "arm32"
	Lost      *Lost      `json:"lost"`
	Start     *Start     `json:"start"`
	Stop      *Stop      `json:"stop"`
}

// Namespace is an IPC namespace. Inode numbers are reused at once, so a
// namespace is told by (Inode, Gen), and by ID where the kernel has one.
type Namespace struct {
	Inode   uint64 `json:"inode"`
	Gen     uint32 `json:"gen"` // 1, 2, … of this inode, as seen in this trace
	ID      uint64 `json:"id"`  // the kernel's 64-bit id; 0: it has none (before 6.18)
	Initial bool   `json:"initial"`
	Label   string `json:"label"` // best known name
}

// Object is what the call was about. Key, size, mode and flags are as the call
// asked; when it made the object they are the object's own.
type Object struct {
	Kind  string   `json:"kind"` // "msg" "shm" "sem"
	ID    *int32   `json:"id"`   // nil on object.fail
	Key   Key      `json:"key"`
	Size  *uint64  `json:"size"`  // shm: bytes
	NSems *int32   `json:"nsems"` // sem: semaphores in the set
	Mode  Mode     `json:"mode"`  // permission bits
	Flags []string `json:"flags"` // names; bits without a name as "0x…"
	UID   *uint32  `json:"uid"`   // owner, on object.create
	GID   *uint32  `json:"gid"`
}

// Process is who called, as it was at that moment. Numbers are those of the
// initial pid and user namespace but for NSPID.
type Process struct {
	PID        uint32 `json:"pid"`
	TID        uint32 `json:"tid"`
	NSPID      uint32 `json:"ns_pid"` // in the caller's own pid namespace; 0: not readable
	PPID       uint32 `json:"ppid"`
	UID        uint32 `json:"uid"` // real
	GID        uint32 `json:"gid"` // real
	Comm       string `json:"comm"`
	ParentComm string `json:"parent_comm"`
	CgroupID   uint64 `json:"cgroup_id"` // cgroup v2
	Cgroup     string `json:"cgroup"`    // path, when resolved
}

// Container is the caller's, when its cgroup says so.
type Container struct {
	ID      string `json:"id"`
	Runtime string `json:"runtime"`
}

// Lost says how many events are missing here, and from when to when.
type Lost struct {
	Count uint64    `json:"count"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// AtMost: the kernel skipped hooks so often; not each need stand for an
	// event. Otherwise the ring buffer was full, and Count is exact.
	AtMost bool `json:"at_most"`
}

// Start says what the stream is of.
type Start struct {
	Tool          string   `json:"tool"` // "ipctrace", with its version
	Host          string   `json:"host"`
	BootID        string   `json:"boot_id"`
	Kernel        string   `json:"kernel"` // release
	Arch          string   `json:"arch"`   // machine
	Tier          string   `json:"tier"`   // "fentry" "syscall"
	Gaps          []string `json:"gaps"`   // what this tier cannot see here
	Filters       []string `json:"filters"`
	Namespaces    int      `json:"namespaces"`      // IPC namespaces found at the start
	Unreadable    int      `json:"unreadable"`      // processes whose namespaces could not be read
	ClockOffsetNS int64    `json:"clock_offset_ns"` // CLOCK_REALTIME − CLOCK_BOOTTIME
}

// Stop says why the stream ended, and its totals: Produced = Delivered + Lost,
// Delivered = Written + Filtered.
type Stop struct {
	Reason    string `json:"reason"`    // "signal" "duration" "count" "closed pipe" "done"
	Produced  uint64 `json:"produced"`  // by the kernel, behind its filters
	Delivered uint64 `json:"delivered"` // to user space
	Lost      uint64 `json:"lost"`
	Skipped   uint64 `json:"skipped"`  // runs of hooks the kernel skipped: at most so many events more
	Filtered  uint64 `json:"filtered"` // left out by filters in user space
	Written   uint64 `json:"written"`  // object events in this stream
}
