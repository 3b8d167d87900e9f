/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* POSIX message queues: files of a filesystem that each IPC namespace has (ipc/mqueue.c). */
#ifndef IPCTRACE_QUEUE_H
#define IPCTRACE_QUEUE_H

/* include/uapi/asm-generic/fcntl.h */
#define O_CREAT 0100
#define O_EXCL 0200

/*
 * Threads between the making of an object and the return of the call around it,
 * and the id they made. An entry lives for a few instructions, so there are at
 * most as many as there are threads inside such calls.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __s32);
} creating SEC(".maps");

/* Whether the system call is mq_open. */
static __always_inline bool is_mq_open(struct entry entry)
{
	switch (entry.abi) {
	case ABI_I386: return entry.nr == 277;
	case ABI_ARM64: return entry.nr == 180;
	case ABI_ARM32: return entry.nr == 274;
	default: return entry.nr == 240;
	}
}

#define SOME_QUEUE (-1) /* queues have no id */

static __always_inline void note_created(__s32 id)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	bpf_map_update_elem(&creating, &tid, &id, BPF_ANY);
}

/* Whether this thread made id inside the call that is returning. */
static __always_inline bool take_created(__s32 id)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	__s32 *made = bpf_map_lookup_elem(&creating, &tid);
	bool created = made && *made == id;

	if (made)
		bpf_map_delete_elem(&creating, &tid);
	return created;
}

static __always_inline struct mq_event *begin_queue(enum action action, struct home home)
{
	__u64 lost;
	struct mq_event *q = reserve(sizeof(*q), &lost);

	if (!q)
		return NULL;
	fill(&q->event, lost, action, KIND_MQ, home, entry_of(current_task()));
	q->ino = 0;
	q->maxmsg = -1;
	q->msgsize = -1;
	q->mode = -1;
	q->pad = 0;
	q->name[0] = 0;
	return q;
}

/* What the queue behind inode is. */
static __always_inline void describe(struct mq_event *q, struct inode *inode)
{
	struct mqueue_inode_info *info = (void *)inode - bpf_core_field_offset(struct mqueue_inode_info, vfs_inode);

	if (!may_probe || !inode)
		return;
	q->ino = PROBE(inode, i_ino);
	q->event.owner = PROBE(inode, i_uid.val);
	q->event.group = PROBE(inode, i_gid.val);
	q->mode = PROBE(inode, i_mode) & 0777;
	q->maxmsg = PROBE(info, attr.mq_maxmsg);
	q->msgsize = PROBE(info, attr.mq_msgsize);
}

static __always_inline void read_name(struct mq_event *q, struct dentry *dentry)
{
	if (may_probe && bpf_probe_read_kernel_str(q->name, sizeof(q->name), PROBE(dentry, d_name.name)) < 0)
		q->name[0] = 0;
}

static __always_inline void read_user_name(struct mq_event *q, const void *name)
{
	if (bpf_probe_read_user_str(q->name, sizeof(q->name), name) < 0)
		q->name[0] = 0;
}

/* The file behind a descriptor, NULL where it cannot be read. */
static __always_inline struct file *file_of(struct task_struct *task, __u32 fd)
{
	struct files_struct *files = TASK_READ(task, files);
	struct file *file = NULL;
	struct fdtable *table;

	if (!may_probe)
		return NULL;
	table = PROBE(files, fdt);
	if (fd < PROBE(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), PROBE(table, fd) + fd);
	return file;
}

/* A queue of the task's own namespace that it has open, NULL where it cannot be read or is none. */
static __always_inline struct file *queue_of(struct task_struct *task, __u32 fd)
{
	struct file *file = file_of(task, fd);
	struct inode *inode = file ? PROBE(file, f_inode) : NULL;
	struct super_block *filesystem = inode ? PROBE(inode, i_sb) : NULL;

	if (!filesystem || PROBE(filesystem, s_fs_info) != namespace_of(task))
		return NULL;
	return file;
}

/*
 * The oflag of the current mq_open, for the functions inside it that are not
 * given it.
 */
static __always_inline __s32 oflag_of(struct entry entry)
{
#if defined(__TARGET_ARCH_x86)
	return entry.abi == ABI_I386 ? REG(current_task(), cx) : REG(current_task(), si);
#else
	return REG(current_task(), regs[1]);
#endif
}

/* mq_open by the current task: what it found, in its own namespace. */
static __always_inline int mq_open_ends(const void *name, __s32 flags, __u32 mode, long ret, bool hooked)
{
	struct task_struct *task = current_task();
	struct home home = home_of(task);
	enum action action = ACTION_OPEN;
	struct file *file = ret < 0 ? NULL : queue_of(task, ret);
	struct mq_event *q;

	if (hooked && take_created(SOME_QUEUE) && ret >= 0)
		return 0; /* told by mqueue_create_attr */
	if (!wanted(KIND_MQ, home.inum, !hooked && ret >= 0 && flags & O_CREAT))
		return 0;
	if (!hooked && may_probe && ret >= 0 && !file && filtered_by_seccomp(task))
		return 0; /* the filter's answer: it opened nothing */
	if (ret < 0)
		action = ACTION_FAIL;
	else if (!hooked && flags & O_CREAT)
		action = flags & O_EXCL ? ACTION_CREATE : ACTION_GET;
	q = begin_queue(action, home);
	if (!q)
		return 0;
	q->event.flags = flags;
	q->event.ret = ret;
	if (file) {
		describe(q, PROBE(file, f_inode));
		read_name(q, PROBE(file, f_path.dentry));
	} else {
		q->mode = flags & O_CREAT ? mode & 0777 : 0;
		read_user_name(q, name);
	}
	submit(q);
	return 0;
}

/* mq_unlink in the syscall tier. The queue lives until the last has closed it. */
static __always_inline int mq_unlink_ends(const void *name, long ret)
{
	struct home home = home_of(current_task());
	struct mq_event *q;

	if (ret || !watched(KIND_MQ, home.inum))
		return 0;
	q = begin_queue(ACTION_MARK, home);
	if (!q)
		return 0;
	q->event.known = 0;
	read_user_name(q, name);
	submit(q);
	return 0;
}

/* --- tier fentry ------------------------------------------------------- */

/*
 * The namespaces that were the end of, by the filesystem (its address) that each
 * had: it outlives them while it is mounted, or a queue of it is open.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct home);
} ended SEC(".maps");

/* Before the filesystem forgets whose it is: put_ipc_ns, ipc/namespace.c. */
SEC("fentry/mq_clear_sbinfo")
int BPF_PROG(mq_clear_sbinfo_entry, struct ipc_namespace *ns)
{
	__u64 filesystem = (__u64)ns->mq_mnt->mnt_sb;
	struct home home = HOME(ns, LOAD);

	if (live)
		bpf_map_update_elem(&ended, &filesystem, &home, BPF_ANY);
	return 0;
}

/* The namespace of a queue's filesystem; over: that has ended. */
static __always_inline struct home home_of_queue(struct super_block *filesystem, bool *over)
{
	__u64 ns = (__u64)filesystem->s_fs_info;
	__u64 address = (__u64)filesystem;
	struct home none = {};
	struct home *found;

	*over = !ns;
	if (ns)
		return home_at(ns);
	found = bpf_map_lookup_elem(&ended, &address);
	return found ? *found : none;
}

/* Makes a queue: by mq_open, or as a file of a mounted filesystem. */
SEC("fexit/mqueue_create_attr")
int BPF_PROG(mqueue_create_attr_exit, struct dentry *dentry, unsigned short mode, void *attr, int ret)
{
	struct entry entry = entry_of(current_task());
	bool by_open = is_mq_open(entry);
	struct mq_event *q;
	struct home home;
	bool over;

	if (ret && by_open)
		return 0; /* do_mq_open fails too, and tells */
	home = home_of_queue(dentry->d_sb, &over);
	if (live && !ret && by_open)
		note_created(SOME_QUEUE);
	if (!wanted(KIND_MQ, home.inum, false))
		return 0;
	q = begin_queue(ret ? ACTION_FAIL : ACTION_CREATE, home);
	if (!q)
		return 0;
	own(&q->event);
	q->event.flags = by_open ? oflag_of(entry) : O_CREAT;
	q->event.ret = ret;
	if (!ret)
		describe(q, dentry->d_inode);
	read_name(q, dentry);
	submit(q);
	return 0;
}

SEC("fexit/do_mq_open")
int BPF_PROG(do_mq_open_exit, const void *name, int flags, unsigned short mode, void *attr, int ret)
{
	return mq_open_ends(name, flags, mode, ret, true);
}

SEC("fexit/mqueue_unlink")
int BPF_PROG(mqueue_unlink_exit, struct inode *dir, struct dentry *dentry, int ret)
{
	struct mq_event *q;
	struct home home;
	bool over;

	if (ret)
		return 0;
	home = home_of_queue(dentry->d_sb, &over);
	if (!watched(KIND_MQ, home.inum))
		return 0;
	q = begin_queue(ACTION_MARK, home);
	if (!q)
		return 0;
	q->event.known = may_probe;
	describe(q, dentry->d_inode);
	q->event.flags = q->mode;
	read_name(q, dentry);
	submit(q);
	return 0;
}

/*
 * The end of a queue: the last has closed it, or its namespace ended. Also of
 * what never became one, because mqueue_get_inode failed: that has links, and
 * its namespace lives.
 */
SEC("fentry/mqueue_evict_inode")
int BPF_PROG(mqueue_evict_inode_entry, struct inode *inode)
{
	bool over, unlinked = !inode->i_nlink;
	struct mq_event *q;
	struct home home;

	if ((inode->i_mode & S_IFMT) != S_IFREG)
		return 0;
	home = home_of_queue(inode->i_sb, &over);
	if ((!unlinked && !over) || !watched(KIND_MQ, home.inum))
		return 0;
	q = begin_queue(ACTION_REMOVE, home);
	if (!q)
		return 0;
	q->event.known = may_probe;
	describe(q, inode);
	q->event.flags = q->mode;
	q->event.cause = unlinked ? CAUSE_UNLINK : CAUSE_NAMESPACE;
	submit(q);
	return 0;
}

#endif
