// Package nsresolve tells who is in an IPC namespace, what to call it, what
// keeps it alive, and how the namespaces of two processes differ.
//
// A [Resolver] has two ways of looking. [Resolver.Scan] looks once at every
// thread, mount table and descriptor, and returns all it found.
// [Resolver.Lookup] is for a stream of events: it answers from a cache, and
// looks only for a namespace it does not know yet, and never more often than
// [Options.MinInterval]. All methods may be called concurrently.
//
// To look is to walk /proc, or to ask [Options.Tasks] and [Options.Descriptors],
// which on a large machine is many times quicker and reads nothing in /proc of
// processes that are in no way special.
//
// [Resolver.Open] opens what was found, and [Alive] tells whether it still is.
//
// # Names
//
// [Namespace.Label] is the best known name:
//
//   - "host" for the initial namespace;
//   - runtime and id ("docker:4f797c539e6c") where the cgroup of every process
//     in it names a container. Where they name several, as in a Kubernetes pod,
//     the oldest process decides. Where no process is known, the maker's cgroup
//     does. Hexadecimal ids are cut to 12 characters, names are kept whole. Where
//     Options.ContainerName knows what it is called, that stands for the id;
//   - "comm[pid]" of the process that made it, or of the oldest in it;
//   - "mount:/path" or "fd of comm[pid]" where only a pin holds it;
//   - "?" where nothing is known.
//
// A label can get better: a process that calls unshare and then executes a
// shell is looked at again a second later.
//
// # Cgroups
//
// An event says no more of a cgroup than its number, whose path is gone with it. So
// [Resolver.ReadCgroups] takes note of those that there are, and [Resolver.NoteCgroup]
// of one that is made, of which tracer.Config.Cgroup tells.
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
// What only these hold is found on Linux 6.19 and up, without its pins: listns(2)
// names it. (Options.Descriptors sees a thread's own table too.)
// An attached shared memory segment does keep its namespace alive; it is not a
// pin here, because nothing in /proc says which namespace a segment is from, and
// what nothing else holds is not found at all: listns leaves it out.
// A process that is born or moves during a walk may be missed by it.
package nsresolve
