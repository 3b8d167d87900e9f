/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The record: one for each msgget, shmget or semget that the filters let through.
 *
 * User space never mirrors it by hand: bpf2go reads these types from the
 * object's BTF and writes their Go twins. -Wpadded keeps the layout the same
 * on every architecture: padding is written out, or it does not compile.
 */
#ifndef IPCTRACE_EVENT_H
#define IPCTRACE_EVENT_H

#define COMM_LEN 16 /* TASK_COMM_LEN, include/linux/sched.h */

/* The order is the kernel's: IPC_SEM_IDS, IPC_MSG_IDS, IPC_SHM_IDS (ipc/util.h). */
enum kind {
	KIND_SEM = 0,
	KIND_MSG = 1,
	KIND_SHM = 2,
};

enum verdict {
	VERDICT_CREATE = 0, /* the call made the object */
	VERDICT_OPEN = 1,   /* the call found an existing one */
	VERDICT_GET = 2,    /* one of the two; the hooks cannot tell which */
	VERDICT_FAIL = 3,   /* the call returned an error */
};

/* How the caller entered the kernel. */
enum abi {
	ABI_X86_64 = 0,
	ABI_I386 = 1,
	ABI_X32 = 2,
	ABI_ARM64 = 3,
	ABI_ARM32 = 4,
};

enum entry {
	ENTRY_DIRECT = 0, /* msgget, shmget or semget */
	ENTRY_IPC = 1,    /* the ipc(2) multiplexer */
};

struct event {
	__u64 boot_ns;   /* CLOCK_BOOTTIME at the return of the call, ns */
	__u64 lost;      /* records this CPU has lost since the start, before this one */
	__u64 cgroup_id; /* cgroup v2 id of the caller; 1 is the root */
	__u64 ns_id;     /* the kernel's id of the namespace, never reused; 0: it has none (before 6.18) */
	__u64 size;      /* shm: bytes asked for; sem: nsems asked for, sign-extended; msg: 0 */
	__u32 ns_inum;   /* inode number of the IPC namespace the call worked in */
	__u32 cpu;
	__s32 key;       /* 0 is IPC_PRIVATE */
	__s32 flags;     /* the call's last argument: IPC_* and SHM_* bits, permissions in the low nine */
	__s32 ret;       /* the object's id, 0 and up; or -errno */
	__u32 pid;       /* thread group, initial pid namespace */
	__u32 tid;       /* thread, initial pid namespace */
	__u32 ns_pid;    /* thread group, the caller's own pid namespace; 0: not readable */
	__u32 ppid;      /* the parent's thread group, initial pid namespace */
	__u32 uid;       /* real, initial user namespace */
	__u32 gid;       /* real, initial user namespace */
	__u32 euid;      /* effective: the owner of what is created */
	__u32 egid;      /* effective: the group of what is created */
	enum kind kind;
	enum verdict verdict;
	enum abi abi;
	enum entry entry;
	__u32 pad;       /* 0 */
	__u8 comm[COMM_LEN];        /* the calling thread's, raw bytes, NUL-terminated */
	__u8 parent_comm[COMM_LEN]; /* the parent's, raw bytes, NUL-terminated */
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
