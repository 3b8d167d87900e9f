/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What is recorded, and how. */
#ifndef IPCTRACE_RECORD_H
#define IPCTRACE_RECORD_H

/* Filters. A dimension with no selector lets everything through. */
const volatile __u32 kinds = 1 << KIND_SEM | 1 << KIND_MSG | 1 << KIND_SHM | 1 << KIND_MQ;
const volatile bool select_ns;
const volatile bool select_pid;
const volatile bool select_uid;
const volatile __u32 except_ns; /* inode of a namespace to leave out; 0: none */

/*
 * User space sets it once every hook is attached and clears it before the first
 * is detached: with some hooks there and others not, a creation would pass for
 * an open.
 */
bool live;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* bytes; user space sets its own */
	__type(value, struct mq_event); /* the longest: others end with its first member */
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct selector);
	__type(value, __u8);
} selectors SEC(".maps");

static __always_inline bool selected(enum dimension dimension, __u32 value)
{
	struct selector key = {.dimension = dimension, .value = value};

	return bpf_map_lookup_elem(&selectors, &key);
}

/* Whether objects of a kind in a namespace are traced. */
static __always_inline bool watched(enum kind kind, __u32 inum)
{
	if (!live)
		return false;
	if (!(kinds & 1 << kind))
		return false;
	if (except_ns && inum == except_ns)
		return false;
	return !select_ns || selected(DIM_NS, inum);
}

/*
 * Whether a call by the current task is traced. Not asked of what ends an
 * object: that concerns whoever watches it, whoever does it. perhaps: the call
 * may have made an object that another call finds, and the hooks cannot tell
 * which of them did. Then a tree made it only if nobody else got it.
 */
static __always_inline bool wanted(enum kind kind, __u32 inum, bool perhaps)
{
	if (!watched(kind, inum))
		return false;
	if (select_tree && !perhaps && !is_followed(current_task()))
		return false;
	if (select_pid && !selected(DIM_PID, bpf_get_current_pid_tgid() >> 32))
		return false;
	return !select_uid || selected(DIM_UID, (__u32)bpf_get_current_uid_gid());
}

/*
 * By loads, where there are helpers that do the same: bpf_get_current_comm alone
 * takes 50 ns, a third of all that is done here.
 */
static __always_inline void read_process(struct event *e, struct task_struct *task, struct entry entry)
{
	struct task_struct *parent = TASK_READ(task, real_parent);
	struct task_struct *leader = TASK_READ(task, group_leader);
	struct cred *cred = TASK_READ(task, cred);
	__u32 flags = TASK_READ(task, flags);

	e->pid = TASK_READ(task, tgid);
	e->tid = TASK_READ(task, pid);
	e->ns_pid = number_of(TASK_READ(leader, thread_pid), e->pid);
	e->ppid = TASK_READ(parent, tgid);
	e->uid = TASK_READ(cred, uid.val);
	e->gid = TASK_READ(cred, gid.val);
	e->cgroup_id = cgroup_of(task);
	read_comm(e->comm, task);
	read_comm(e->parent_comm, parent);
	e->abi = entry.abi;
	e->nr = flags & (PF_EXITING | PF_KTHREAD) ? -1 : entry.nr;
	e->by_kernel = !!(flags & PF_KTHREAD);
}

/* Room for a record of a size, NULL and counted where there is none. */
static __always_inline void *reserve(__u64 size, __u64 *lost)
{
	__u32 zero = 0;
	struct counters *counters = bpf_map_lookup_elem(&counts, &zero);
	void *room;

	if (!counters)
		return NULL;
	__sync_fetch_and_add(&counters->produced, 1);
	room = bpf_ringbuf_reserve(&events, size, 0);
	if (!room)
		__sync_fetch_and_add(&counters->lost, 1);
	*lost = counters->lost;
	return room;
}

/* Fills in what every record has; the caller does the rest. */
static __always_inline void fill(struct event *e, __u64 lost, enum action action, enum kind kind, struct home home,
				 struct entry entry)
{
	e->boot_ns = bpf_ktime_get_boot_ns();
	e->lost = lost;
	e->cpu = bpf_get_smp_processor_id();
	e->ns_inum = home.inum;
	e->ns_id = home.id;
	e->from_inum = 0;
	e->from_id = 0;
	e->size = 0;
	e->key = 0;
	e->flags = 0;
	e->ret = 0;
	e->owner = 0;
	e->group = 0;
	e->kind = kind;
	e->action = action;
	e->cause = CAUSE_UNKNOWN;
	e->known = 1;
	e->followed = is_followed(current_task());
	e->pad = 0;
	read_process(e, current_task(), entry);
}

static __always_inline struct event *begin_in(struct entry entry, enum action action, enum kind kind, struct home home)
{
	__u64 lost;
	struct event *e = reserve(sizeof(*e), &lost);

	if (e)
		fill(e, lost, action, kind, home, entry);
	return e;
}

static __always_inline struct event *begin(enum action action, enum kind kind, struct home home)
{
	return begin_in(entry_of(current_task()), action, kind, home);
}

/*
 * The reader is not woken, it looks by itself. To wake it is most of what
 * an event costs, and on a kernel that preempts programs it takes the CPU
 * at once, while this program still counts as running there: until it is
 * back, the kernel skips the program for every other task on that CPU.
 */
static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* Owner and group of what the current task makes. */
static __always_inline void own(struct event *e)
{
	struct cred *cred = TASK_READ(current_task(), cred);

	e->owner = TASK_READ(cred, euid.val);
	e->group = TASK_READ(cred, egid.val);
}

#endif
