package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cloneArgs is struct clone_args, CLONE_ARGS_SIZE_VER0: include/uapi/linux/sched.h.
type cloneArgs struct {
	flags, pidFD, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
}

// clone lets a child do the rest of the ops.
func (t *thread) clone(flags uintptr) error {
	flags |= uintptr(unix.SIGCHLD)
	return t.spawn(Result{Call: "clone", Flags: int32(flags)}, flags, 0)
}

func (t *thread) clone3() error {
	args := &cloneArgs{flags: unix.CLONE_NEWIPC, exitSignal: uint64(unix.SIGCHLD)}
	defer runtime.KeepAlive(args)
	var pin runtime.Pinner
	pin.Pin(args)
	defer pin.Unpin()
	return t.spawn(Result{Call: "clone3", Flags: unix.CLONE_NEWIPC}, uintptr(unsafe.Pointer(args)), unsafe.Sizeof(*args))
}

// spawn makes the child by call r, which takes a1 and a2, and waits for its end.
// The child begins once r is told. The syscall package cannot do this: it
// chooses between clone and clone3 itself.
func (t *thread) spawn(r Result, a1, a2 uintptr) error {
	path, err := os.Executable() // its last part becomes the child's name
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(append([]string{path}, t.childArgs()...))
	if err != nil {
		return err
	}
	envv, err := syscall.SlicePtrFromStrings(os.Environ())
	if err != nil {
		return err
	}
	var gate [2]int
	if err := unix.Pipe2(gate[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	pid, errno := forkExec(t.number(r.Call), a1, a2, gate, argv, envv)
	r.ID = -1
	if errno == 0 {
		r.Child = int(pid)
	}
	t.report(r, errno)
	t.ended = true
	err = t.out.flush()
	if errno == 0 {
		_, _ = unix.Write(gate[1], []byte{0})
	}
	unix.Close(gate[0])
	unix.Close(gate[1])
	if err != nil || errno != 0 {
		return err
	}
	return waitFor(r.Child)
}

// forkExec returns in the parent alone. The child is a copy with one thread, in
// which no part of Go's runtime works: it makes raw system calls until it
// executes. It first waits for a byte from the gate, or for its parent's death.
//
//go:norace
//go:noinline
func forkExec(number, a1, a2 uintptr, gate [2]int, argv, envv []*byte) (pid uintptr, errno syscall.Errno) {
	var b byte
	pid, _, errno = syscall.RawSyscall6(number, a1, a2, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	syscall.RawSyscall(unix.SYS_CLOSE, uintptr(gate[1]), 0, 0)
	syscall.RawSyscall(unix.SYS_READ, uintptr(gate[0]), uintptr(unsafe.Pointer(&b)), 1)
	syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(argv[0])), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&envv[0])))
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 127, 0, 0)
	}
}

// exec puts this program anew in the process's place.
func (t *thread) exec() error {
	if t.threads > 1 {
		return errors.New("the other threads would end")
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	if err := t.out.flush(); err != nil {
		return err
	}
	return syscall.Exec(path, append([]string{path}, t.childArgs()...), os.Environ())
}

func waitFor(pid int) error {
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(pid, &status, 0, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for child: %w", err)
		}
		if status != 0 {
			return fmt.Errorf("child: wait status %#x", uint32(status))
		}
		return nil
	}
}

// childArgs let the child go on where the thread is.
func (t *thread) childArgs() []string {
	var args []string
	for _, flag := range []struct {
		name string
		set  bool
	}{{"-ipc", t.multiplex}, {"-ipc64", t.ipc64}, {"-x32", t.x32}, {"-mq", t.mq}, {"-comm=" + t.comm, t.comm != ""}} {
		if flag.set {
			args = append(args, flag.name)
		}
	}
	if t.keep {
		args = append(args, "keep")
	}
	for _, kind := range kinds {
		for _, id := range t.got[kind] {
			args = append(args, fmt.Sprintf("got:%s:%d", kind, id))
		}
	}
	for _, op := range t.rest {
		args = append(args, op.word)
	}
	return args
}
