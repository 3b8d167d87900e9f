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
};

/*
 * The 64-bit id that is never reused (6.18). It shares a union with an rcu
 * head, so it is read only while the namespace is in use.
 */
struct ns_common___id {
	__u64 ns_id;
};

/* ipc/util.h, include/linux/ipc_namespace.h */
struct ipc_ids {
	unsigned short seq; /* of the newest object */
	int last_idx;       /* likewise (5.2); -1 before the first */
};

struct ipc_namespace {
	struct ipc_ids ids[3];
	int sem_ctls[4]; /* [0] is SEMMSL */
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
	kuid_t euid;
	kgid_t egid;
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
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct cred *cred;
	char comm[16];
	struct nsproxy *nsproxy;
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

static __always_inline struct task_struct *current_task(void)
{
	if (HAVE_TASK_BTF)
		return (struct task_struct *)bpf_get_current_task_btf();
	return (struct task_struct *)bpf_get_current_task();
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
