/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The few kernel types that are read, each with only the members that are read.
 * CO-RE moves every access to where the running kernel has the member, so
 * neither the order nor the gaps here mean anything (hence no -Wpadded).
 */
#ifndef IPCTRACE_KERNEL_H
#define IPCTRACE_KERNEL_H

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpadded"
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* include/linux/ns_common.h */
struct ns_common {
	unsigned int inum;
	const void *ops; /* the same in all namespaces of a type */
};

/*
 * The 64-bit id that is never reused (6.18). It shares a union with an rcu
 * head, so it is read only while the namespace is in use.
 */
struct ns_common___id {
	__u64 ns_id;
};

/* include/linux/xarray.h, include/linux/idr.h: radix_tree_root is a macro for xarray */
struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct idr {
	struct xarray idr_rt;
};

/* ipc/util.h, include/linux/ipc_namespace.h */
struct ipc_ids {
	unsigned short seq; /* of the newest object */
	int last_idx;       /* likewise (5.2); -1 before the first */
	struct idr ipcs_idr;
};

struct ipc_namespace {
	struct ipc_ids ids[3];
	int sem_ctls[4]; /* [0] is SEMMSL */
	struct vfsmount *mq_mnt; /* CONFIG_POSIX_MQUEUE */
	struct ns_common ns;
};

struct ipc_params {
	int key;
	int flg;
	union {
		unsigned long size;
		int nsems;
	} u;
};

/* include/linux/nsproxy.h */
struct nsproxy {
	struct ipc_namespace *ipc_ns;
};

/* include/linux/pid.h: numbers[level] is the number in the task's own pid namespace */
struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

/* include/linux/uidgid.h, include/linux/cred.h */
typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
};

/* include/linux/kernfs.h, include/linux/cgroup-defs.h */
struct kernfs_node {
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id; /* 0: cgroup v2 */
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* of cgroup v2 */
};

/* include/linux/ipc.h */
struct kern_ipc_perm {
	int id;
	int key;
	kuid_t uid;
	kgid_t gid;
	unsigned short mode;
};

/* include/linux/fs.h, include/linux/dcache.h, include/linux/mount.h, include/linux/fdtable.h */
struct super_block {
	void *s_fs_info; /* of mqueue: the namespace; NULL once that is ending */
};

struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned int i_nlink;
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
};

struct vfsmount {
	struct super_block *mnt_sb;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* ipc/mqueue.c */
struct mq_attr {
	long mq_maxmsg;
	long mq_msgsize;
};

struct mqueue_inode_info {
	struct inode vfs_inode;
	struct mq_attr attr;
};

/* arch/{x86,arm64}/include/asm/thread_info.h; status is x86's alone */
struct thread_info {
	unsigned long flags;
	unsigned int status;
};

/* include/linux/seccomp_types.h */
struct seccomp {
	int mode;
};

/* include/linux/sched.h */
struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags; /* PF_* */
	int pid;
	int tgid;
	__u64 start_boottime; /* 5.5 */
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct cred *cred;
	char comm[16];
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups; /* CONFIG_CGROUPS */
	struct seccomp seccomp; /* CONFIG_SECCOMP */
};

/* arch/{x86,arm64}/include/asm/ptrace.h */
struct pt_regs___syscall {
#if defined(__TARGET_ARCH_x86)
	unsigned long bx, cx, dx, si, di, orig_ax;
#elif defined(__TARGET_ARCH_arm64)
	unsigned long regs[31];
	unsigned long orig_x0;
	int syscallno;
#endif
};

#pragma clang attribute pop
#pragma clang diagnostic pop

/*
 * The current task. bpf_get_current_task_btf (5.11, 3ca1032ab7ab) gives a
 * pointer the verifier knows, whose members are read by plain loads, which
 * lockdown=confidentiality allows. Before, only bpf_probe_read_kernel can
 * follow the pointer. The branch not taken is never verified: CO-RE makes its
 * condition a constant.
 */
#define HAVE_TASK_BTF bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/*
 * Cast, where the kernel can (6.2), to a pointer that it does not trust: for each
 * pointer read through one that it does, the verifier looks through all types of the
 * kernel (btf_nested_type_is_trusted, kernel/bpf/btf.c), which took two thirds of
 * the time until attached.
 */
static __always_inline struct task_struct *current_task(void)
{
	struct task_struct *task;

	if (!HAVE_TASK_BTF)
		return (struct task_struct *)bpf_get_current_task();
	task = (struct task_struct *)bpf_get_current_task_btf();
	if (bpf_rdonly_cast)
		return bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct));
	return task;
}

/* A member of something reached from current_task. */
#define TASK_READ(ptr, member)                                            \
	({                                                                \
		typeof((ptr)->member) value_;                             \
		if (HAVE_TASK_BTF)                                        \
			value_ = (ptr)->member;                           \
		else                                                      \
			bpf_core_read(&value_, sizeof(value_), &(ptr)->member); \
		value_;                                                   \
	})

#endif
