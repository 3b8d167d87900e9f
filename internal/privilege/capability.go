package privilege

import (
	"slices"
	"strings"

	"github.com/moby/sys/capability"
)

// Task is what a capability is for.
type Task string

// Tasks.
const (
	Tracing  Task = "trace"  // whatever traces, attaches
	Looking  Task = "look"   // into other IPC namespaces than this process's own
	Becoming Task = "user"   // start as root, and go on as somebody else
	Record   Task = "record" // a log
	Command  Task = "run"    // another program, and clean up after it
)

// Need is a capability, what it is for, and what is lost without it.
type Need struct {
	Cap     capability.Cap
	Task    Task
	For     string
	Running string // when it is kept after the hooks were attached
	Without string
}

// Needs is all that ipctrace uses of capabilities. The documents, the unit, the
// DaemonSet and what doctor says are held against it by tests.
var Needs = []Need{
	{
		capability.CAP_BPF, Tracing, "load the hooks", "before Linux 5.19, to read counters and list threads, unless CAP_SYS_ADMIN is kept",
		"nothing is traced",
	},
	{capability.CAP_PERFMON, Tracing, "load the hooks", "never", "nothing is traced"},
	{
		capability.CAP_SYS_ADMIN, Looking, "enter other IPC namespaces; list POSIX queues; make a namespace (prove, the self-test)", "with looks",
		"what is in other namespaces is known from its making on only: not what was there before, not how near its limits a namespace is, " +
			"and nothing is put right after a loss; POSIX queues are not listed",
	},
	{
		capability.CAP_SYS_PTRACE, Looking, "see where other users' processes, their descriptors and mounts are", "with looks",
		"before Linux 6.18 the namespaces of other users' processes are not looked into; before 6.19 those that only a descriptor holds are not found",
	},
	{
		capability.CAP_DAC_READ_SEARCH, Looking, "list other users' descriptors; name the cgroup of a process that is gone, where nobody told that it was made", "with looks",
		"the cgroup of a process that is gone has no name, where nobody told that it was made; before Linux 6.19 namespaces that only a descriptor holds are not found",
	},
	{capability.CAP_SETUID, Becoming, "become another user (serve --user)", "never", "serve goes on as who started it"},
	{capability.CAP_SETGID, Becoming, "leave its groups (serve --user)", "never", "serve goes on as who started it"},
	{
		capability.CAP_SETPCAP, Becoming, "empty the bounding set", "never",
		"the bounding set stays, of which no_new_privs lets nothing come",
	},
	{
		capability.CAP_SYS_NICE, Record, "read and write before others do (record --nice)", "never",
		"in a flood more events are lost",
	},
	{
		capability.CAP_SYS_RESOURCE, Tracing, "before Linux 5.11, raise RLIMIT_MEMLOCK", "never",
		"before Linux 5.11, the limit must be high enough: ulimit -l unlimited",
	},
	{capability.CAP_KILL, Command, "pass signals on to another user's command (run --user)", "with run", "they are not passed on"},
	{capability.CAP_FOWNER, Command, "remove other users' queues (run --cleanup)", "with run --cleanup", "they stay"},
	{capability.CAP_DAC_OVERRIDE, Command, "remove other users' queues (run --cleanup)", "with run --cleanup", "they stay"},
}

// For are the capabilities for some tasks, without those for old kernels alone.
func For(tasks ...Task) []capability.Cap {
	var caps []capability.Cap
	for _, n := range Needs {
		if n.Cap != capability.CAP_SYS_RESOURCE && slices.Contains(tasks, n.Task) {
			caps = append(caps, n.Cap)
		}
	}
	return caps
}

// Name is CAP_BPF and so on.
func Name(c capability.Cap) string { return "CAP_" + strings.ToUpper(c.String()) }

// Names are those of some, "none" if there are none.
func Names(caps []capability.Cap) string {
	if len(caps) == 0 {
		return "none"
	}
	names := make([]string, len(caps))
	for i, c := range caps {
		names[i] = Name(c)
	}
	return strings.Join(names, " ")
}
