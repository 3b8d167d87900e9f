package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kind is a kind of IPC object.
type Kind uint32

// The kinds.
const (
	Sem = Kind(ipctraceKindKIND_SEM)
	Msg = Kind(ipctraceKindKIND_MSG)
	Shm = Kind(ipctraceKindKIND_SHM)
	MQ  = Kind(ipctraceKindKIND_MQ) // a POSIX message queue
)

// String is "msg", "shm", "sem" or "mq".
func (k Kind) String() string { return name(kindNames[:], uint32(k)) }

var kindNames = [...]string{Sem: "sem", Msg: "msg", Shm: "shm", MQ: "mq"}

// Action is what happened.
type Action uint32

// The actions.
const (
	ActionCreate = Action(ipctraceActionACTION_CREATE) // a call made the object
	ActionOpen   = Action(ipctraceActionACTION_OPEN)   // it found an existing one
	ActionGet    = Action(ipctraceActionACTION_GET)    // made or found: the hooks cannot tell
	ActionFail   = Action(ipctraceActionACTION_FAIL)   // it failed
	// ActionMark: the object is out of reach for new users, and gone once the last
	// lets go of it: a segment that was attached at IPC_RMID, a queue at mq_unlink.
	ActionMark   = Action(ipctraceActionACTION_MARK)
	ActionRemove = Action(ipctraceActionACTION_REMOVE) // the object is gone

	ActionNamespaceCreate = Action(ipctraceActionACTION_NS_CREATE) // a namespace was born
	ActionNamespaceJoin   = Action(ipctraceActionACTION_NS_JOIN)   // a thread moved into another one
	ActionNamespaceFree   = Action(ipctraceActionACTION_NS_FREE)   // a namespace is gone
)

// String is "create", "open", "get", "fail", "mark", "remove", or
// "namespace create", "namespace join", "namespace free".
func (a Action) String() string { return name(actionNames[:], uint32(a)) }

// Call reports whether the action is what came of a get call or of mq_open.
func (a Action) Call() bool { return a <= ActionFail }

// OfNamespace reports whether the action is about a namespace, not an object.
func (a Action) OfNamespace() bool { return a >= ActionNamespaceCreate }

var actionNames = [...]string{
	ActionCreate: "create", ActionOpen: "open", ActionGet: "get", ActionFail: "fail", ActionMark: "mark", ActionRemove: "remove",
	ActionNamespaceCreate: "namespace create", ActionNamespaceJoin: "namespace join", ActionNamespaceFree: "namespace free",
}

// Cause is why an object is gone.
type Cause uint32

// The causes.
const (
	CauseUnknown   = Cause(ipctraceCauseCAUSE_UNKNOWN)
	CauseRMID      = Cause(ipctraceCauseCAUSE_RMID)      // IPC_RMID
	CauseDetach    = Cause(ipctraceCauseCAUSE_DETACH)    // the last detach of a segment that was marked, or has shm_rmid_forced
	CauseExit      = Cause(ipctraceCauseCAUSE_EXIT)      // the end of who held it; with shm_rmid_forced the end of who made it, or its unshare
	CauseNamespace = Cause(ipctraceCauseCAUSE_NAMESPACE) // the end of its namespace
	CauseUnlink    = Cause(ipctraceCauseCAUSE_UNLINK)    // mq_unlink, and the last close
)

// String is "unknown", "rmid", "detach", "exit", "namespace" or "unlink".
func (c Cause) String() string { return name(causeNames[:], uint32(c)) }

var causeNames = [...]string{
	CauseUnknown: "unknown", CauseRMID: "rmid", CauseDetach: "detach", CauseExit: "exit",
	CauseNamespace: "namespace", CauseUnlink: "unlink",
}

// ABI is how the caller entered the kernel.
type ABI uint32

// The ABIs.
const (
	X86_64 = ABI(ipctraceAbiABI_X8664)
	I386   = ABI(ipctraceAbiABI_I386)
	X32    = ABI(ipctraceAbiABI_X32)
	ARM64  = ABI(ipctraceAbiABI_ARM64)
	ARM32  = ABI(ipctraceAbiABI_ARM32)
)

// String is "x86_64", "i386", "x32", "arm64" or "arm32".
func (a ABI) String() string { return name(abiNames[:], uint32(a)) }

var abiNames = [...]string{X86_64: "x86_64", I386: "i386", X32: "x32", ARM64: "arm64", ARM32: "arm32"}

func name(names []string, i uint32) string {
	if int(i) < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// Event is one thing that happened to an object or a namespace. Numbers of
// processes and users are those of the initial pid and user namespace, unless
// said otherwise.
type Event struct {
	Time time.Time     // wall time of Boot, UTC
	Boot time.Duration // CLOCK_BOOTTIME when it happened
	CPU  uint32

	Action Action
	Cause  Cause // on ActionRemove

	// Namespace is the inode number of the IPC namespace: the object's own, or the
	// one that was born, joined or freed. 0: not readable (lockdown).
	Namespace   uint32
	NamespaceID uint64 // the kernel's own id of it, never reused; 0: the kernel has none (before 6.18)
	From        uint32 // where a namespace was born from, or a thread came from; 0: the hooks cannot tell
	FromID      uint64

	Kind  Kind       // of the object
	ID    int32      // of the object; -1 on ActionFail and of a queue of kind MQ
	Errno unix.Errno // on ActionFail, else 0
	Key   int32      // as asked, or the object's own; 0 is IPC_PRIVATE
	Flags int32      // as asked: IPC_* and SHM_* bits, permissions in the low nine; of mq_open O_*; else the object's mode
	Size  uint64     // as asked: bytes of a segment; 0 for other kinds
	Sems  int32      // as asked: semaphores of a set; 0 for other kinds

	// Owner and Group are the object's, on ActionCreate, and on ActionMark and
	// ActionRemove where Known says that they, Key and Flags could be read.
	Owner, Group uint32
	Known        bool

	Queue Queue // of kind MQ

	// ByKernel: no process did it. Then what follows means nothing.
	ByKernel   bool
	Followed   bool // it is one of those that [Tracer.Adopt] follows
	ABI        ABI
	Nr         int32 // number of the system call, of ABI; -1: in none, as at the end of a process
	PID, TID   uint32
	NSPID      uint32 // PID in the caller's own pid namespace; 0: not readable (lockdown)
	PPID       uint32
	UID, GID   uint32 // real
	CgroupID   uint64 // cgroup v2 id
	Comm       string // of the calling thread, as the kernel has it: any bytes but NUL, at most 15
	ParentComm string // likewise, of the parent
}

// Queue is what a POSIX message queue has that other objects do not.
type Queue struct {
	Name    string // "/jobs": any bytes but NUL; "": not readable
	Inode   uint64 // in the namespace's mqueue filesystem; 0: not known
	Mode    int32  // permission bits, as asked where the call failed; -1: not known
	MaxMsg  int64  // messages it can hold; -1: not known
	MsgSize int64  // bytes a message can have; -1: not known
}

var errRecord = errors.New("malformed record")

// decode reads a record of the ring buffer: the bytes of struct event or struct
// mq_event in bpf/event.h, in this machine's byte order.
func decode(sample []byte, raw *ipctraceMqEvent) error {
	size := int(unsafe.Sizeof(raw.Event))
	whole := unsafe.Slice((*byte)(unsafe.Pointer(raw)), int(unsafe.Sizeof(*raw)))
	if len(sample) < size { // the kernel rounds records up to 8 bytes
		return fmt.Errorf("%w: %d bytes, want %d", errRecord, len(sample), size)
	}
	copy(whole[:size], sample)
	e := &raw.Event
	switch {
	case int(e.Kind) >= len(kindNames):
		return fmt.Errorf("%w: kind %d", errRecord, e.Kind)
	case int(e.Action) >= len(actionNames):
		return fmt.Errorf("%w: action %d", errRecord, e.Action)
	case int(e.Cause) >= len(causeNames):
		return fmt.Errorf("%w: cause %d", errRecord, e.Cause)
	case int(e.Abi) >= len(abiNames):
		return fmt.Errorf("%w: abi %d", errRecord, e.Abi)
	case (e.Ret < 0) != (Action(e.Action) == ActionFail):
		return fmt.Errorf("%w: result %d with action %v", errRecord, e.Ret, Action(e.Action))
	case Kind(e.Kind) != MQ:
		return nil
	case len(sample) < len(whole):
		return fmt.Errorf("%w: %d bytes, want %d", errRecord, len(sample), len(whole))
	}
	copy(whole, sample)
	return nil
}

// comms are the names of threads seen lately, so that those of the next event need
// not be made again. Where two names have one place the later one has it.
type comms [256]struct {
	raw  [16]byte
	text string
}

func (c *comms) text(raw *[16]byte) string {
	low, high := binary.NativeEndian.Uint64(raw[:8]), binary.NativeEndian.Uint64(raw[8:])
	const spread = 0x9e3779b97f4a7c15 // 2^64 / φ
	known := &c[(low*spread^high*spread)>>56]
	if known.raw != *raw {
		known.raw, known.text = *raw, text(raw[:])
	}
	return known.text
}

func newEvent(raw *ipctraceMqEvent, clock *Clock, names *comms) Event {
	r := &raw.Event
	e := Event{
		Boot:        time.Duration(r.BootNs),
		CPU:         uint32(r.Cpu),
		Action:      Action(r.Action),
		Cause:       Cause(r.Cause),
		Namespace:   r.NsInum,
		NamespaceID: r.NsId,
		From:        r.FromInum,
		FromID:      r.FromId,
		Kind:        Kind(r.Kind),
		ID:          r.Ret,
		Key:         r.Key,
		Flags:       r.Flags,
		Owner:       r.Owner,
		Group:       r.Group,
		Known:       r.Known != 0,
		ByKernel:    r.ByKernel != 0,
		Followed:    r.Followed != 0,
		ABI:         ABI(r.Abi),
		Nr:          int32(r.Nr),
		PID:         r.Pid,
		TID:         r.Tid,
		NSPID:       r.NsPid,
		PPID:        r.Ppid,
		UID:         r.Uid,
		GID:         r.Gid,
		CgroupID:    r.CgroupId,
		Comm:        names.text(&r.Comm),
		ParentComm:  names.text(&r.ParentComm),
	}
	e.Time = clock.Wall(e.Boot)
	switch e.Kind {
	case Shm:
		e.Size = r.Size
	case Sem:
		e.Sems = int32(r.Size)
	case MQ:
		e.ID = -1
		e.Queue = newQueue(raw)
	}
	if e.Action == ActionFail {
		e.ID, e.Errno = -1, unix.Errno(-r.Ret)
	}
	return e
}

// newQueue gives the name the slash that the C library takes away.
func newQueue(raw *ipctraceMqEvent) Queue {
	q := Queue{Name: text(raw.Name[:]), Inode: raw.Ino, Mode: raw.Mode, MaxMsg: raw.Maxmsg, MsgSize: raw.Msgsize}
	if q.Name != "" {
		q.Name = "/" + q.Name
	}
	return q
}

func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
