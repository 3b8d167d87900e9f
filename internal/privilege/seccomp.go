package privilege

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// never are system calls that nothing in ipctrace makes once it is attached: what
// takes other processes over, changes the machine, or has a history of holes.
var never = append([]int{
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE,
	unix.SYS_PIDFD_GETFD, unix.SYS_KCMP,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT,
	unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR, unix.SYS_MOUNT_SETATTR, unix.SYS_FSPICK, unix.SYS_UNSHARE,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SYSLOG, unix.SYS_VHANGUP, unix.SYS_PERSONALITY,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	// With CAP_SYS_ADMIN it gives descriptors of what others open, to write too.
	unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_MKNODAT,
}, neverHere...)

// The rest may be needed.
var (
	executing = []int{unix.SYS_EXECVE, unix.SYS_EXECVEAT}
	looking   = []int{unix.SYS_SETNS, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT}
)

// reading are the commands of bpf(2) that make nothing: maps are read, and threads
// are listed, through what was loaded.
var reading = []uint32{
	unix.BPF_MAP_LOOKUP_ELEM, unix.BPF_MAP_UPDATE_ELEM, unix.BPF_MAP_DELETE_ELEM, unix.BPF_MAP_GET_NEXT_KEY,
	unix.BPF_MAP_LOOKUP_BATCH, unix.BPF_OBJ_GET_INFO_BY_FD, unix.BPF_ITER_CREATE,
}

// typing are the commands of ioctl(2) that put words into the mouth of who sits at the
// terminal that this process was started from: root, where there is a user to become.
var typing = []uint32{unix.TIOCSTI, unix.TIOCLINUX}

// namespaces are the flags of clone(2) that make new ones.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Offsets in struct seccomp_data, of little-endian machines.
const (
	callOffset = 0
	archOffset = 4
	argsOffset = 16
)

const x32 = 0x40000000 // __X32_SYSCALL_BIT

func ret(action uint32) bpf.Instruction { return bpf.RetConstant{Val: action} }

func fail(errno unix.Errno) bpf.Instruction { return ret(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

var allow = ret(unix.SECCOMP_RET_ALLOW)

func load(offset uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offset, Size: 4} }

// argument loads one, of which the lower half counts: it is an int of the kernel's.
func argument(n uint32) bpf.Instruction { return load(argsOffset + 8*n) }

// when is what follows if that which was loaded compares so.
func when(compare bpf.JumpTest, value uint32, then ...bpf.Instruction) []bpf.Instruction {
	return append([]bpf.Instruction{bpf.JumpIf{Cond: compare, Val: value, SkipFalse: uint8(len(then))}}, then...)
}

// program is the filter. Calls by another ABI than this program's own are refused:
// their numbers mean other calls.
func program(cfg Config) []bpf.Instruction {
	p := append([]bpf.Instruction{load(archOffset)}, when(bpf.JumpNotEqual, auditArch, fail(unix.EPERM))...)
	p = append(p, load(callOffset))
	p = append(p, when(bpf.JumpGreaterOrEqual, x32, fail(unix.ENOSYS))...)
	for _, nr := range cfg.refused() {
		p = append(p, when(bpf.JumpEqual, uint32(nr), fail(unix.EPERM))...)
	}
	// What clone3 is asked for is in memory, where a filter cannot look. The C library
	// then calls clone.
	p = append(p, when(bpf.JumpEqual, unix.SYS_CLONE3, fail(unix.ENOSYS))...)
	p = append(p, when(bpf.JumpEqual, unix.SYS_CLONE,
		append(append([]bpf.Instruction{argument(0)}, when(bpf.JumpBitsSet, namespaces, fail(unix.EPERM))...), allow)...)...)
	if cfg.Looks {
		p = append(p, when(bpf.JumpEqual, unix.SYS_SETNS,
			append(append([]bpf.Instruction{argument(1)}, when(bpf.JumpEqual, unix.CLONE_NEWIPC, allow)...), fail(unix.EPERM))...)...)
	}
	terminal := []bpf.Instruction{argument(1)}
	for _, c := range typing {
		terminal = append(terminal, when(bpf.JumpEqual, c, fail(unix.EPERM))...)
	}
	p = append(p, when(bpf.JumpEqual, unix.SYS_IOCTL, append(terminal, allow)...)...)
	commands := []bpf.Instruction{argument(0)}
	for _, c := range reading {
		commands = append(commands, when(bpf.JumpEqual, c, allow)...)
	}
	p = append(p, when(bpf.JumpEqual, unix.SYS_BPF, append(commands, fail(unix.EPERM))...)...)
	return append(p, allow)
}

// refused are the numbers of the calls that are.
func (c Config) refused() []int {
	calls := slices.Clone(never)
	if !c.Exec {
		calls = append(calls, executing...)
	}
	if !c.Looks {
		calls = append(calls, looking...)
	}
	return calls
}

// filter has the kernel refuse calls of all threads, and say so in its audit log.
func filter(cfg Config) error {
	raw, err := bpf.Assemble(program(cfg))
	if err != nil {
		return err
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	const flags = unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_LOG
	other, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	switch {
	case errno != 0:
		return fmt.Errorf("set it: %w", errno)
	case other != 0:
		return fmt.Errorf("thread %d has another one", other)
	}
	return nil
}

// haveFilters asks whether the kernel knows the answer that this filter gives.
func haveFilters() bool {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0
}
