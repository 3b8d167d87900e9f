package main

import (
	"fmt"
	"unsafe"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"

	"syscall"
)

// needed are the rights that a trace needs once it is attached: to look into maps
// and list threads, to see and enter namespaces, to name cgroups, and to pass
// signals on to another user's command.
var needed = []capability.Cap{
	capability.CAP_BPF, capability.CAP_PERFMON, capability.CAP_SYS_PTRACE, capability.CAP_SYS_ADMIN,
	capability.CAP_DAC_READ_SEARCH, capability.CAP_KILL,
}

// dropRights gives up, in all threads, what is not needed any more. The bounding
// set stays: what others execute is not this program's to decide. A program built
// with cgo keeps its rights, as it cannot speak for threads that are not Go's.
func dropRights(cleanup bool) {
	keep := needed
	if cleanup { // queues of other users, in a directory with the sticky bit
		keep = append([]capability.Cap{capability.CAP_FOWNER, capability.CAP_DAC_OVERRIDE}, needed...)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return
	}
	var mask [2]uint32
	for _, c := range keep {
		mask[c/32] |= 1 << (c % 32)
	}
	for i := range sets {
		sets[i].Permitted &= mask[i]
		sets[i].Effective &= mask[i]
		sets[i].Inheritable &= mask[i]
	}
	_, _, _ = syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets[0])), 0)
}

// leaveNothing sees to it that what the calling thread starts as another user
// inherits none of its capabilities: not where this program is not root's, and has
// ambient ones. They go with the inheritable ones (cap_capset, security/commoncap.c).
func leaveNothing() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	err := unix.Capget(&header, &sets[0])
	for i := range sets {
		sets[i].Inheritable = 0
	}
	if err == nil {
		err = unix.Capset(&header, &sets[0])
	}
	if err != nil {
		return fmt.Errorf("give up inheritable capabilities: %w", err)
	}
	return nil
}

// memoryLock is the limit that the tracer may have to raise before Linux 5.11.
type memoryLock unix.Rlimit

func memlock() *memoryLock {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &l); err != nil {
		return nil
	}
	return (*memoryLock)(&l)
}

// restore puts it back: the command would inherit it.
func (l *memoryLock) restore() {
	if l != nil {
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, (*unix.Rlimit)(l))
	}
}
