package main

import (
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var numbers = map[string]uintptr{
	"msgget": unix.SYS_MSGGET, "msgctl": unix.SYS_MSGCTL,
	"shmget": unix.SYS_SHMGET, "shmctl": unix.SYS_SHMCTL, "shmat": unix.SYS_SHMAT, "shmdt": unix.SYS_SHMDT, "munmap": unix.SYS_MUNMAP,
	"semget": unix.SYS_SEMGET, "semctl": unix.SYS_SEMCTL,

	"mq_open": unix.SYS_MQ_OPEN, "mq_unlink": unix.SYS_MQ_UNLINK, "mq_timedsend": unix.SYS_MQ_TIMEDSEND,
	"close": unix.SYS_CLOSE, "openat": unix.SYS_OPENAT, "unlinkat": unix.SYS_UNLINKAT,

	"clone": unix.SYS_CLONE, "clone3": unix.SYS_CLONE3, "setns": unix.SYS_SETNS, "unshare": unix.SYS_UNSHARE,
}

func (o *options) number(call string) uintptr {
	n := numbers[call]
	if o.x32 {
		n |= 0x40000000 // __X32_SYSCALL_BIT
	}
	return n
}

// invoke makes the call by the ABI that was asked for. An argument is an int, a
// uintptr or an unsafe.Pointer.
func (o *options) invoke(call string, args ...any) (uintptr, syscall.Errno) {
	if o.multiplex && multiplexed[call] != 0 {
		return multiplex(call, args)
	}
	return raw(o.number(call), args)
}

// multiplexed are the calls of ipc(2): include/uapi/linux/ipc.h.
var multiplexed = map[string]int{
	"semget": 2, "semctl": 3, "msgget": 13, "msgctl": 14, "shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24,
}

// multiplex makes a call through ipc(2), whose arguments are in another order:
// ksys_ipc in ipc/syscall.c. They are call, first, second, third, pointer.
func multiplex(call string, args []any) (uintptr, syscall.Errno) {
	var result uintptr
	ipc := args
	switch call {
	case "msgctl", "shmctl":
		ipc = []any{args[0], args[1], 0, 0}
	case "semctl": // its last must be readable, whatever cmd is
		ipc = []any{args[0], args[1], args[2], unsafe.Pointer(&result)}
	case "shmat":
		ipc = []any{args[0], args[2], unsafe.Pointer(&result), args[1]}
	case "shmdt":
		ipc = []any{0, 0, 0, args[0]}
	}
	r, errno := raw(sysIPC, append([]any{multiplexed[call]}, ipc...))
	if call == "shmat" {
		r = result
	}
	return r, errno
}

// raw makes a system call. What the arguments point to is on the heap, as they
// are interfaces, and so does not move.
func raw(number uintptr, args []any) (uintptr, syscall.Errno) {
	defer runtime.KeepAlive(args)
	var w [6]uintptr
	for i, arg := range args {
		switch a := arg.(type) {
		case int:
			w[i] = uintptr(a)
		case uintptr:
			w[i] = a
		case unsafe.Pointer:
			w[i] = uintptr(a)
		default:
			panic(fmt.Sprintf("argument of type %T", a))
		}
	}
	r, _, errno := syscall.Syscall6(number, w[0], w[1], w[2], w[3], w[4], w[5])
	return r, errno
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
