package tracer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
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
		return []hook{{program: ipctraceProgSysExit}}
	}
	const semget = "semget with an nsems out of range (EINVAL before ipcget) is not seen "
	hooks := []hook{
		{program: ipctraceProgNewqueExit},
		{program: ipctraceProgNewsegExit},
		{program: ipctraceProgNewaryExit},
		{program: ipctraceProgIpcgetExit},
	}
	return append(hooks, semgetHooks(semget)...)
}

// unseen is what a tier cannot see on this kernel however well it attaches.
func (t Tier) unseen() []string {
	var gaps []string
	if t == Syscall {
		gaps = append(gaps,
			"whether IPC_CREAT without IPC_EXCL made the object or found it: told as object.get",
			"whether the kernel or a seccomp filter answered a call: a filter's answer looks the same")
	}
	if !haveNamespaceIDs() {
		gaps = append(gaps, "that an inode number is of another namespace than before: this kernel has no namespace ids (6.18 has)")
	}
	if lockedDown() {
		gaps = append(gaps, "the number a process has in an inner pid namespace (ns_pid): lockdown=confidentiality")
	}
	return gaps
}

// Hook is a place in the kernel, and how trying it went.
type Hook struct {
	Tier     Tier
	Function string // the kernel's function or tracepoint
	Err      error  // nil: loaded and attached
	Without  string // what is not seen without it; "": its tier is nothing without it
}

// Probe loads and attaches every hook of every tier, one by one, and detaches it
// again. A check for features or a load that went well would prove nothing:
// arm64 before 6.4 loads fexit programs and refuses to attach them. Records
// nothing. The error is ErrNoBTF or ErrPrivilege, when no hook could be tried.
func Probe() ([]Hook, error) {
	if err := preflight(); err != nil {
		return nil, err
	}
	var tried []Hook
	for _, tier := range []Tier{Fentry, Syscall} {
		for _, h := range tier.hooks() {
			function, err := try(h)
			tried = append(tried, Hook{Tier: tier, Function: function, Err: err, Without: h.without})
		}
	}
	return tried, nil
}

func try(h hook) (function string, err error) {
	spec, err := loadIpctrace()
	if err != nil {
		return "", err
	}
	function = spec.Programs[h.program].AttachTo
	have, _ := present(spec, []hook{h})
	if len(have) == 0 {
		return function, errors.New("this kernel does not have it")
	}
	cfg := Config{RingBytes: 1 << 16}
	if err := cfg.apply(spec); err != nil {
		return function, err
	}
	keepOnly(spec, have)
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return function, reason(err)
	}
	defer coll.Close()
	l, err := attach(spec, coll, have[0])
	if err != nil {
		return function, reason(err)
	}
	return function, l.Close()
}

func attach(spec *ebpf.CollectionSpec, coll *ebpf.Collection, h hook) (link.Link, error) {
	program, to := coll.Programs[h.program], spec.Programs[h.program].AttachTo
	var l link.Link
	var err error
	if program.Type() == ebpf.Kprobe {
		l, err = link.Kprobe(to, program, nil)
	} else {
		l, err = link.AttachTracing(link.TracingOptions{Program: program})
	}
	if err != nil {
		return nil, fmt.Errorf("attach %s: %w", to, err)
	}
	return l, nil
}

func keepOnly(spec *ebpf.CollectionSpec, hooks []hook) {
	programs := make(map[string]*ebpf.ProgramSpec, len(hooks))
	for _, h := range hooks {
		programs[h.program] = spec.Programs[h.program]
	}
	spec.Programs = programs
}

// present splits hooks into those whose function this kernel has, by the program
// that fits, and what is missed without the others.
func present(spec *ebpf.CollectionSpec, hooks []hook) (have []hook, gaps []string) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return hooks, nil // loading will say it better
	}
	for _, h := range hooks {
		var function *btf.Func
		to := spec.Programs[h.program].AttachTo
		err := kernel.TypeByName(to, &function)
		switch {
		case errors.Is(err, btf.ErrNotFound) && h.without != "":
			gaps = append(gaps, fmt.Sprintf("%s: this kernel has no %s", h.without, to))
			continue
		case errors.Is(err, btf.ErrMultipleMatches) && h.instead != "":
			h.program = h.instead
		}
		have = append(have, h)
	}
	return have, gaps
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
