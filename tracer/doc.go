// Package tracer sees, in the kernel and as it happens, who makes, opens and
// removes which IPC object in which IPC namespace, and how namespaces come and go.
//
// [Open] loads BPF programs and attaches them; [Tracer.Events] yields one
// [Event] for each thing that happens and that the filters in [Config] let
// through: calls of msgget, shmget, semget and mq_open, whatever ABI they came by
// (64-bit, 32-bit, x32, the ipc(2) multiplexer); marks and removals of objects;
// births, joins and ends of namespaces. Everything an event says of its process
// was read in the kernel at that moment: the process may be gone when the event
// is read. [Tasks] and [Descriptors] list who is in which namespace now.
//
// # Tiers
//
// There are two sets of hooks. [Fentry] hooks the functions that every path
// ends in, knows for certain what happened and why, and costs other system calls
// nothing. [Syscall] hooks the exit of every system call; it is for kernels that
// refuse the first. It says [ActionGet] where the arguments leave open whether an
// object was made or found, and sees of what ends only what a call asked for: not
// the last detach of a segment, nor the end of a namespace. [Auto] takes the
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
