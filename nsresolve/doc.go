// Package nsresolve tells who is in an IPC namespace, what to call it, what
// keeps it alive, and how the namespaces of two processes differ.
//
// A [Resolver] has two ways of looking. [Resolver.Scan] walks /proc once, with
// every thread, mount table and descriptor, and returns all it found.
// [Resolver.Lookup] is for a stream of events: it answers from a cache, and
// walks /proc only for a namespace it does not know yet, and never more often
// than [Options.MinInterval]. All methods may be called concurrently.
//
// # Names
//
// [Namespace.Label] is the best known name:
//
//   - "host" for the initial namespace;
//   - runtime and id ("docker:4f797c539e6c") where the cgroup of every process
//     in it names a container. Where they name several, as in a Kubernetes pod,
//     the oldest process decides. Where no process is known, the maker's cgroup
//     does. Hexadecimal ids are cut to 12 characters, names are kept whole;
//   - "comm[pid]" of the process that made it, or of the oldest in it;
//   - "mount:/path" or "fd of comm[pid]" where only a pin holds it;
//   - "?" where nothing is known.
//
// A label can get better: a process that calls unshare and then executes a
// shell is looked at again a second later.
//
// # Untrusted text
//
// Comms, paths and cgroups are whatever bytes the kernel gave, bounded in size
// but not escaped: they can hold newlines, terminal controls and invalid UTF-8.
// Labels are made of them. Escape them before they reach a terminal or a page.
//
// # Rights
//
// Reading the links of other users' processes takes CAP_SYS_PTRACE, and listing
// their descriptors CAP_DAC_READ_SEARCH as well. What was refused is counted in
// [Snapshot.Unreadable] and [Snapshot.UnreadableFDs]. Processes that a /proc
// mounted with hidepid=invisible does not list cannot even be counted.
//
// # What cannot be seen
//
// /proc does not show a descriptor in flight in a socket, a descriptor table
// that a thread keeps to itself, or a mount in a mount namespace nobody is in.
// An attached shared memory segment does keep its namespace alive too; it is not
// a pin here, because nothing in /proc says which namespace a segment is from.
// A process that is born or moves during a walk may be missed by it.
package nsresolve
