// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who makes or opens which System V IPC object in which IPC namespace.
 *
 * Two tiers of hooks fill the same record; user space loads one of them.
 * fentry:  exits of the functions that every path ends in (ipc/util.c).
 * syscall: the exit of every system call, where fentry does not attach.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/ipc.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "event.h"
#include "kernel.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Filters. A dimension with no selector lets everything through. */
const volatile __u32 kinds = 1 << KIND_SEM | 1 << KIND_MSG | 1 << KIND_SHM;
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

/* False under lockdown=confidentiality, where programs that could copy kernel memory do not load. */
const volatile bool may_probe = true;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* bytes; user space sets its own */
	__type(value, struct event);
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

/*
 * Threads between newque/newseg/newary and the return of ipcget around it, and
 * the id they made. An entry lives for a few instructions, so there are at most
 * as many as there are threads inside ipcget.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __s32);
} creating SEC(".maps");

/* A get call: what was asked, where, and what came of it. */
struct call {
	enum kind kind;
	enum abi abi;
	enum entry entry;
	__s32 key;
	__s32 flags;
	__s32 ret;
	__u64 size;
};

static __always_inline bool selected(enum dimension dimension, __u32 value)
{
	struct selector key = {.dimension = dimension, .value = value};

	return bpf_map_lookup_elem(&selectors, &key);
}

static __always_inline bool wanted(enum kind kind, __u32 ns_inum)
{
	if (!live)
		return false;
	if (!(kinds & 1 << kind))
		return false;
	if (except_ns && ns_inum == except_ns)
		return false;
	if (select_ns && !selected(DIM_NS, ns_inum))
		return false;
	if (select_pid && !selected(DIM_PID, bpf_get_current_pid_tgid() >> 32))
		return false;
	if (select_uid && !selected(DIM_UID, (__u32)bpf_get_current_uid_gid()))
		return false;
	return true;
}

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

static __always_inline void read_process(struct event *e, struct task_struct *task)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u64 owner = bpf_get_current_uid_gid();
	struct task_struct *parent = TASK_READ(task, real_parent);
	struct task_struct *leader = TASK_READ(task, group_leader);
	struct cred *cred = TASK_READ(task, cred);

	e->pid = id >> 32;
	e->tid = (__u32)id;
	e->ns_pid = number_of(TASK_READ(leader, thread_pid), e->pid);
	e->ppid = TASK_READ(parent, tgid);
	e->uid = (__u32)owner;
	e->gid = owner >> 32;
	e->euid = TASK_READ(cred, euid.val);
	e->egid = TASK_READ(cred, egid.val);
	e->cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	read_comm(e->parent_comm, parent);
}

/*
 * The kernel's id of ns, 0 where it has none. A macro, because
 * a plain load and bpf_core_read want the same expression on two kinds of
 * pointer.
 */
#define NAMESPACE_ID(ns, READ)                                                   \
	(bpf_core_field_exists(struct ns_common___id, ns_id) ?                   \
		 READ((struct ns_common___id *)&(ns)->ns, ns_id) :               \
		 0)

static __always_inline int submit(const struct call *call, __u32 ns_inum, __u64 ns_id, enum verdict verdict)
{
	__u32 zero = 0;
	struct counters *counters = bpf_map_lookup_elem(&counts, &zero);
	struct event *e;

	if (!counters)
		return 0;
	__sync_fetch_and_add(&counters->produced, 1);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&counters->lost, 1);
		return 0;
	}
	e->boot_ns = bpf_ktime_get_boot_ns();
	e->lost = counters->lost;
	e->cpu = bpf_get_smp_processor_id();
	e->ns_inum = ns_inum;
	e->ns_id = ns_id;
	e->size = call->kind == KIND_MSG ? 0 : call->size;
	e->key = call->key;
	e->flags = call->flags;
	e->ret = call->ret;
	e->kind = call->kind;
	e->verdict = verdict;
	e->abi = call->abi;
	e->entry = call->entry;
	e->pad = 0;
	read_process(e, current_task());
	/*
	 * The reader is not woken, it looks by itself. To wake it is most of what
	 * an event costs, and on a kernel that preempts programs it takes the CPU
	 * at once, while this program still counts as running there: until it is
	 * back, the kernel skips the program for every other task on that CPU.
	 */
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return 0;
}

/* What the arguments alone tell about a call that returned: ipcget and ipcget_public, ipc/util.c. */
static __always_inline enum verdict verdict_of(const struct call *call)
{
	if (call->ret < 0)
		return VERDICT_FAIL;
	if (call->key == IPC_PRIVATE)
		return VERDICT_CREATE;
	if (!(call->flags & IPC_CREAT))
		return VERDICT_OPEN;
	if (call->flags & IPC_EXCL)
		return VERDICT_CREATE;
	return VERDICT_GET;
}

#if defined(__TARGET_ARCH_x86)

#define X32_BIT 0x40000000 /* __X32_SYSCALL_BIT */
#define TS_COMPAT 0x2      /* arch/x86/include/asm/thread_info.h */
#define NR_IPC_I386 117
#define STACK_SIZE (16 << 10) /* THREAD_SIZE, arch/x86/include/asm/page_64_types.h */

static __always_inline bool is_compat(struct task_struct *task)
{
	return TASK_READ(task, thread_info.status) & TS_COMPAT;
}

/* A register as it was when task entered the kernel. bpf_task_pt_regs came with 5.15. */
#define REG(task, member)                                                                     \
	({                                                                                    \
		typeof(((struct pt_regs___syscall *)0)->member) reg_ = 0;                     \
		if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))      \
			reg_ = ((struct pt_regs___syscall *)bpf_task_pt_regs(task))->member;  \
		else if (may_probe)                                                           \
			bpf_probe_read_kernel(&reg_, sizeof(reg_), REG_ADDRESS(task, member)); \
		reg_;                                                                         \
	})
#define REG_ADDRESS(task, member)                                                             \
	(TASK_READ(task, stack) + STACK_SIZE - bpf_core_type_size(struct pt_regs___syscall) + \
	 bpf_core_field_offset(struct pt_regs___syscall, member))

static __always_inline void read_abi(struct call *call, struct task_struct *task)
{
	__u64 number = REG(task, orig_ax);

	if (is_compat(task)) {
		call->abi = ABI_I386;
		call->entry = number == NR_IPC_I386 ? ENTRY_IPC : ENTRY_DIRECT;
	} else {
		call->abi = number & X32_BIT ? ABI_X32 : ABI_X86_64;
		call->entry = ENTRY_DIRECT;
	}
}

#elif defined(__TARGET_ARCH_arm64)

#define TIF_32BIT (1 << 22) /* arch/arm64/include/asm/thread_info.h */

static __always_inline bool is_compat(struct task_struct *task)
{
	return TASK_READ(task, thread_info.flags) & TIF_32BIT;
}

static __always_inline void read_abi(struct call *call, struct task_struct *task)
{
	call->abi = is_compat(task) ? ABI_ARM32 : ABI_ARM64;
	call->entry = ENTRY_DIRECT; /* AArch32 has no ipc(2) here: arch/arm64/tools/syscall_32.tbl */
}

#else
#error "build with -target amd64 or arm64"
#endif

/* --- tier fentry ------------------------------------------------------- */

/* Only where the arguments leave it open does it matter that an object was made. */
static __always_inline int mark_created(struct ipc_params *params, int ret)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	if (live && ret >= 0 && params->key != IPC_PRIVATE && !(params->flg & IPC_EXCL))
		bpf_map_update_elem(&creating, &tid, &ret, BPF_ANY);
	return 0;
}

SEC("fexit/newque")
int BPF_PROG(newque_exit, struct ipc_namespace *ns, struct ipc_params *params, int ret)
{
	return mark_created(params, ret);
}

SEC("fexit/newseg")
int BPF_PROG(newseg_exit, struct ipc_namespace *ns, struct ipc_params *params, int ret)
{
	return mark_created(params, ret);
}

SEC("fexit/newary")
int BPF_PROG(newary_exit, struct ipc_namespace *ns, struct ipc_params *params, int ret)
{
	return mark_created(params, ret);
}

/* Whether this thread made id inside the ipcget that is returning. */
static __always_inline bool take_created(__s32 id)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	__s32 *made = bpf_map_lookup_elem(&creating, &tid);
	bool created = made && *made == id;

	if (made)
		bpf_map_delete_elem(&creating, &tid);
	return created;
}

/* ids is &ns->ids[k]; k is the kind. */
static __always_inline enum kind kind_of(struct ipc_namespace *ns, struct ipc_ids *ids)
{
	__u64 offset = (__u64)ids - (__u64)ns - bpf_core_field_offset(struct ipc_namespace, ids);

	return offset / bpf_core_type_size(struct ipc_ids);
}

static __always_inline int report(struct ipc_namespace *ns, struct call *call, enum verdict verdict)
{
	if (!wanted(call->kind, ns->ns.inum))
		return 0;
#define LOAD(ptr, member) ((ptr)->member)
	return submit(call, ns->ns.inum, NAMESPACE_ID(ns, LOAD), verdict);
}

SEC("fexit/ipcget")
int BPF_PROG(ipcget_exit, struct ipc_namespace *ns, struct ipc_ids *ids, void *ops, struct ipc_params *params,
	     int ret)
{
	struct call call = {
		.kind = kind_of(ns, ids),
		.key = params->key,
		.flags = params->flg,
		.size = params->u.size,
		.ret = ret,
	};
	enum verdict verdict = verdict_of(&call);

	if (verdict == VERDICT_GET)
		verdict = take_created(ret) ? VERDICT_CREATE : VERDICT_OPEN;
	if (call.kind == KIND_SEM) /* an int in the union: the upper half is not written */
		call.size = (__s64)params->u.nsems;
	read_abi(&call, current_task());
	return report(ns, &call, verdict);
}

/*
 * semget refuses an nsems out of range before ipcget (ksys_semget, ipc/sem.c).
 * ksys_semget is inlined into its callers, so their exits are what can be seen.
 */
static __always_inline int semget_refused(struct task_struct *task, __s32 key, __s32 nsems, __s32 flags)
{
	struct nsproxy *nsproxy;
	struct ipc_namespace *ns;
	struct call call = {
		.kind = KIND_SEM,
		.key = key,
		.flags = flags,
		.size = (__s64)nsems,
		.ret = -EINVAL,
	};
	__u32 inum;

	nsproxy = TASK_READ(task, nsproxy);
	ns = TASK_READ(nsproxy, ipc_ns);
	if (nsems >= 0 && nsems <= TASK_READ(ns, sem_ctls[0]))
		return 0;
	inum = TASK_READ(ns, ns.inum);
	if (!wanted(call.kind, inum))
		return 0;
	read_abi(&call, task);
	return submit(&call, inum, NAMESPACE_ID(ns, TASK_READ), VERDICT_FAIL);
}

#if defined(__TARGET_ARCH_x86)

/*
 * The wrappers' own argument is the registers too, but in 5.10 its BTF type is a
 * forward declaration, which the verifier does not follow.
 */
static __always_inline int semget_native(void)
{
	struct task_struct *task = current_task();

	return semget_refused(task, REG(task, di), REG(task, si), REG(task, dx));
}

static __always_inline int semget_compat(void)
{
	struct task_struct *task = current_task();

	return semget_refused(task, REG(task, bx), REG(task, cx), REG(task, dx));
}

SEC("fexit/__x64_sys_semget") /* x32 too */
int BPF_PROG(semget_native_exit, void *regs, long ret)
{
	return ret == -EINVAL ? semget_native() : 0;
}

SEC("fexit/__ia32_sys_semget")
int BPF_PROG(semget_compat_exit, void *regs, long ret)
{
	return ret == -EINVAL ? semget_compat() : 0;
}

/*
 * Where BTF has a function twice (6.1: the weak one of kernel/sys_ni.c too)
 * fexit cannot be told which, but a kprobe goes by the symbol. It sits at the
 * entry: an nsems out of range can only fail.
 */
SEC("kprobe/__x64_sys_semget")
int semget_native_entry(void *ctx)
{
	return semget_native();
}

SEC("kprobe/__ia32_sys_semget")
int semget_compat_entry(void *ctx)
{
	return semget_compat();
}

#define IPC_CALL(number) ((number) & 0xffff) /* the upper half is a version */
#define IPC_CALL_SEMGET 2                    /* include/uapi/linux/ipc.h: SEMGET */
#define IPC_CALL_MSGGET 13
#define IPC_CALL_SHMGET 23

SEC("fexit/__ia32_compat_sys_ipc")
int BPF_PROG(semget_ipc_exit, void *regs, long ret)
{
	struct task_struct *task = current_task();

	if (ret != -EINVAL || IPC_CALL(REG(task, bx)) != IPC_CALL_SEMGET)
		return 0;
	return semget_refused(task, REG(task, cx), REG(task, dx), REG(task, si));
}

#elif defined(__TARGET_ARCH_arm64)

SEC("fexit/__arm64_sys_semget") /* AArch32 too */
int BPF_PROG(semget_native_exit, struct pt_regs___syscall *regs, long ret)
{
	if (ret != -EINVAL)
		return 0;
	return semget_refused(current_task(), regs->regs[0], regs->regs[1], regs->regs[2]);
}

#endif

/* --- tier syscall ------------------------------------------------------ */

/*
 * decode says whether the system call that regs hold is a get call, and which.
 * The number is looked at first: this runs at every system call of the machine.
 */
#if defined(__TARGET_ARCH_x86)

static __always_inline bool direct(struct call *call, enum kind kind, enum abi abi, __u64 key, __u64 arg1, __u64 arg2)
{
	call->kind = kind;
	call->abi = abi;
	call->entry = ENTRY_DIRECT;
	call->key = key;
	call->flags = kind == KIND_MSG ? arg1 : arg2;
	call->size = kind == KIND_SEM ? (__s64)(__s32)arg1 : arg1;
	return true;
}

/* ipc(call, first, second, third, ptr, fifth): compat_ksys_ipc, ipc/syscall.c */
static __always_inline bool multiplexed(struct call *call, struct pt_regs___syscall *regs)
{
	__u32 first = regs->cx, second = regs->dx, third = regs->si;
	enum kind kind;

	switch (IPC_CALL(regs->bx)) {
	case IPC_CALL_SEMGET: kind = KIND_SEM; break;
	case IPC_CALL_MSGGET: kind = KIND_MSG; break;
	case IPC_CALL_SHMGET: kind = KIND_SHM; break;
	default: return false;
	}
	direct(call, kind, ABI_I386, first, second, third);
	call->entry = ENTRY_IPC;
	return true;
}

static __always_inline bool decode(struct call *call, struct pt_regs___syscall *regs)
{
	__u32 number = regs->orig_ax;
	enum abi abi = number & X32_BIT ? ABI_X32 : ABI_X86_64;
	enum kind kind;
	bool compat;

	switch (number & ~X32_BIT) {
	case 64:  kind = KIND_SEM; compat = false; break;
	case 68:  kind = KIND_MSG; compat = false; break;
	case 29:  kind = KIND_SHM; compat = false; break;
	case 393: kind = KIND_SEM; compat = true; break;
	case 399: kind = KIND_MSG; compat = true; break;
	case 395: kind = KIND_SHM; compat = true; break;
	case NR_IPC_I386: kind = 0; compat = true; break;
	default: return false;
	}
	if (compat != is_compat(current_task()) || (compat && abi == ABI_X32))
		return false;
	if (!compat)
		return direct(call, kind, abi, regs->di, regs->si, regs->dx);
	if (number == NR_IPC_I386)
		return multiplexed(call, regs);
	return direct(call, kind, ABI_I386, (__u32)regs->bx, (__u32)regs->cx, (__u32)regs->dx);
}

#elif defined(__TARGET_ARCH_arm64)

static __always_inline bool decode(struct call *call, struct pt_regs___syscall *regs)
{
	bool compat;

	switch (regs->syscallno) {
	case 190: call->kind = KIND_SEM; compat = false; break;
	case 186: call->kind = KIND_MSG; compat = false; break;
	case 194: call->kind = KIND_SHM; compat = false; break;
	case 299: call->kind = KIND_SEM; compat = true; break;
	case 303: call->kind = KIND_MSG; compat = true; break;
	case 307: call->kind = KIND_SHM; compat = true; break;
	default: return false;
	}
	if (compat != is_compat(current_task()))
		return false;
	call->abi = compat ? ABI_ARM32 : ABI_ARM64;
	call->entry = ENTRY_DIRECT;
	call->key = regs->orig_x0;
	call->flags = call->kind == KIND_MSG ? regs->regs[1] : regs->regs[2];
	call->size = call->kind == KIND_SEM ? (__s64)(__s32)regs->regs[1] : regs->regs[1];
	return true;
}

#endif

#define SECCOMP_MODE_FILTER 2 /* include/uapi/linux/seccomp.h */

static __always_inline bool filtered_by_seccomp(struct task_struct *task)
{
	return bpf_core_field_exists(task->seccomp) && TASK_READ(task, seccomp.mode) == SECCOMP_MODE_FILTER;
}

/* id = seq << 15 | index, or << 24 with ipcmni_extend: ipc_addid, ipc/util.c. */
#define IS_NEWEST(ns, kind, id)                                                         \
	((__u32)(id) == ((__u32)TASK_READ(ns, ids[kind].seq) << 15 | TASK_READ(ns, ids[kind].last_idx)) || \
	 (__u32)(id) == ((__u32)TASK_READ(ns, ids[kind].seq) << 24 | TASK_READ(ns, ids[kind].last_idx)))

static __always_inline bool is_newest(struct ipc_namespace *ns, const struct call *call)
{
	switch (call->kind) { /* constant indices: a plain load has a constant offset */
	case KIND_SEM: return IS_NEWEST(ns, KIND_SEM, call->ret);
	case KIND_MSG: return IS_NEWEST(ns, KIND_MSG, call->ret);
	default: return IS_NEWEST(ns, KIND_SHM, call->ret);
	}
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs___syscall *regs, long ret)
{
	struct call call = {};
	struct task_struct *task;
	struct nsproxy *nsproxy;
	struct ipc_namespace *ns;
	enum verdict verdict;
	__u32 inum;

	if (!decode(&call, regs) || ret == -ENOSYS) /* ENOSYS: this kernel has no such call (x32) */
		return 0;
	call.ret = ret;
	task = current_task();
	nsproxy = TASK_READ(task, nsproxy);
	ns = TASK_READ(nsproxy, ipc_ns);
	inum = TASK_READ(ns, ns.inum);
	if (!wanted(call.kind, inum))
		return 0;
	verdict = verdict_of(&call);
	/*
	 * The result may be a seccomp filter's, and the call may never have run.
	 * But an object that a call has just made is the newest.
	 */
	if (verdict == VERDICT_CREATE && filtered_by_seccomp(task) && !is_newest(ns, &call))
		verdict = VERDICT_GET;
	return submit(&call, inum, NAMESPACE_ID(ns, TASK_READ), verdict);
}
