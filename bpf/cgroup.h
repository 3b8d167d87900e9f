/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Which cgroups come to be: the path of one is gone with it, and an event has no more than its number. */
#ifndef IPCTRACE_CGROUP_H
#define IPCTRACE_CGROUP_H

#define CGROUP_PATH_LEN 1024 /* TRACE_CGROUP_PATH_LEN, kernel/cgroup/cgroup-internal.h */

/* A cgroup that was made. The record ends where the path does. */
struct cgroup_made {
	__u64 id;
	__u8 path[CGROUP_PATH_LEN]; /* from the root of the hierarchy, raw bytes */
};

/* A ring of its own: whoever has read an event can read of its cgroup, however full the other one is. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
	__type(value, struct cgroup_made);
} cgroups SEC(".maps");

/* The tracepoint runs under a lock for all CPUs (TRACE_CGROUP_PATH): one is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cgroup_made);
} making SEC(".maps");

__u64 cgroups_made; /* since the hook is attached, of cgroup v2 */
__u64 cgroups_lost; /* of these, found no room in the ring, or have a path that the kernel cut */

static __always_inline bool tell_cgroup(struct cgroup *cgroup, const char *path)
{
	__u32 zero = 0;
	struct cgroup_made *made = bpf_map_lookup_elem(&making, &zero);
	struct kernfs_node *node = cgroup->kn;
	long length;

	if (!made)
		return false;
	made->id = node->id;
	length = bpf_probe_read_kernel_str(made->path, sizeof(made->path), path);
	if (length < 2 || length >= CGROUP_PATH_LEN)
		return false;
	return !bpf_ringbuf_output(&cgroups, made, sizeof(made->id) + length - 1, BPF_RB_NO_WAKEUP);
}

/*
 * Before anybody can see the cgroup, still less be in it: cgroup_mkdir makes it
 * visible (kernfs_activate) afterwards. So it is told before any event from within.
 */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	struct cgroup_root *root = cgroup->root;

	if (root->hierarchy_id) /* of v1 */
		return 0;
	__sync_fetch_and_add(&cgroups_made, 1);
	if (!tell_cgroup(cgroup, path))
		__sync_fetch_and_add(&cgroups_lost, 1);
	return 0;
}

#endif
