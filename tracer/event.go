package tracer

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Kind is a kind of System V IPC object.
type Kind uint32

// The kinds.
const (
	Sem = Kind(ipctraceKindKIND_SEM)
	Msg = Kind(ipctraceKindKIND_MSG)
	Shm = Kind(ipctraceKindKIND_SHM)
)

// String is "msg", "shm" or "sem".
func (k Kind) String() string { return name(kindNames[:], uint32(k)) }

// Call is the system call that gets an object of the kind: "msgget", "shmget"
// or "semget".
func (k Kind) Call() string { return k.String() + "get" }

var kindNames = [...]string{Sem: "sem", Msg: "msg", Shm: "shm"}

// Verdict is what came of a call.
type Verdict uint32

// The verdicts.
const (
	VerdictCreate = Verdict(ipctraceVerdictVERDICT_CREATE) // it made the object
	VerdictOpen   = Verdict(ipctraceVerdictVERDICT_OPEN)   // it found an existing one
	VerdictGet    = Verdict(ipctraceVerdictVERDICT_GET)    // made or found: the hooks cannot tell
	VerdictFail   = Verdict(ipctraceVerdictVERDICT_FAIL)   // it failed
)

// String is "create", "open", "get" or "fail".
func (v Verdict) String() string { return name(verdictNames[:], uint32(v)) }

var verdictNames = [...]string{VerdictCreate: "create", VerdictOpen: "open", VerdictGet: "get", VerdictFail: "fail"}

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

// Event is one call of msgget, shmget or semget that returned. Numbers of
// processes and users are those of the initial pid and user namespace, unless
// said otherwise.
type Event struct {
	Time time.Time     // wall time of Boot, UTC
	Boot time.Duration // CLOCK_BOOTTIME at the return of the call
	CPU  uint32

	Namespace   uint32 // inode number of the IPC namespace the call worked in
	NamespaceID uint64 // the kernel's own id of it, never reused; 0: the kernel has none (before 6.18)

	Kind    Kind
	Verdict Verdict
	ID      int32      // of the object; -1 on VerdictFail
	Errno   unix.Errno // on VerdictFail, else 0
	Key     int32      // as asked; 0 is IPC_PRIVATE
	Flags   int32      // as asked: IPC_* and SHM_* bits, permissions in the low nine
	Size    uint64     // as asked: bytes of a segment; 0 for other kinds
	Sems    int32      // as asked: semaphores of a set; 0 for other kinds
	ABI     ABI
	IPCCall bool // the call came through the ipc(2) multiplexer

	PID, TID   uint32
	NSPID      uint32 // PID in the caller's own pid namespace; 0: not readable (lockdown)
	PPID       uint32
	UID, GID   uint32 // real
	EUID, EGID uint32 // effective: owner and group of an object made by this call
	CgroupID   uint64 // cgroup v2 id
	Comm       string // of the calling thread, as the kernel has it: any bytes but NUL, at most 15
	ParentComm string // likewise, of the parent
}

// Syscall is the system call's name: "msgget", "shmget", "semget" or "ipc".
func (e *Event) Syscall() string {
	if e.IPCCall {
		return "ipc"
	}
	return e.Kind.Call()
}

var errRecord = errors.New("malformed record")

// decode reads a record of the ring buffer: the bytes of struct event in
// bpf/event.h, in this machine's byte order.
func decode(sample []byte, raw *ipctraceEvent) error {
	const size = int(unsafe.Sizeof(*raw))
	if len(sample) < size { // the kernel rounds records up to 8 bytes
		return fmt.Errorf("%w: %d bytes, want %d", errRecord, len(sample), size)
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(raw)), size), sample)
	switch {
	case int(raw.Kind) >= len(kindNames):
		return fmt.Errorf("%w: kind %d", errRecord, raw.Kind)
	case int(raw.Verdict) >= len(verdictNames):
		return fmt.Errorf("%w: verdict %d", errRecord, raw.Verdict)
	case int(raw.Abi) >= len(abiNames):
		return fmt.Errorf("%w: abi %d", errRecord, raw.Abi)
	case (raw.Ret < 0) != (Verdict(raw.Verdict) == VerdictFail):
		return fmt.Errorf("%w: result %d with verdict %v", errRecord, raw.Ret, Verdict(raw.Verdict))
	}
	return nil
}

func newEvent(raw *ipctraceEvent, clock *Clock) Event {
	e := Event{
		Boot:        time.Duration(raw.BootNs),
		CPU:         raw.Cpu,
		Namespace:   raw.NsInum,
		NamespaceID: raw.NsId,
		Kind:        Kind(raw.Kind),
		Verdict:     Verdict(raw.Verdict),
		ID:          raw.Ret,
		Key:         raw.Key,
		Flags:       raw.Flags,
		ABI:         ABI(raw.Abi),
		IPCCall:     raw.Entry == ipctraceEntryENTRY_IPC,
		PID:         raw.Pid,
		TID:         raw.Tid,
		NSPID:       raw.NsPid,
		PPID:        raw.Ppid,
		UID:         raw.Uid,
		GID:         raw.Gid,
		EUID:        raw.Euid,
		EGID:        raw.Egid,
		CgroupID:    raw.CgroupId,
		Comm:        comm(&raw.Comm),
		ParentComm:  comm(&raw.ParentComm),
	}
	e.Time = clock.Wall(e.Boot)
	switch e.Kind {
	case Shm:
		e.Size = raw.Size
	case Sem:
		e.Sems = int32(raw.Size)
	}
	if e.Verdict == VerdictFail {
		e.ID, e.Errno = -1, unix.Errno(-raw.Ret)
	}
	return e
}

func comm(b *[16]uint8) string {
	if i := bytes.IndexByte(b[:], 0); i >= 0 {
		return string(b[:i])
	}
	return string(b[:])
}
