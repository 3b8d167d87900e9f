package tracer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// hook is one program and what is lost without it.
type hook struct {
	program string
	instead string // program that does for it where BTF has its function twice; "": none
	without string // what is not seen when it cannot be had; "": the tier is nothing without it
}

// hooks in the order in which they are attached.
func (t Tier) hooks() []hook {
	if t == Syscall {
		return []hook{
			{program: ipctraceProgSysExit},
			{program: ipctraceProgTaskNewtask, without: "the birth of namespaces by clone and clone3"},
		}
	}
	const semget = "semget with an nsems out of range (EINVAL before ipcget) is not seen "
	hooks := []hook{
		{program: ipctraceProgNewqueExit},
		{program: ipctraceProgNewsegExit},
		{program: ipctraceProgNewaryExit},
		{program: ipctraceProgIpcgetExit},
	}
	hooks = append(hooks, lifeHooks()...)
	hooks = append(hooks, setnsHooks()...)
	return append(hooks, semgetHooks(semget)...)
}

// treeHooks follow processes, in either tier. First: what they see is asked by the others.
func treeHooks() []hook {
	return []hook{{program: ipctraceProgTreeFree}, {program: ipctraceProgTreeNewtask}}
}

// lifeHooks are those of the fentry tier that see more than get calls.
func lifeHooks() []hook {
	const (
		removals = "the removal of objects"
		marks    = "that an attached segment was marked for removal"
		forced   = "that a segment went because of shm_rmid_forced: told as a detach"
		births   = "the birth of namespaces"
		ends     = "the end of namespaces"
		queues   = "POSIX message queues: "
	)
	return []hook{
		// Before those that nest in them.
		{program: ipctraceProgFreeIpcsEntry, without: ends},
		{program: ipctraceProgFreeIpcsExit, without: ends},
		{program: ipctraceProgShmDestroyOrphanedEntry, without: forced},
		{program: ipctraceProgShmDestroyOrphanedExit, without: forced},
		{program: ipctraceProgIpcRmidEntry, without: removals},
		{program: ipctraceProgIpcSetKeyPrivateEntry, without: marks},
		{program: ipctraceProgCopyIpcsExit, without: births},
		{program: ipctraceProgMqClearSbinfoEntry, without: queues + "their end with a namespace"},
		{program: ipctraceProgMqueueCreateAttrExit, without: queues + "their creation"},
		{program: ipctraceProgDoMqOpenExit, without: queues + "who opens them"},
		{program: ipctraceProgMqueueUnlinkExit, without: queues + "that they are unlinked"},
		{program: ipctraceProgMqueueEvictInodeEntry, without: queues + "their end"},
	}
}

// unseen is what a tier cannot see on this kernel however well it attaches.
func (t Tier) unseen() []string {
	gaps := []string{"the opening of a POSIX queue as a file of a mounted mqueue filesystem"}
	if t == Syscall {
		gaps = append(gaps,
			"whether IPC_CREAT without IPC_EXCL made the object or found it: told as object.get",
			"whether the kernel or a seccomp filter answered a get call, setns, mq_unlink, IPC_RMID of what is not there, or unshare where no object ever was: it looks the same",
			"the last detach of a marked segment, what shm_rmid_forced removes, the end of a namespace: found out late, by looking",
			"from which namespace unshare and setns came",
			"POSIX queues made or unlinked as files of a mounted mqueue filesystem: found out late, by looking",
			"when an unlinked POSIX queue ends, at its last close")
	}
	if !haveNamespaceIDs() {
		gaps = append(gaps, "after a loss, that an inode number is of another namespace than before: this kernel has no namespace ids (6.18 has)")
	}
	if lockedDown() {
		gaps = append(gaps,
			"the number a process has in an inner pid namespace (ns_pid): lockdown=confidentiality",
			"what POSIX queues are, and whose, where they are used as files: lockdown=confidentiality")
		if t == Syscall {
			gaps = append(gaps, "whether IPC_RMID removed a segment or marked it: told as object.mark (lockdown=confidentiality)")
		} else {
			gaps = append(gaps, "the namespace of a segment that was detached last from another one: lockdown=confidentiality")
		}
	}
	return gaps
}

// Hook is a place in the kernel, and how trying it went.
type Hook struct {
	Tier     Tier   // Auto: either uses it
	Function string // the kernel's function or tracepoint
	At       string // of a function "entry" or "exit"; "" of a tracepoint
	Err      error  // nil: loaded and attached
	Without  string // what is not seen without it; "": its tier is nothing without it
}

// Probe loads and attaches every hook of every tier, one by one, and detaches it
// again. A check for features or a load that went well would prove nothing:
// arm64 before 6.4 loads fexit programs and refuses to attach them. Records
// nothing. The error is ErrNoBTF or ErrPrivilege, when no hook could be tried.
func Probe() ([]Hook, error) {
	l, err := newLoader(Config{RingBytes: 1 << 16})
	if err != nil {
		return nil, err
	}
	defer l.close()
	var tried []Hook
	try := func(tier Tier, hooks []hook) {
		for _, h := range hooks {
			function, at, err := l.try(h)
			tried = append(tried, Hook{Tier: tier, Function: function, At: at, Err: err, Without: h.without})
		}
	}
	try(Auto, cgroupHooks())
	for _, tier := range []Tier{Fentry, Syscall} {
		try(tier, tier.hooks())
	}
	return tried, nil
}

// find looks for what a program attaches to: a function, or a tracepoint, which
// BTF has as a type of its own (DEFINE_EVENT's btf_trace_##call, include/trace/bpf_probe.h).
func find(kernel *btf.Spec, program *ebpf.ProgramSpec) error {
	if program.AttachType == ebpf.AttachTraceRawTp {
		var tracepoint *btf.Typedef
		return kernel.TypeByName("btf_trace_"+program.AttachTo, &tracepoint)
	}
	var function *btf.Func
	return kernel.TypeByName(program.AttachTo, &function)
}

// reason puts an EPERM in plain words: the library takes it for a matter of
// RLIMIT_MEMLOCK, of which Open has taken care. What the verifier said against a
// program stays as it is.
func reason(err error) error {
	if errors.Is(err, unix.EPERM) {
		return errRefused
	}
	return err
}

var errRefused = fmt.Errorf("this kernel refuses such programs (%w)", unix.EPERM)
