/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A command and all its descendants: the processes that are followed. */
#ifndef IPCTRACE_TREE_H
#define IPCTRACE_TREE_H

#define CLONE_THREAD 0x00010000 /* include/uapi/linux/sched.h */

/* Only what processes of the tree do is told, and who ends what. */
const volatile bool select_tree;

/* User space sets it while it starts the command: what it starts then is followed. */
bool adopting;

/* Thread group of user space, initial pid namespace: it enters namespaces to look into them. */
__u32 self;

__u32 adopted;     /* processes that user space started */
__u32 births;      /* processes that have entered the tree */
__u32 not_entered; /* processes that there was no room for in the tree, with their descendants */

/*
 * A process: numbers come back, but not with the same beginning. All its threads
 * have these from their leader, also the one that takes the leader's place at
 * execve (de_thread, fs/exec.c).
 */
struct process {
	__u64 start; /* CLOCK_BOOTTIME, ns */
	__u32 pid;   /* thread group, initial pid namespace */
	__u32 pad;   /* 0 */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536); /* processes that live at once; user space makes it 1 where nothing is followed */
	__type(key, struct process);
	__type(value, __u8);
} tree SEC(".maps");

static __always_inline struct process process_of(struct task_struct *task)
{
	struct task_struct *leader = TASK_READ(task, group_leader);
	struct process process = {
		.start = TASK_READ(leader, start_boottime),
		.pid = TASK_READ(leader, tgid),
	};

	return process;
}

static __always_inline bool in_tree(struct process *process)
{
	return bpf_map_lookup_elem(&tree, process);
}

static __always_inline void enter_tree(struct process *process)
{
	__u8 member = 1;

	if (bpf_map_update_elem(&tree, process, &member, BPF_ANY))
		__sync_fetch_and_add(&not_entered, 1);
	__sync_fetch_and_add(&births, 1);
}

#define GENERATIONS 4

/*
 * Whether a task is of the tree. A kernel that preempts programs may have skipped
 * the one that runs at a birth: so who descends from a member is one. No stranger
 * does, as orphans go to an ancestor of theirs; but for the init of an inner pid
 * namespace, which also gets those who came in by setns (find_new_reaper,
 * kernel/exit.c). So nobody in one vouches for a child.
 */
static __always_inline bool is_followed(struct task_struct *task)
{
	struct process process;

	if (!select_tree)
		return false;
	process = process_of(task);
	if (in_tree(&process))
		return true;
	for (int i = 0; i < GENERATIONS; i++) {
		struct process ancestor;
		struct pid *pid;

		task = TASK_READ(task, real_parent);
		pid = TASK_READ(task, thread_pid);
		if (TASK_READ(pid, level))
			return false;
		ancestor = process_of(task);
		if (in_tree(&ancestor)) {
			enter_tree(&process);
			return true;
		}
	}
	return false;
}

/* In the parent, before the child runs: copy_process, kernel/fork.c. */
SEC("tp_btf/task_newtask")
int BPF_PROG(tree_newtask, struct task_struct *task, __u64 flags)
{
	bool root = adopting && bpf_get_current_pid_tgid() >> 32 == self;
	struct process child = {.start = task->start_boottime, .pid = task->tgid};

	if (flags & CLONE_THREAD || (!root && !is_followed(current_task())))
		return 0;
	if (root)
		__sync_fetch_and_add(&adopted, 1);
	enter_tree(&child);
	return 0;
}

/* When nothing refers to a task any more: its number may be another's by now. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(tree_free, struct task_struct *task)
{
	struct process process = {.start = task->start_boottime, .pid = task->tgid};

	if (task->pid == task->tgid)
		bpf_map_delete_elem(&tree, &process);
	return 0;
}

#endif
