/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The record: one for each thing that happens to an IPC object or namespace and
 * that the filters let through.
 *
 * User space never mirrors it by hand: bpf2go reads these types from the
 * object's BTF and writes their Go twins. -Wpadded keeps the layout the same
 * on every architecture: padding is written out, or it does not compile.
 */
#ifndef IPCTRACE_EVENT_H
#define IPCTRACE_EVENT_H

#define COMM_LEN 16  /* TASK_COMM_LEN, include/linux/sched.h */
#define NAME_LEN 256 /* NAME_MAX and a NUL */

/* The first three in the kernel's order: IPC_SEM_IDS, IPC_MSG_IDS, IPC_SHM_IDS (ipc/util.h). */
enum kind : __u8 {
	KIND_SEM = 0,
	KIND_MSG = 1,
	KIND_SHM = 2,
	KIND_MQ = 3,
};

enum action : __u8 {
	ACTION_CREATE = 0, /* the call made the object */
	ACTION_OPEN = 1,   /* the call found an existing one */
	ACTION_GET = 2,    /* one of the two; the hooks cannot tell which */
	ACTION_FAIL = 3,   /* the call returned an error */
	ACTION_MARK = 4,   /* out of reach for new users, gone once the last lets go of it */
	ACTION_REMOVE = 5, /* the object is gone */
	ACTION_NS_CREATE = 6,
	ACTION_NS_JOIN = 7,
	ACTION_NS_FREE = 8,
};

/* Of ACTION_REMOVE. */
enum cause : __u8 {
	CAUSE_UNKNOWN = 0,
	CAUSE_RMID = 1,
	CAUSE_DETACH = 2,    /* the last detach of a marked segment */
	CAUSE_EXIT = 3,      /* the end of who held it; with shm_rmid_forced of who made it, or that it left its namespace */
	CAUSE_NAMESPACE = 4, /* its namespace ended */
	CAUSE_UNLINK = 5,    /* unlinked, and closed by the last */
};

/* How the caller entered the kernel. */
enum abi : __u8 {
	ABI_X86_64 = 0,
	ABI_I386 = 1,
	ABI_X32 = 2,
	ABI_ARM64 = 3,
	ABI_ARM32 = 4,
};

struct event {
	__u64 boot_ns;   /* CLOCK_BOOTTIME when it happened, ns */
	__u64 lost;      /* records this CPU has lost since the start, before this one */
	__u64 cgroup_id; /* cgroup v2 id of the caller; 1 is the root */
	__u64 ns_id;     /* the kernel's id of the namespace, never reused; 0: it has none (before 6.18) */
	__u64 from_id;   /* likewise, of the namespace it came from */
	__u64 size;      /* shm: bytes asked for; sem: nsems asked for, sign-extended; else 0 */
	__u32 ns_inum;   /* inode number of the IPC namespace: of the object, or the one that came or went; 0: not readable */
	__u32 from_inum; /* NS_CREATE: the parent's; NS_JOIN: where the thread was before; 0: not known */
	__s32 key;       /* 0 is IPC_PRIVATE */
	__s32 flags;     /* get: the call's last argument; mq: oflag of mq_open, O_CREAT where a file was created; MARK, REMOVE: the object's mode */
	__s32 ret;       /* the object's id, 0 and up; or -errno; mq: the descriptor */
	__u32 pid;       /* thread group, initial pid namespace */
	__u32 tid;       /* thread, initial pid namespace */
	__u32 ns_pid;    /* thread group, the caller's own pid namespace; 0: not readable */
	__u32 ppid;      /* the parent's thread group, initial pid namespace */
	__u32 uid;       /* real, initial user namespace */
	__u32 gid;       /* real, initial user namespace */
	__u32 owner;     /* of the object: a user; of what is created, the caller's effective one */
	__u32 group;     /* likewise, a group */
	__u8 comm[COMM_LEN];        /* the calling thread's, raw bytes, NUL-terminated */
	__u8 parent_comm[COMM_LEN]; /* the parent's, raw bytes, NUL-terminated */
	__u16 cpu;
	__s16 nr;        /* number of the system call, of abi; -1: in none */
	enum kind kind;  /* 0 on NS_* */
	enum action action;
	enum cause cause;
	enum abi abi;
	__u8 known;      /* MARK, REMOVE: 1: key, flags and owner are the object's; 0: not readable */
	__u8 by_kernel;  /* 1: no process did it, and what is said of one means nothing */
	__u8 followed;   /* 1: by a process of the tree that is followed */
	__u8 pad;        /* 0 */
};

/* The record where the kind is KIND_MQ. */
struct mq_event {
	struct event event;
	__u64 ino;     /* inode number in the namespace's mqueue filesystem; 0: not known */
	__s64 maxmsg;  /* messages it can hold; -1: not known */
	__s64 msgsize; /* bytes a message can have; -1: not known */
	__s32 mode;    /* permission bits; -1: not known */
	__u32 pad;     /* 0 */
	__u8 name[NAME_LEN]; /* raw bytes, NUL-terminated, as the kernel has it: without a slash; "": not known */
};

/* One a CPU, from 0 when the programs are loaded, never reset. */
struct counters {
	__u64 produced; /* records the filters let through */
	__u64 lost;     /* of these, found no room in the ring */
};

/* What a filter entry is about. An entry is {dimension, value}. */
enum dimension {
	DIM_NS = 0,  /* inode number of an IPC namespace */
	DIM_PID = 1, /* thread group id, initial pid namespace */
	DIM_UID = 2, /* real uid, initial user namespace */
};

struct selector {
	enum dimension dimension;
	__u32 value;
};

#endif
