// Package tracer sees who makes or opens which System V IPC object in which IPC
// namespace, in the kernel, as it happens.
//
// [Open] loads BPF programs and attaches them; [Tracer.Events] yields one
// [Event] for each msgget, shmget and semget that the filters in [Config] let
// through, whatever ABI it came by (64-bit, 32-bit, x32, the ipc(2)
// multiplexer). Everything an event says of its process was read in the kernel
// at the return of the call: the process may be gone when the event is read.
//
// # Tiers
//
// There are two sets of hooks. [Fentry] hooks the functions that every path
// ends in, knows for certain whether an object was made or found, and costs
// other system calls nothing. [Syscall] hooks the exit of every system call; it
// is for kernels that refuse the first, and says [ActionGet] where the
// arguments leave open whether the object was made or found. [Auto] takes the
// first that really attaches. [Tracer.Gaps] says what the one in use cannot see.
//
// # Loss
//
// The kernel counts, for each CPU, what the filters let through and what found
// no room in the ring buffer. A loss is told in its place among the events, as
// a [*Loss], and at every moment
//
//	Stats.Produced = Stats.Delivered + Stats.Lost + Stats.Pending
//
// where nothing is pending once Events has ended after [Tracer.Stop]. Apart from
// that, a kernel that preempts BPF programs may skip a hook now and then:
// Stats.Skipped and [ErrSkipped] say how often, which is the most that can be
// missing.
//
// # Rights
//
// CAP_BPF and CAP_PERFMON in the initial user namespace; before Linux 5.11 also
// enough RLIMIT_MEMLOCK for the ring buffer.
package tracer
