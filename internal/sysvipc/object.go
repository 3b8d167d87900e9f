package sysvipc

// Object is a line of /proc/sysvipc, or a POSIX queue of the namespace's mqueue
// filesystem. Objects compare with ==. Numbers of users are those of this
// program's user namespace, numbers of processes those of its pid namespace, 0
// where the process was not in it, or never was. A process that is gone keeps
// its number, which may be another's by now.
type Object struct {
	Kind string // "msg" "shm" "sem" "mq"
	Key  int32  // not of mq
	ID   int32  // not of mq
	Name string // mq: "/jobs"; any bytes but NUL and a second slash

	Mode     uint32 // permission bits; of shm also Dest and 02000 (locked)
	UID, GID uint32 // owner
	CUID     uint32 // who made it; not of mq
	CGID     uint32
	Inode    uint64 // mq

	Size     uint64 // shm: bytes
	Attached uint64 // shm
	NSems    int32  // sem
	Messages uint64 // msg, mq
	Bytes    uint64 // msg, mq: in the queue
	MaxMsg   int64  // mq: messages it can hold; 0: this and the other three were not readable
	MsgSize  int64  // mq: bytes a message can have

	CPID  uint32 // shm: who made it
	LPID  uint32 // shm: who attached or detached last; sem: 0
	LSPID uint32 // msg: who sent last
	LRPID uint32 // msg: who received last
	CTime int64  // seconds since 1970: made or changed; mq: made or used last
}

// Dest is the bit of Mode of a segment that waits for its last detach: SHM_DEST,
// include/linux/shm.h.
const Dest = 0o1000
