// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who makes, opens and removes which IPC object in which IPC namespace, and how
 * namespaces come and go.
 *
 * Two tiers of hooks fill the same record; user space loads one of them.
 * fentry:  the functions that every path ends in (ipc/).
 * syscall: the exit of every system call, where fentry does not attach.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/ipc.h>
#include <linux/stat.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "event.h"
#include "kernel.h"
#include "task.h"
#include "tree.h"
#include "record.h"
#include "queue.h"
#include "cgroup.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define CLONE_NEWIPC 0x08000000 /* include/uapi/linux/sched.h */
#define SHM_DEST 01000          /* include/linux/shm.h */

/* A get call: what was asked, and what came of it. */
struct get {
	__s32 key;
	__s32 flags;
	__s32 ret;
	enum kind kind;
	__u8 pad[3];
	__u64 size;
};

/* What the arguments alone tell about a call that returned: ipcget and ipcget_public, ipc/util.c. */
static __always_inline enum action action_of(const struct get *get)
{
	if (get->ret < 0)
		return ACTION_FAIL;
	if (get->key == IPC_PRIVATE)
		return ACTION_CREATE;
	if (!(get->flags & IPC_CREAT))
		return ACTION_OPEN;
	if (get->flags & IPC_EXCL)
		return ACTION_CREATE;
	return ACTION_GET;
}

static __always_inline int tell_get(const struct get *get, struct entry entry, struct home home, enum action action,
				    bool perhaps)
{
	struct event *e;

	if (!wanted(get->kind, home.inum, perhaps))
		return 0;
	e = begin_in(entry, action, get->kind, home);
	if (!e)
		return 0;
	e->key = get->key;
	e->flags = get->flags;
	e->ret = get->ret;
	e->size = get->kind == KIND_MSG ? 0 : get->size;
	own(e);
	submit(e);
	return 0;
}

static __always_inline int tell_namespace(enum action action, struct home home, struct home from)
{
	struct event *e;

	if (!live)
		return 0; /* no other filter: without births and ends nobody could tell namespaces apart */
	if (action == ACTION_NS_JOIN && bpf_get_current_pid_tgid() >> 32 == self)
		return 0;
	e = begin(action, 0, home);
	if (!e)
		return 0;
	e->from_inum = from.inum;
	e->from_id = from.id;
	submit(e);
	return 0;
}

/* Run by user space, which need not know what its number is in the initial pid namespace. */
SEC("raw_tp")
int introduce(void *ctx)
{
	self = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

/* --- tier fentry: objects ---------------------------------------------- */

/* Only where the arguments leave it open does it matter that an object was made. */
static __always_inline int mark_created(struct ipc_params *params, int ret)
{
	if (live && ret >= 0 && params->key != IPC_PRIVATE && !(params->flg & IPC_EXCL))
		note_created(ret);
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

#define KINDS 3

/* The address of a namespace's table of a kind. */
static __always_inline __u64 ids_of(__u64 ns, enum kind kind)
{
	return ns + bpf_core_field_offset(struct ipc_namespace, ids) + kind * bpf_core_type_size(struct ipc_ids);
}

/*
 * k where ids is &ns->ids[k], else KINDS. By comparing: the verifier of 5.10 lets
 * no unknown number be subtracted from a pointer.
 */
static __always_inline enum kind kind_of(__u64 ns, struct ipc_ids *ids)
{
	if ((__u64)ids == ids_of(ns, KIND_SEM))
		return KIND_SEM;
	if ((__u64)ids == ids_of(ns, KIND_MSG))
		return KIND_MSG;
	if ((__u64)ids == ids_of(ns, KIND_SHM))
		return KIND_SHM;
	return KINDS;
}

SEC("fexit/ipcget")
int BPF_PROG(ipcget_exit, struct ipc_namespace *ns, struct ipc_ids *ids, void *ops, struct ipc_params *params,
	     int ret)
{
	struct get get = {
		.kind = kind_of((__u64)ns, ids),
		.key = params->key,
		.flags = params->flg,
		.size = params->u.size,
		.ret = ret,
	};
	enum action action = action_of(&get);

	if (action == ACTION_GET)
		action = take_created(ret) ? ACTION_CREATE : ACTION_OPEN;
	if (get.kind == KIND_SEM) /* an int in the union: the upper half is not written */
		get.size = (__s64)params->u.nsems;
	return tell_get(&get, entry_of(current_task()), HOME(ns, LOAD), action, false);
}

/*
 * semget refuses an nsems out of range before ipcget (ksys_semget, ipc/sem.c).
 * ksys_semget is inlined into its callers, so their exits are what can be seen.
 */
static __always_inline int semget_refused(struct task_struct *task, __s32 key, __s32 nsems, __s32 flags)
{
	struct ipc_namespace *ns = namespace_of(task);
	struct get get = {
		.kind = KIND_SEM,
		.key = key,
		.flags = flags,
		.size = (__s64)nsems,
		.ret = -EINVAL,
	};

	if (nsems >= 0 && nsems <= TASK_READ(ns, sem_ctls[0]))
		return 0;
	return tell_get(&get, entry_of(task), HOME(ns, TASK_READ), ACTION_FAIL, false);
}

#define IPC_CALL(number) ((number) & 0xffff) /* the upper half is a version */

/* include/uapi/linux/ipc.h: SEMGET and the like */
#define IPC_CALL_SEMGET 2
#define IPC_CALL_SEMCTL 3
#define IPC_CALL_MSGGET 13
#define IPC_CALL_MSGCTL 14
#define IPC_CALL_SHMGET 23
#define IPC_CALL_SHMCTL 24
#define NR_IPC_I386 117

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

/* What a thread is doing that makes objects go: an entry lives as long as the function it is inside. */
struct ending {
	__u64 ids; /* address */
	struct home home;
	enum kind kind;
	enum cause cause;
	__u8 pad[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct ending);
} endings SEC(".maps");

static __always_inline int enter(const struct ending *ending)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	if (live)
		bpf_map_update_elem(&endings, &tid, ending, BPF_ANY);
	return 0;
}

static __always_inline int leave(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&endings, &tid);
	return 0;
}

/* The namespace that has ids, and which of its tables that is. */
struct table {
	struct home home;
	enum cause cause; /* if the thread is inside an ending; else CAUSE_UNKNOWN */
	enum kind kind;
	__u8 pad[6];
};

/*
 * ids is &ns->ids[kind] of a namespace that need not be the current task's: the
 * last detach may come from another one. What it can be is tried out: all IPC
 * namespaces have the same operations.
 */
static __always_inline bool find_table(struct ipc_ids *ids, struct table *table)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct ending *ending = bpf_map_lookup_elem(&endings, &tid);
	struct ipc_namespace *own = namespace_of(current_task());
	__u32 kind = kind_of((__u64)own, ids);
	const void *ops = TASK_READ(own, ns.ops);

	if (ending && ending->ids == (__u64)ids) {
		table->home = ending->home;
		table->kind = ending->kind;
		table->cause = ending->cause;
		return true;
	}
	if (kind < KINDS) {
		table->home = HOME(own, TASK_READ);
		table->kind = kind;
		return true;
	}
	for (kind = 0; may_probe && ops && kind < KINDS; kind++) {
		struct ipc_namespace *ns = (void *)ids - bpf_core_field_offset(struct ipc_namespace, ids) -
					   kind * bpf_core_type_size(struct ipc_ids);

		if (PROBE(ns, ns.ops) == ops) {
			table->home = HOME(ns, PROBE);
			table->kind = kind;
			return true;
		}
	}
	return false;
}

/* Whether the system call is shmctl, which removes a segment by IPC_RMID alone. */
static __always_inline bool is_shmctl(struct entry entry)
{
	switch (entry.abi) {
#if defined(__TARGET_ARCH_x86)
	case ABI_I386:
		return entry.nr == 396 || (entry.nr == NR_IPC_I386 &&
					   IPC_CALL(REG(current_task(), bx)) == IPC_CALL_SHMCTL);
#endif
	case ABI_ARM64: return entry.nr == 195;
	case ABI_ARM32: return entry.nr == 308;
	default: return entry.nr == 31;
	}
}

/* Whether the system call is unshare: for shm_rmid_forced that ends a maker as its exit does (ksys_unshare). */
static __always_inline bool is_unshare(struct entry entry)
{
	switch (entry.abi) {
	case ABI_I386: return entry.nr == 310;
	case ABI_ARM64: return entry.nr == 97;
	case ABI_ARM32: return entry.nr == 337;
	default: return entry.nr == 272;
	}
}

static __always_inline enum cause cause_of(const struct table *table)
{
	struct entry entry = entry_of(current_task());

	if (table->cause)
		return table->cause;
	if (table->kind != KIND_SHM) /* freeque and freeary are called by nobody else */
		return CAUSE_RMID;
	if (TASK_READ(current_task(), flags) & PF_EXITING || is_unshare(entry))
		return CAUSE_EXIT;
	return is_shmctl(entry) ? CAUSE_RMID : CAUSE_DETACH;
}

static __always_inline int tell_object(enum action action, struct ipc_ids *ids, struct kern_ipc_perm *perm)
{
	struct table table = {};
	struct event *e;

	if (!live || !find_table(ids, &table) || !watched(table.kind, table.home.inum))
		return 0;
	e = begin(action, table.kind, table.home);
	if (!e)
		return 0;
	e->ret = perm->id;
	e->key = perm->key;
	e->flags = perm->mode;
	e->owner = perm->uid.val;
	e->group = perm->gid.val;
	if (action == ACTION_REMOVE)
		e->cause = cause_of(&table);
	submit(e);
	return 0;
}

/* Every removal comes here, and the object is still whole. */
SEC("fentry/ipc_rmid")
int BPF_PROG(ipc_rmid_entry, struct ipc_ids *ids, struct kern_ipc_perm *perm)
{
	return tell_object(ACTION_REMOVE, ids, perm);
}

/* IPC_RMID of a segment that is attached: do_shm_rmid, ipc/shm.c. */
SEC("fentry/ipc_set_key_private")
int BPF_PROG(ipc_set_key_private_entry, struct ipc_ids *ids, struct kern_ipc_perm *perm)
{
	return tell_object(ACTION_MARK, ids, perm);
}

/* A write of 1 to shm_rmid_forced: segments whose makers are gone and that nobody has attached. */
SEC("fentry/shm_destroy_orphaned")
int BPF_PROG(shm_destroy_orphaned_entry, struct ipc_namespace *ns)
{
	struct ending ending = {
		.ids = ids_of((__u64)ns, KIND_SHM),
		.home = HOME(ns, LOAD),
		.kind = KIND_SHM,
		.cause = CAUSE_EXIT,
	};

	return enter(&ending);
}

SEC("fexit/shm_destroy_orphaned")
int BPF_PROG(shm_destroy_orphaned_exit, struct ipc_namespace *ns)
{
	return leave();
}

/* --- tier fentry: namespaces ------------------------------------------- */

SEC("fexit/copy_ipcs")
int BPF_PROG(copy_ipcs_exit, __u64 flags, void *user_ns, struct ipc_namespace *ns, struct ipc_namespace *ret)
{
	if (!(flags & CLONE_NEWIPC) || (__u64)ret >= (__u64)-4095) /* IS_ERR */
		return 0;
	return tell_namespace(ACTION_NS_CREATE, HOME(ret, LOAD), HOME(ns, LOAD));
}

/* Once for each kind of object, in the order of ipc/namespace.c: sem, msg, shm. */
SEC("fentry/free_ipcs")
int BPF_PROG(free_ipcs_entry, struct ipc_namespace *ns, struct ipc_ids *ids)
{
	struct ending ending = {
		.ids = (__u64)ids,
		.home = HOME(ns, LOAD),
		.kind = kind_of((__u64)ns, ids),
		.cause = CAUSE_NAMESPACE,
	};

	return enter(&ending);
}

SEC("fexit/free_ipcs")
int BPF_PROG(free_ipcs_exit, struct ipc_namespace *ns, struct ipc_ids *ids)
{
	struct home none = {};

	leave();
	if (kind_of((__u64)ns, ids) != KIND_SHM)
		return 0;
	return tell_namespace(ACTION_NS_FREE, HOME(ns, LOAD), none);
}

/* Where a thread was when it called setns. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct home);
} moving SEC(".maps");

static __always_inline int setns_begins(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct home from = home_of(current_task());

	if (live)
		bpf_map_update_elem(&moving, &tid, &from, BPF_ANY);
	return 0;
}

static __always_inline int setns_ends(long ret)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	struct home *found = bpf_map_lookup_elem(&moving, &tid);
	struct home to = home_of(current_task());
	struct home from;

	if (!found)
		return 0;
	from = *found;
	bpf_map_delete_elem(&moving, &tid);
	if (ret || from.inum == to.inum)
		return 0;
	return tell_namespace(ACTION_NS_JOIN, to, from);
}

#if defined(__TARGET_ARCH_x86)
#define SETNS_NATIVE "__x64_sys_setns"  /* x32 too */
#define SETNS_COMPAT "__ia32_sys_setns"
#else
#define SETNS_NATIVE "__arm64_sys_setns" /* AArch32 too */
#endif

SEC("fentry/" SETNS_NATIVE)
int BPF_PROG(setns_native_entry)
{
	return setns_begins();
}

SEC("fexit/" SETNS_NATIVE)
int BPF_PROG(setns_native_exit, void *regs, long ret)
{
	return setns_ends(ret);
}

#ifdef SETNS_COMPAT

SEC("fentry/" SETNS_COMPAT)
int BPF_PROG(setns_compat_entry)
{
	return setns_begins();
}

SEC("fexit/" SETNS_COMPAT)
int BPF_PROG(setns_compat_exit, void *regs, long ret)
{
	return setns_ends(ret);
}

#endif

/* --- tier syscall ------------------------------------------------------ */

enum op {
	OP_NONE,
	OP_GET,
	OP_CTL,
	OP_UNSHARE,
	OP_SETNS,
	OP_MQ_OPEN,
	OP_MQ_UNLINK,
};

/* A system call that matters. */
struct call {
	enum op op;
	struct entry entry;
	enum kind kind;
	__u8 pad[3];
	__u64 args[3];
};

/*
 * decode says whether the system call that regs hold matters, and how. The
 * number is looked at first: this runs at every system call of the machine.
 */
#if defined(__TARGET_ARCH_x86)

/* ipc(call, first, second, third, ptr, fifth): compat_ksys_ipc, ipc/syscall.c */
static __always_inline bool multiplexed(struct call *call, struct pt_regs___syscall *regs)
{
	switch (IPC_CALL(regs->bx)) {
	case IPC_CALL_SEMGET: call->op = OP_GET; call->kind = KIND_SEM; break;
	case IPC_CALL_MSGGET: call->op = OP_GET; call->kind = KIND_MSG; break;
	case IPC_CALL_SHMGET: call->op = OP_GET; call->kind = KIND_SHM; break;
	case IPC_CALL_SEMCTL: call->op = OP_CTL; call->kind = KIND_SEM; break;
	case IPC_CALL_MSGCTL: call->op = OP_CTL; call->kind = KIND_MSG; break;
	case IPC_CALL_SHMCTL: call->op = OP_CTL; call->kind = KIND_SHM; break;
	default: return false;
	}
	call->args[0] = (__u32)regs->cx;
	call->args[1] = (__u32)regs->dx;
	call->args[2] = (__u32)regs->si;
	return true;
}

static __always_inline bool decode(struct call *call, struct pt_regs___syscall *regs)
{
	__u32 number = regs->orig_ax;
	bool compat = false;

	switch (number & ~X32_BIT) {
	case 64:  call->op = OP_GET; call->kind = KIND_SEM; break;
	case 68:  call->op = OP_GET; call->kind = KIND_MSG; break;
	case 29:  call->op = OP_GET; call->kind = KIND_SHM; break;
	case 66:  call->op = OP_CTL; call->kind = KIND_SEM; break;
	case 71:  call->op = OP_CTL; call->kind = KIND_MSG; break;
	case 31:  call->op = OP_CTL; call->kind = KIND_SHM; break;
	case 272: call->op = OP_UNSHARE; break;
	case 308: call->op = OP_SETNS; break;
	case 240: call->op = OP_MQ_OPEN; break;
	case 241: call->op = OP_MQ_UNLINK; break;
	case 393: call->op = OP_GET; call->kind = KIND_SEM; compat = true; break;
	case 399: call->op = OP_GET; call->kind = KIND_MSG; compat = true; break;
	case 395: call->op = OP_GET; call->kind = KIND_SHM; compat = true; break;
	case 394: call->op = OP_CTL; call->kind = KIND_SEM; compat = true; break;
	case 402: call->op = OP_CTL; call->kind = KIND_MSG; compat = true; break;
	case 396: call->op = OP_CTL; call->kind = KIND_SHM; compat = true; break;
	case 310: call->op = OP_UNSHARE; compat = true; break;
	case 346: call->op = OP_SETNS; compat = true; break;
	case 277: call->op = OP_MQ_OPEN; compat = true; break;
	case 278: call->op = OP_MQ_UNLINK; compat = true; break;
	case NR_IPC_I386: compat = true; break;
	default: return false;
	}
	if (compat != is_compat(current_task()) || (compat && number & X32_BIT))
		return false;
	call->entry = entry_with(compat, number);
	if (!compat) {
		call->args[0] = regs->di;
		call->args[1] = regs->si;
		call->args[2] = regs->dx;
		return true;
	}
	if (number == NR_IPC_I386)
		return multiplexed(call, regs);
	call->args[0] = (__u32)regs->bx;
	call->args[1] = (__u32)regs->cx;
	call->args[2] = (__u32)regs->dx;
	return true;
}

#elif defined(__TARGET_ARCH_arm64)

static __always_inline bool decode(struct call *call, struct pt_regs___syscall *regs)
{
	bool compat = false;

	switch (regs->syscallno) {
	case 190: call->op = OP_GET; call->kind = KIND_SEM; break;
	case 186: call->op = OP_GET; call->kind = KIND_MSG; break;
	case 194: call->op = OP_GET; call->kind = KIND_SHM; break;
	case 191: call->op = OP_CTL; call->kind = KIND_SEM; break;
	case 187: call->op = OP_CTL; call->kind = KIND_MSG; break;
	case 195: call->op = OP_CTL; call->kind = KIND_SHM; break;
	case 97:  call->op = OP_UNSHARE; break;
	case 268: call->op = OP_SETNS; break;
	case 180: call->op = OP_MQ_OPEN; break;
	case 181: call->op = OP_MQ_UNLINK; break;
	case 299: call->op = OP_GET; call->kind = KIND_SEM; compat = true; break;
	case 303: call->op = OP_GET; call->kind = KIND_MSG; compat = true; break;
	case 307: call->op = OP_GET; call->kind = KIND_SHM; compat = true; break;
	case 300: call->op = OP_CTL; call->kind = KIND_SEM; compat = true; break;
	case 304: call->op = OP_CTL; call->kind = KIND_MSG; compat = true; break;
	case 308: call->op = OP_CTL; call->kind = KIND_SHM; compat = true; break;
	case 337: call->op = OP_UNSHARE; compat = true; break;
	case 375: call->op = OP_SETNS; compat = true; break;
	case 274: call->op = OP_MQ_OPEN; compat = true; break;
	case 275: call->op = OP_MQ_UNLINK; compat = true; break;
	default: return false;
	}
	if (compat != is_compat(current_task()))
		return false;
	call->entry = entry_with(compat, regs->syscallno);
	call->args[0] = regs->orig_x0;
	call->args[1] = regs->regs[1];
	call->args[2] = regs->regs[2];
	return true;
}

#endif

/* id = seq << 15 | index, or << 24 with ipcmni_extend: ipc_addid, ipc/util.c. */
#define IS_NEWEST(ns, kind, id)                                                         \
	((__u32)(id) == ((__u32)TASK_READ(ns, ids[kind].seq) << 15 | TASK_READ(ns, ids[kind].last_idx)) || \
	 (__u32)(id) == ((__u32)TASK_READ(ns, ids[kind].seq) << 24 | TASK_READ(ns, ids[kind].last_idx)))

static __always_inline bool is_newest(struct ipc_namespace *ns, enum kind kind, __s32 id)
{
	switch (kind) { /* constant indices: a plain load has a constant offset */
	case KIND_SEM: return IS_NEWEST(ns, KIND_SEM, id);
	case KIND_MSG: return IS_NEWEST(ns, KIND_MSG, id);
	default: return IS_NEWEST(ns, KIND_SHM, id);
	}
}

static __always_inline int get_ends(const struct call *call, struct task_struct *task, __s32 ret)
{
	struct ipc_namespace *ns = namespace_of(task);
	struct get get = {
		.kind = call->kind,
		.key = call->args[0],
		.flags = call->kind == KIND_MSG ? call->args[1] : call->args[2],
		.size = call->kind == KIND_SEM ? (__s64)(__s32)call->args[1] : call->args[1],
		.ret = ret,
	};
	enum action action = action_of(&get);

	/*
	 * The result may be a seccomp filter's, and the call may never have run.
	 * But an object that a call has just made is the newest.
	 */
	if (action == ACTION_CREATE && filtered_by_seccomp(task) && !is_newest(ns, get.kind, ret))
		action = ACTION_GET;
	return tell_get(&get, call->entry, HOME(ns, TASK_READ), action,
			ret >= 0 && get.key != IPC_PRIVATE && get.flags & IPC_CREAT);
}

/* lib/xarray.c: an entry that is an inner node has the bits 10, a pointer to an object 00. */
#define XA_BITS 3
#define XA_NODE 2
#define XA_SLOTS (bpf_core_field_size(struct xa_node, slots) / sizeof(void *))
#define XA_LEVELS 5

/* The object at an index of a table, NULL where there is none. */
static __always_inline struct kern_ipc_perm *object_at(__u64 head, __u32 index)
{
	__u64 entry = head;
	__u64 slots = XA_SLOTS;
	bool inside = false;

	for (int level = 0; level < XA_LEVELS && (entry & XA_BITS) == XA_NODE; level++) {
		struct xa_node *node = (void *)(entry - XA_NODE);
		__u8 shift = PROBE(node, shift);
		__u32 slot = index >> (shift & 31);

		if (!inside && slot >= slots)
			return NULL; /* beyond the tree */
		inside = true;
		bpf_probe_read_kernel(&entry, sizeof(entry),
				      (void *)node + bpf_core_field_offset(struct xa_node, slots) +
					      (slot & (slots - 1)) * sizeof(void *));
	}
	if (!inside && index) /* a tree of one entry has no node, and the entry is number 0 */
		return NULL;
	return entry & XA_BITS ? NULL : (void *)entry;
}

/* Index bits in an id: usual, and with ipcmni_extend (ipc/util.h). */
#define INDEX 0x7fff
#define INDEX_EXTENDED 0xffffff

static __always_inline bool has_id(struct kern_ipc_perm *perm, __s32 id)
{
	return perm && PROBE(perm, id) == id;
}

#define HEAD(ns, kind) ((__u64)TASK_READ(ns, ids[kind].ipcs_idr.idr_rt.xa_head))

/* The object that has an id, NULL where there is none. Needs may_probe. */
static __always_inline struct kern_ipc_perm *object_of(struct ipc_namespace *ns, enum kind kind, __s32 id)
{
	struct kern_ipc_perm *perm;
	__u64 head;

	switch (kind) {
	case KIND_SEM: head = HEAD(ns, KIND_SEM); break;
	case KIND_MSG: head = HEAD(ns, KIND_MSG); break;
	default: head = HEAD(ns, KIND_SHM); break;
	}
	perm = object_at(head, id & INDEX);
	if (has_id(perm, id))
		return perm;
	perm = object_at(head, id & INDEX_EXTENDED);
	return has_id(perm, id) ? perm : NULL;
}

/*
 * IPC_RMID that went well. A segment is removed, or only marked because it is
 * attached: what is still there tells. What is there and not marked was not
 * removed: a seccomp filter gave the answer.
 */
static __always_inline int ctl_ends(const struct call *call, struct task_struct *task, long ret)
{
	__u32 command = call->kind == KIND_SEM ? call->args[2] : call->args[1];
	struct ipc_namespace *ns = namespace_of(task);
	struct home home = HOME(ns, TASK_READ);
	struct kern_ipc_perm *perm = NULL;
	__s32 id = call->args[0];
	struct event *e;

	if (ret || (command & ~IPC_64) != IPC_RMID || !watched(call->kind, home.inum))
		return 0;
	if (may_probe)
		perm = object_of(ns, call->kind, id);
	if (perm && (call->kind != KIND_SHM || !(PROBE(perm, mode) & SHM_DEST)))
		return 0;
	e = begin(perm || (call->kind == KIND_SHM && !may_probe) ? ACTION_MARK : ACTION_REMOVE, call->kind, home);
	if (!e)
		return 0;
	e->ret = id;
	e->known = 0;
	if (e->action == ACTION_REMOVE)
		e->cause = CAUSE_RMID;
	submit(e);
	return 0;
}

/* The inode number behind a descriptor, 0 where it cannot be read. */
static __always_inline __u64 inode_behind(struct task_struct *task, __u32 fd)
{
	struct file *file = file_of(task, fd);
	struct inode *inode = file ? PROBE(file, f_inode) : NULL;

	return inode ? PROBE(inode, i_ino) : 0;
}

/* Whether a namespace is as it was made: no object was made in it. */
static __always_inline bool is_untouched(struct ipc_namespace *ns)
{
	return TASK_READ(ns, ids[KIND_SEM].last_idx) == -1 && TASK_READ(ns, ids[KIND_MSG].last_idx) == -1 &&
	       TASK_READ(ns, ids[KIND_SHM].last_idx) == -1;
}

static __always_inline int unshare_ends(const struct call *call, struct task_struct *task, long ret)
{
	struct home none = {};

	if (ret || !(call->args[0] & CLONE_NEWIPC))
		return 0;
	if (filtered_by_seccomp(task) && !is_untouched(namespace_of(task)))
		return 0; /* the filter's answer: nothing was made */
	return tell_namespace(ACTION_NS_CREATE, home_of(task), none);
}

/*
 * setns(fd, type): type 0 takes a namespace of any type, and whether it was one
 * of IPC shows in the inode behind fd: numbers are shared by all types.
 */
static __always_inline int setns_done(const struct call *call, struct task_struct *task, long ret)
{
	struct home to = home_of(task);
	struct home none = {};

	if (ret)
		return 0;
	if (!((__u32)call->args[1] & CLONE_NEWIPC) &&
	    ((__u32)call->args[1] || inode_behind(task, call->args[0]) != to.inum))
		return 0;
	return tell_namespace(ACTION_NS_JOIN, to, none);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs___syscall *regs, long ret)
{
	struct call call = {};
	struct task_struct *task;

	if (!decode(&call, regs) || ret == -ENOSYS) /* ENOSYS: this kernel has no such call (x32) */
		return 0;
	task = current_task();
	switch (call.op) {
	case OP_GET: return get_ends(&call, task, ret);
	case OP_CTL: return ctl_ends(&call, task, ret);
	case OP_UNSHARE: return unshare_ends(&call, task, ret);
	case OP_SETNS: return setns_done(&call, task, ret);
	case OP_MQ_OPEN: return mq_open_ends((void *)call.args[0], call.args[1], call.args[2], ret, false);
	case OP_MQ_UNLINK: return mq_unlink_ends((void *)call.args[0], ret);
	default: return 0;
	}
}

/* clone and clone3: the child has its namespace and has not run yet. */
SEC("tp_btf/task_newtask")
int BPF_PROG(task_newtask, struct task_struct *task, __u64 flags)
{
	if (!(flags & CLONE_NEWIPC))
		return 0;
	return tell_namespace(ACTION_NS_CREATE, home_of(task), home_of(current_task()));
}
