package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// op does one thing; the Result is nil where it is no get call.
type op func(*options) (*Result, error)

func parseOp(s string) (op, error) {
	name, rest, _ := strings.Cut(s, ":")
	if name == "sysctl" {
		file, value, _ := strings.Cut(rest, "=")
		return func(*options) (*Result, error) {
			return nil, os.WriteFile("/proc/sys/kernel/"+file, []byte(value), 0)
		}, nil
	}
	numbers, err := parseNumbers(rest)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	if name == "seccomp" {
		return func(*options) (*Result, error) { return nil, refuseMsgget(uint32(numbers[0])) }, nil
	}
	if name == "uid" {
		return func(*options) (*Result, error) { return nil, become(uintptr(numbers[0])) }, nil
	}
	want := 3
	if name == "msgget" {
		want = 2
	}
	if len(numbers) != want {
		return nil, fmt.Errorf("%s: %d numbers, want %d", s, len(numbers), want)
	}
	r := Result{Call: name, Key: int32(numbers[0]), Flags: int32(numbers[want-1])}
	switch name {
	case "msgget":
	case "shmget":
		r.Size = uint64(numbers[1])
	case "semget":
		r.NSems = int32(numbers[1])
	default:
		return nil, fmt.Errorf("%s: unknown call", s)
	}
	return func(o *options) (*Result, error) { return o.call(r) }, nil
}

func parseNumbers(s string) ([]int64, error) {
	var numbers []int64
	for part := range strings.SplitSeq(s, ":") {
		n, err := strconv.ParseInt(part, 0, 64)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

func (o *options) call(r Result) (*Result, error) {
	args := []uintptr{uintptr(r.Key), uintptr(r.Flags)}
	switch r.Call {
	case "shmget":
		args = []uintptr{uintptr(r.Key), uintptr(r.Size), uintptr(r.Flags)}
	case "semget":
		args = []uintptr{uintptr(r.Key), uintptr(r.NSems), uintptr(r.Flags)}
	}
	id, errno, err := o.invoke(r.Call, args)
	if err != nil {
		return nil, err
	}
	r.ID, r.Errno = int32(id), int(errno)
	if errno != 0 {
		r.ID = -1
	}
	return &r, nil
}

// invoke makes the call by the ABI that was asked for.
func (o *options) invoke(call string, args []uintptr) (uintptr, syscall.Errno, error) {
	args = append(args, 0, 0, 0)
	if o.multiplex {
		number, ok := multiplexed[call]
		if !ok {
			return 0, 0, fmt.Errorf("no ipc(2) on %s", arch)
		}
		r, _, errno := syscall.Syscall6(sysIPC, number, args[0], args[1], args[2], 0, 0)
		return r, errno, nil
	}
	number := numbers[call]
	if o.x32 {
		number |= 0x40000000 // __X32_SYSCALL_BIT
	}
	r, _, errno := syscall.Syscall(number, args[0], args[1], args[2])
	return r, errno, nil
}

var numbers = map[string]uintptr{
	"msgget": unix.SYS_MSGGET,
	"shmget": unix.SYS_SHMGET,
	"semget": unix.SYS_SEMGET,
}

func (o *options) remove(made []Result) {
	for _, r := range made {
		switch r.Call {
		case "msgget":
			syscall.Syscall(unix.SYS_MSGCTL, uintptr(r.ID), unix.IPC_RMID, 0)
		case "shmget":
			syscall.Syscall(unix.SYS_SHMCTL, uintptr(r.ID), unix.IPC_RMID, 0)
		case "semget":
			syscall.Syscall(unix.SYS_SEMCTL, uintptr(r.ID), 0, unix.IPC_RMID)
		}
	}
}

// become changes the thread alone: other threads may still need their rights.
func become(id uintptr) error {
	for _, number := range []uintptr{setresgid, setresuid} {
		if _, _, errno := syscall.RawSyscall(number, id, id, id); errno != 0 {
			return fmt.Errorf("become uid %d: %w", id, errno)
		}
	}
	return nil
}
