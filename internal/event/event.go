// Package event is the contract, version 1: what ipctrace says of what it saw,
// one JSON object a line. [Event.AppendJSON] writes it, [Parse] reads it, and
// nothing else in the project knows its words. docs/events.md describes it for
// readers of the log.
//
// Within a version fields are added, never renamed, retyped or dropped. Zero is
// a value (key 0, id 0, uid 0), so what may be absent is a pointer or a string
// whose empty value cannot occur.
package event

import (
	"strings"
	"time"
)

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
	ObjectMark   Type = "object.mark"   // removed for new users, gone once the last lets go of it
	ObjectRemove Type = "object.remove" // gone, with Cause
	ObjectFound  Type = "object.found"  // it is there, and its creation was not seen

	NamespaceCreate Type = "namespace.create" // born of From
	NamespaceJoin   Type = "namespace.join"   // a thread moved here, out of From
	NamespaceFree   Type = "namespace.free"   // gone, and all in it
	NamespaceFound  Type = "namespace.found"  // it is there, and its birth was not seen

	// What is there already when another part of a log begins: no event, but what was
	// told in the parts before.
	ObjectState    Type = "object.state"
	NamespaceState Type = "namespace.state"
	TraceState     Type = "trace.state" // how many of these follow

	TraceStart Type = "trace.start" // first in a stream
	TraceStop  Type = "trace.stop"  // last in a stream
	TraceLost  Type = "trace.lost"  // events are missing at this place
	TraceSeal  Type = "trace.seal"  // vouches for the lines since the last one
)

// Types that --event takes, in the order in which they are told to users.
var Types = []Type{
	ObjectCreate, ObjectOpen, ObjectGet, ObjectFail, ObjectMark, ObjectRemove, ObjectFound,
	NamespaceCreate, NamespaceJoin, NamespaceFree, NamespaceFound,
}

// IsObject reports whether events of the type are about an object.
func (t Type) IsObject() bool { return strings.HasPrefix(string(t), "object.") }

// IsNamespace reports whether events of the type are about a namespace as such.
func (t Type) IsNamespace() bool { return strings.HasPrefix(string(t), "namespace.") }

// IsState reports whether the type is not of what happened but of what is there.
func (t Type) IsState() bool { return t == ObjectState || t == NamespaceState || t == TraceState }

// Cause is why an object is gone; "" where nobody knows.
type Cause string

// The causes.
const (
	CauseRMID      Cause = "rmid"      // IPC_RMID
	CauseDetach    Cause = "detach"    // the last detach of a marked segment
	CauseExit      Cause = "exit"      // the end of the process that held it, or had made it (shm_rmid_forced)
	CauseNamespace Cause = "namespace" // its namespace ended
	CauseUnlink    Cause = "unlink"    // mq: unlinked, and closed by the last who had it open
)

// Observed is how an event came to be known when it was not at the moment it
// happened: then Time is when it was found out, and what happened, happened
// before.
type Observed string

// The ways.
const (
	ObservedHook     Observed = ""         // the kernel told it as it happened
	ObservedSnapshot Observed = "snapshot" // a look at what is there showed it
	ObservedReuse    Observed = "reuse"    // the kernel gave its inode number, id or name to another one
)

// Event is one line of the log. Strings that come from other processes (Comm,
// ParentComm, Cgroup, labels) hold any bytes: escape them for whatever they
// are shown in.
type Event struct {
	V         int        `json:"v"`
	Seq       uint64     `json:"seq"` // place in this stream, from 1, no gaps
	Time      time.Time  `json:"time"`
	BootNS    int64      `json:"boot_ns"` // CLOCK_BOOTTIME, ns
	Event     Type       `json:"event"`
	Observed  Observed   `json:"observed"`
	NS        *Namespace `json:"ns"`
	From      *Namespace `json:"from"` // on namespace.create and namespace.join; nil where the hooks cannot tell
	Object    *Object    `json:"object"`
	Cause     Cause      `json:"cause"` // on object.remove
	Errno     string     `json:"errno"` // name, "EEXIST"
	Process   *Process   `json:"process"`
	Container *Container `json:"container"`
	Syscall   string     `json:"syscall"` // "msgget", "ipc", "mq_open", "unshare", …; "" where none caused it
	ABI       string     `json:"abi"`     // "x86_64" "i386" "x32" "arm64" "arm32"
	History   *History   `json:"history"` // on object.state and namespace.state
	Lost      *Lost      `json:"lost"`
	State     *Extent    `json:"state"` // on trace.state
	Start     *Start     `json:"start"`
	Stop      *Stop      `json:"stop"`
	Seal      *Seal      `json:"seal"`
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

// Object is what the event is about. Key, size, mode and flags are as the call
// asked; on object.create, object.mark, object.remove and object.found they are
// the object's own.
type Object struct {
	Kind    string   `json:"kind"`    // "msg" "shm" "sem" "mq"
	ID      *int32   `json:"id"`      // nil on object.fail and for mq
	Key     Key      `json:"key"`     // not of mq; of what is Bare not where 0
	Name    string   `json:"name"`    // mq: "/jobs"; any bytes
	Inode   *uint64  `json:"ino"`     // mq: inode number in the namespace's mqueue filesystem, nil where not known
	Size    *uint64  `json:"size"`    // shm: bytes
	NSems   *int32   `json:"nsems"`   // sem: semaphores in the set
	MaxMsg  *int64   `json:"maxmsg"`  // mq: messages it can hold
	MsgSize *int64   `json:"msgsize"` // mq: bytes a message can have
	Mode    Mode     `json:"mode"`    // permission bits
	Flags   []string `json:"flags"`   // names; bits without a name as "0x…"
	UID     *uint32  `json:"uid"`     // owner, where they are the object's own
	GID     *uint32  `json:"gid"`
	State   *State   `json:"state"` // on object.found

	// Bare: nobody knows more than which object it was, or its key, which is not 0
	// then: Mode and Flags mean nothing and are not written.
	Bare bool `json:"-"`
}

// State is what the kernel's own list said of an object. A number that its kind
// does not have, or that was not readable, is nil. Process numbers are those of
// this program's pid namespace.
type State struct {
	Messages *uint64   `json:"messages"` // msg, mq
	Bytes    *uint64   `json:"bytes"`    // msg, mq: of all messages in it
	Attached *uint64   `json:"nattch"`   // shm
	CPID     *uint32   `json:"cpid"`     // shm: who made it
	LPID     *uint32   `json:"lpid"`     // shm: who attached or detached last
	LSPID    *uint32   `json:"lspid"`    // msg: who sent last
	LRPID    *uint32   `json:"lrpid"`    // msg: who received last
	CUID     *uint32   `json:"cuid"`     // who made it; not of mq
	CGID     *uint32   `json:"cgid"`
	CTime    time.Time `json:"ctime"` // made or changed, to the second; zero: not known
	Dest     bool      `json:"dest"`  // shm: marked, waits for its last detach
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
	Followed   bool   `json:"followed"`  // it is of the tree that "ipctrace run" follows
}

// Container is the caller's, when its cgroup says so. What only its engine knows is
// "" where that was not asked, has not answered yet, or does not say.
type Container struct {
	ID           string `json:"id"`
	Runtime      string `json:"runtime"`
	Name         string `json:"name"`
	Image        string `json:"image"` // as it was named when the container was made
	Pod          string `json:"pod"`
	PodNamespace string `json:"pod_namespace"` // of Kubernetes
}

// History is what was told before of an object or namespace that is there. The
// Process, From and Container of the event are of who made it, where that was seen.
type History struct {
	First    Type      `json:"first"`   // what told of it first
	Time     time.Time `json:"time"`    // when
	BootNS   int64     `json:"boot_ns"` // likewise, of object.create; else 0
	Marked   time.Time `json:"marked"`  // object.mark; zero: it was not
	Opens    uint64    `json:"opens"`   // of object.open and object.get
	LastUser *Process  `json:"last_user"`
}

// Extent is how much was there when a part of a log began.
type Extent struct {
	Namespaces int    `json:"namespaces"`
	Objects    int    `json:"objects"`
	Forgotten  uint64 `json:"forgotten"` // objects that may be there too: there were too many to keep in mind
}

// Lost says how many events are missing here, and from when to when.
type Lost struct {
	Count uint64    `json:"count"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	// AtMost: the kernel skipped hooks so often; not each need stand for an
	// event. Otherwise the ring buffer was full, and Count is exact.
	AtMost bool  `json:"at_most"`
	Stage  Stage `json:"stage"`
}

// Stage is where events were lost.
type Stage string

// The stages.
const (
	StageKernel Stage = ""       // on the way to this program
	StageOutput Stage = "output" // on the way to this stream: its disk was full, or too slow
)

// Start says what the stream is of. In a log it also begins each part.
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
	Objects       int      `json:"objects"`         // objects found in them
	Unreadable    int      `json:"unreadable"`      // processes whose namespaces could not be read
	ClockOffsetNS int64    `json:"clock_offset_ns"` // CLOCK_REALTIME − CLOCK_BOOTTIME
	Log           *Log     `json:"log"`             // nil where the stream is not kept as one
}

// Log is the place of a stream, or of a part of it, in a log that is kept and
// sealed.
type Log struct {
	ID    string `json:"id"`    // drawn at random when the log was begun, in hexadecimal
	File  string `json:"file"`  // the name of the file, as the log was opened, without its directory; any bytes; "": it has none
	Part  uint32 `json:"part"`  // 1, 2, …: files, one after the other
	After string `json:"after"` // hash of the seal before; "" where there is none
	Torn  *Torn  `json:"torn"`  // nil: the log ended with a whole line
}

// Torn is half a line that the log ended with when it was continued: who wrote it
// was killed, or lost power. It was set aside.
type Torn struct {
	File   string `json:"file"` // where to: beside the log; any bytes
	Bytes  uint64 `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// Seal vouches for the bytes from the beginning of the line of the last seal, or
// of the file where there is none, to the Hash of this one. docs/record.md says
// how to check it by hand.
type Seal struct {
	First     uint64 `json:"first"` // seq of the lines that it seals, without seals; Last < First: there are none
	Last      uint64 `json:"last"`
	Late      bool   `json:"late"`      // by who continued the log, for who wrote it and did not come to it
	CRCs      string `json:"crcs"`      // CRC-32C of each of these lines with its newline, eight hexadecimal digits each
	Key       string `json:"key"`       // Ed25519 public key, hexadecimal; "": it is not signed
	Hash      string `json:"hash"`      // SHA-256, hexadecimal
	Signature string `json:"signature"` // by Key, of the text of Hash; hexadecimal
	CRC       string `json:"crc"`       // CRC-32C of this line up to its value, likewise
}

// Stop says why the stream ended, and its totals: Produced = Delivered + Lost,
// Delivered + Found = Written + Filtered + Dropped + the lines with Observed.
type Stop struct {
	Reason    string `json:"reason"`    // "signal" "duration" "count" "closed pipe" "done"
	Produced  uint64 `json:"produced"`  // by the kernel, behind its filters
	Delivered uint64 `json:"delivered"` // to user space
	Lost      uint64 `json:"lost"`
	Skipped   uint64 `json:"skipped"`  // runs of hooks the kernel skipped: at most so many events more
	Filtered  uint64 `json:"filtered"` // left out by filters in user space
	Written   uint64 `json:"written"`  // of delivered, in this stream
	Found     uint64 `json:"found"`    // events that were not delivered but found out (Observed)
	Dropped   uint64 `json:"dropped"`  // of both, lost on the way to this stream ([StageOutput])
	// CgroupsLost is how many cgroups were made that the kernel could not tell of, so that
	// events may be without the path and the container; not written where there are none.
	CgroupsLost uint64 `json:"cgroups_lost"`
}
