/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Who is calling, by what, and in which IPC namespace. */
#ifndef IPCTRACE_TASK_H
#define IPCTRACE_TASK_H

/* False under lockdown=confidentiality, where programs that could copy kernel memory do not load. */
const volatile bool may_probe = true;

/* include/linux/sched.h */
#define PF_EXITING 0x4
#define PF_KTHREAD 0x200000

#define MAX_PID_NS_LEVEL 32 /* include/linux/pid_namespace.h */

/* The number of pid in its own namespace. numbers is indexed at run time, which plain loads cannot do. */
static __always_inline __u32 number_of(struct pid *pid, __u32 outermost)
{
	__u32 level = TASK_READ(pid, level);
	__u64 at = level * (__u64)bpf_core_type_size(struct upid);
	int nr = 0;

	if (level == 0)
		return outermost;
	/* Bounds the product, not the level: the verifier of 6.1 knows no bounds of a product. */
	if (may_probe && at <= MAX_PID_NS_LEVEL * 16)
		bpf_probe_read_kernel(&nr, sizeof(nr),
				      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
					      bpf_core_field_offset(struct upid, nr) + at);
	return nr;
}

static __always_inline void read_comm(__u8 *to, struct task_struct *task)
{
	const char *from = __builtin_preserve_access_index(&task->comm[0]);

	if (HAVE_TASK_BTF) {
		((volatile __u64 *)to)[0] = ((volatile __u64 *)from)[0];
		((volatile __u64 *)to)[1] = ((volatile __u64 *)from)[1];
	} else {
		bpf_probe_read_kernel(to, COMM_LEN, from);
	}
}

/* bpf_get_current_cgroup_id, which takes three times as long (kernel/bpf/cgroup.c). */
static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	struct css_set *cgroups = TASK_READ(task, cgroups);
	struct cgroup *cgroup = TASK_READ(cgroups, dfl_cgrp);
	struct kernfs_node *node = TASK_READ(cgroup, kn);

	return TASK_READ(node, id);
}

#if defined(__TARGET_ARCH_x86)

#define X32_BIT 0x40000000 /* __X32_SYSCALL_BIT */
#define TS_COMPAT 0x2      /* arch/x86/include/asm/thread_info.h */
#define STACK_SIZE (16 << 10) /* THREAD_SIZE, arch/x86/include/asm/page_64_types.h */

static __always_inline bool is_compat(struct task_struct *task)
{
	return TASK_READ(task, thread_info.status) & TS_COMPAT;
}

#elif defined(__TARGET_ARCH_arm64)

#define TIF_32BIT (1 << 22) /* arch/arm64/include/asm/thread_info.h */
#define STACK_SIZE (16 << 10) /* THREAD_SIZE with 4 KiB pages; only 5.10 looks there, where no hook that does attaches */

static __always_inline bool is_compat(struct task_struct *task)
{
	return TASK_READ(task, thread_info.flags) & TIF_32BIT;
}

#else
#error "build with -target amd64 or arm64"
#endif

/*
 * A register as it was when task, the current one, entered the kernel.
 * bpf_task_pt_regs came with 5.15, and wants a pointer that the verifier trusts.
 */
#define REG(task, member)                                                                      \
	({                                                                                     \
		typeof(((struct pt_regs___syscall *)0)->member) reg_ = 0;                      \
		if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))       \
			reg_ = ((struct pt_regs___syscall *)bpf_task_pt_regs(                  \
					(struct task_struct *)bpf_get_current_task_btf()))->member; \
		else if (may_probe)                                                            \
			bpf_probe_read_kernel(&reg_, sizeof(reg_), REG_ADDRESS(task, member)); \
		reg_;                                                                          \
	})
#define REG_ADDRESS(task, member)                                                             \
	(TASK_READ(task, stack) + STACK_SIZE - bpf_core_type_size(struct pt_regs___syscall) + \
	 bpf_core_field_offset(struct pt_regs___syscall, member))

/* A system call's number and whose it is. */
struct entry {
	__s32 nr;
	enum abi abi;
	__u8 pad[3];
};

static __always_inline struct entry entry_with(bool compat, __u32 number)
{
	struct entry entry = {.nr = number};

#if defined(__TARGET_ARCH_x86)
	entry.abi = compat ? ABI_I386 : number & X32_BIT ? ABI_X32 : ABI_X86_64;
	if (entry.abi == ABI_X32)
		entry.nr = number & ~X32_BIT;
#else
	entry.abi = compat ? ABI_ARM32 : ABI_ARM64;
#endif
	return entry;
}

static __always_inline struct entry entry_of(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return entry_with(is_compat(task), REG(task, orig_ax));
#else
	return entry_with(is_compat(task), REG(task, syscallno));
#endif
}

/*
 * The kernel's id of ns, 0 where it has none. A macro, because
 * a plain load and bpf_core_read want the same expression on two kinds of
 * pointer.
 */
#define NAMESPACE_ID(of, READ)                                                   \
	(bpf_core_field_exists(struct ns_common___id, ns_id) ?                   \
		 READ((struct ns_common___id *)&(of)->ns, ns_id) :               \
		 0)

/* A plain load, for pointers that the verifier knows on every kernel. */
#define LOAD(ptr, member) ((ptr)->member)

/* A read through a pointer that the verifier does not know. */
#define PROBE(ptr, member)                                                      \
	({                                                                      \
		typeof((ptr)->member) probed_ = {};                             \
		bpf_core_read(&probed_, sizeof(probed_), &(ptr)->member);       \
		probed_;                                                        \
	})

#define SECCOMP_MODE_FILTER 2 /* include/uapi/linux/seccomp.h */

static __always_inline bool filtered_by_seccomp(struct task_struct *task)
{
	return bpf_core_field_exists(task->seccomp) && TASK_READ(task, seccomp.mode) == SECCOMP_MODE_FILTER;
}

/* An IPC namespace. */
struct home {
	__u64 id;
	__u32 inum;
	__u32 pad;
};

#define HOME(of, READ) \
	((struct home){.id = NAMESPACE_ID(of, READ), .inum = READ(of, ns.inum)})

static __always_inline struct ipc_namespace *namespace_of(struct task_struct *task)
{
	struct nsproxy *nsproxy = TASK_READ(task, nsproxy);

	return TASK_READ(nsproxy, ipc_ns);
}

static __always_inline struct home home_of(struct task_struct *task)
{
	struct ipc_namespace *ns = namespace_of(task);

	return HOME(ns, TASK_READ);
}

/* The namespace at an address. Where it is the current task's, no probe is needed. */
static __always_inline struct home home_at(__u64 address)
{
	struct ipc_namespace *own = namespace_of(current_task());
	struct ipc_namespace *ns = (void *)address;
	struct home none = {};

	if (address == (__u64)own)
		return HOME(own, TASK_READ);
	if (!may_probe || !address)
		return none;
	return HOME(ns, PROBE);
}

#endif
