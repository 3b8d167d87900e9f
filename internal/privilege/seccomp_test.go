package privilege

import (
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestProgram: what the filter says of calls, also by other ABIs.
func TestProgram(t *testing.T) {
	const other = 0x40000003 // AUDIT_ARCH_I386
	var (
		yes     = uint32(unix.SECCOMP_RET_ALLOW)
		no      = uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
		unknown = uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.ENOSYS)
	)
	for _, test := range []struct {
		name string
		cfg  Config
		arch uint32
		nr   uint32
		args [6]uint64
		want uint32
	}{
		{"read", Config{}, auditArch, unix.SYS_READ, [6]uint64{}, yes},
		{"read by another ABI", Config{}, other, 3, [6]uint64{}, no},
		{"execve by another ABI", Config{Exec: true}, other, 11, [6]uint64{}, no},
		{"x32", Config{}, auditArch, x32 | 1, [6]uint64{}, unknown},
		{"execve", Config{}, auditArch, unix.SYS_EXECVE, [6]uint64{}, no},
		{"execveat", Config{}, auditArch, unix.SYS_EXECVEAT, [6]uint64{}, no},
		{"execve asked for", Config{Exec: true}, auditArch, unix.SYS_EXECVE, [6]uint64{}, yes},
		{"ptrace", Config{Looks: true, Exec: true}, auditArch, unix.SYS_PTRACE, [6]uint64{}, no},
		{"setns", Config{}, auditArch, unix.SYS_SETNS, [6]uint64{3, unix.CLONE_NEWIPC}, no},
		{"setns to look", Config{Looks: true}, auditArch, unix.SYS_SETNS, [6]uint64{3, unix.CLONE_NEWIPC}, yes},
		{"setns elsewhere", Config{Looks: true}, auditArch, unix.SYS_SETNS, [6]uint64{3, unix.CLONE_NEWNET}, no},
		{"setns anywhere", Config{Looks: true}, auditArch, unix.SYS_SETNS, [6]uint64{3, 0}, no},
		{"fsopen", Config{}, auditArch, unix.SYS_FSOPEN, [6]uint64{}, no},
		{"fsopen to look", Config{Looks: true}, auditArch, unix.SYS_FSOPEN, [6]uint64{}, yes},
		{"a thread", Config{}, auditArch, unix.SYS_CLONE, [6]uint64{unix.CLONE_VM | unix.CLONE_THREAD}, yes},
		{"a namespace", Config{Looks: true}, auditArch, unix.SYS_CLONE, [6]uint64{unix.CLONE_NEWUSER}, no},
		{"clone3", Config{}, auditArch, unix.SYS_CLONE3, [6]uint64{}, unknown},
		{"size of a terminal", Config{}, auditArch, unix.SYS_IOCTL, [6]uint64{0, unix.TIOCGWINSZ}, yes},
		{"type into a terminal", Config{Looks: true, Exec: true}, auditArch, unix.SYS_IOCTL, [6]uint64{0, unix.TIOCSTI}, no},
		{"type, high half", Config{}, auditArch, unix.SYS_IOCTL, [6]uint64{0, unix.TIOCSTI | 1<<32}, no},
		{"paste", Config{}, auditArch, unix.SYS_IOCTL, [6]uint64{0, unix.TIOCLINUX}, no},
		{"copy a mount", Config{Looks: true}, auditArch, unix.SYS_OPEN_TREE_ATTR, [6]uint64{}, no},
		{"files that others open", Config{Looks: true}, auditArch, unix.SYS_FANOTIFY_INIT, [6]uint64{}, no},
		{"read a map", Config{}, auditArch, unix.SYS_BPF, [6]uint64{unix.BPF_MAP_LOOKUP_ELEM}, yes},
		{"list threads", Config{}, auditArch, unix.SYS_BPF, [6]uint64{unix.BPF_ITER_CREATE}, yes},
		{"load", Config{Looks: true}, auditArch, unix.SYS_BPF, [6]uint64{unix.BPF_PROG_LOAD}, no},
		{"load, high half", Config{}, auditArch, unix.SYS_BPF, [6]uint64{unix.BPF_PROG_LOAD | 1<<32}, no},
		{"attach", Config{}, auditArch, unix.SYS_BPF, [6]uint64{unix.BPF_LINK_CREATE}, no},
		{"make a map", Config{}, auditArch, unix.SYS_BPF, [6]uint64{unix.BPF_MAP_CREATE}, no},
	} {
		if got := verdict(t, program(test.cfg), test.arch, test.nr, test.args); got != test.want {
			t.Errorf("%s: %#x, want %#x", test.name, got, test.want)
		}
	}
	if _, err := bpf.Assemble(program(Config{})); err != nil {
		t.Error(err)
	}
}

// verdict runs a filter as the kernel does, on a struct seccomp_data.
func verdict(t *testing.T, program []bpf.Instruction, arch, nr uint32, args [6]uint64) uint32 {
	t.Helper()
	words := map[uint32]uint32{0: nr, 4: arch}
	for i, a := range args {
		words[16+8*uint32(i)], words[20+8*uint32(i)] = uint32(a), uint32(a>>32)
	}
	var loaded uint32
	for i := 0; i < len(program); i++ {
		switch in := program[i].(type) {
		case bpf.LoadAbsolute:
			loaded = words[in.Off]
		case bpf.JumpIf:
			holds := map[bpf.JumpTest]bool{
				bpf.JumpEqual: loaded == in.Val, bpf.JumpNotEqual: loaded != in.Val,
				bpf.JumpGreaterOrEqual: loaded >= in.Val, bpf.JumpBitsSet: loaded&in.Val != 0,
			}[in.Cond]
			if holds {
				i += int(in.SkipTrue)
			} else {
				i += int(in.SkipFalse)
			}
		case bpf.RetConstant:
			return in.Val
		default:
			t.Fatalf("%T", in)
		}
	}
	t.Fatal("no verdict")
	return 0
}
