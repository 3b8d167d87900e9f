// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who is in which IPC namespace, and which descriptors may hold one: two
 * iterators that user space reads like files. A record an item, no text.
 *
 * Their arguments are pointers that the verifier knows the types of, so all is
 * read by plain loads: from 5.8 on, and under lockdown=confidentiality too. A
 * load from what was freed meanwhile reads something or 0, and does no harm.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define NSFS_MAGIC 0x6e736673 /* include/uapi/linux/magic.h */

/* A thread. What is of its process is as /proc/PID has it, which is as its first thread has it. */
struct task {
	__u64 start;     /* of the process: CLOCK_BOOTTIME, ns */
	__u64 cgroup_id; /* of the process: in cgroup v2 */
	__u64 cgroups;   /* of the process: a token for those of all hierarchies */
	__u64 ns_id;     /* the kernel's id of the IPC namespace, 0 before 6.18 */
	__u64 root_ino;  /* inode of its root directory, 0 once it has none */
	__u32 root_dev;  /* s_dev of that */
	__u32 ns_inum;   /* inode of its IPC namespace */
	__u32 mnt_inum;  /* inode of its mount namespace */
	__u32 tid;       /* in the initial pid namespace, as those below */
	__u32 pid;       /* of the process */
	__u32 ppid;      /* of its parent, 0 if there is none */
	__u32 uid;       /* of the process: real uid, in the initial user namespace */
	__u32 kthread;   /* 1: a kernel thread */
	__u8 comm[16];   /* of the process: NUL-terminated */
};

/* A descriptor of a namespace, of whatever type. */
struct descriptor {
	__u64 inode;
	__u32 pid, tid; /* as above; tid != pid: that thread has a table of its own */
	__u32 fd;
	__u32 unused;
};

/* For bpf2go. */
const struct task *unused_task __attribute__((unused));
const struct descriptor *unused_descriptor __attribute__((unused));

/* The kernel's types, each with only what is read of it: see kernel.h. */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct ns_common___id {
	__u64 ns_id; /* 6.18 */
};

struct ipc_namespace {
	struct ns_common ns;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
};

struct kernfs_node {
	__u64 id; /* 5.5 */
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct super_block {
	unsigned int s_dev;
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct dentry {
	struct inode *d_inode;
};

struct path {
	struct dentry *dentry;
};

struct fs_struct {
	struct path root;
};

struct file {
	struct inode *f_inode;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	__u64 start_boottime; /* 5.5 */
	struct cred *real_cred;
	char comm[16];
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
	struct css_set *cgroups; /* CONFIG_CGROUPS */
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/*
 * The kernel's id of a namespace, 0 where it has none. A function of its own: in
 * a loop the compiler computes the place of the id ahead of the question whether
 * there is one, and where there is none that does not load.
 */
static __noinline __u64 id_of(struct ipc_namespace *ns)
{
	if (!bpf_core_field_exists(struct ns_common___id, ns_id))
		return 0;
	return ((struct ns_common___id *)&ns->ns)->ns_id;
}

/*
 * The namespaces of a task, or false if it is ending. Nothing keeps the task
 * from leaving them while they are read, and what it leaves may be freed at
 * once: so they count only if it is still there afterwards.
 */
static __always_inline bool namespaces(struct task_struct *task, struct task *t)
{
	for (int i = 0; i < 4; i++) {
		struct nsproxy *ns = task->nsproxy;

		if (!ns)
			return false;
		struct ipc_namespace *ipc = ns->ipc_ns;
		t->ns_inum = ipc->ns.inum;
		t->ns_id = id_of(ipc);
		t->mnt_inum = ns->mnt_ns->ns.inum;
		barrier();
		if (task->nsproxy == ns)
			return true;
	}
	return false;
}

/* The root directory, which decides how much of the mount table it is shown. */
static __always_inline void root(struct task_struct *task, struct task *t)
{
	struct fs_struct *fs = task->fs;

	if (!fs)
		return;
	struct inode *inode = fs->root.dentry->d_inode;
	t->root_ino = inode->i_ino;
	t->root_dev = inode->i_sb->s_dev;
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task t = {};

	if (!task || !namespaces(task, &t))
		return 0;
	root(task, &t);
	t.tid = task->pid;
	t.pid = task->tgid;
	t.kthread = !!(task->flags & PF_KTHREAD);

	struct task_struct *leader = task->group_leader;
	t.start = leader->start_boottime;
	t.ppid = leader->real_parent->tgid;
	t.uid = leader->real_cred->uid.val;
	if (bpf_core_field_exists(leader->cgroups)) {
		struct css_set *cgroups = leader->cgroups;

		t.cgroup_id = cgroups->dfl_cgrp->kn->id;
		t.cgroups = (__u64)cgroups;
	}
	__builtin_memcpy(t.comm, leader->comm, sizeof(t.comm));
	bpf_seq_write(ctx->meta->seq, &t, sizeof(t));
	return 0;
}

SEC("iter/task_file")
int descriptors(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;

	if (!task || !file)
		return 0;
	struct inode *inode = file->f_inode;
	if (inode->i_sb->s_magic != NSFS_MAGIC)
		return 0;
	struct descriptor d = {
		.inode = inode->i_ino,
		.pid = task->tgid,
		.tid = task->pid,
		.fd = ctx->fd,
	};
	bpf_seq_write(ctx->meta->seq, &d, sizeof(d));
	return 0;
}
