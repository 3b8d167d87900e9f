package privilege

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// sets are the capabilities of a thread, as capset(2) takes them.
type sets [2]unix.CapUserData

func header() unix.CapUserHeader { return unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} }

// own are those of the calling thread.
func own() (sets, error) {
	h := header()
	var s sets
	if err := unix.Capget(&h, &s[0]); err != nil {
		return s, fmt.Errorf("read capabilities: %w", err)
	}
	return s, nil
}

// set makes them those of the calling thread.
func (s *sets) set() error {
	h := header()
	return unix.Capset(&h, &s[0])
}

// setAll makes them those of all threads.
func (s *sets) setAll() error {
	h := header()
	if _, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&s[0])), 0); errno != 0 {
		return errno
	}
	return nil
}

// Holds reports whether this process may use a capability.
func Holds(c capability.Cap) bool {
	s, err := own()
	return err == nil && s[c/32].Effective&(1<<(c%32)) != 0
}

// hold makes the capabilities of all threads those to keep, as far as they are
// there. Ambient ones go with the inheritable: cap_capset in security/commoncap.c.
func hold(keep []capability.Cap) error {
	s, err := own()
	if err != nil {
		return err
	}
	var mask [2]uint32
	for _, c := range keep {
		mask[c/32] |= 1 << (c % 32)
	}
	for i := range s {
		s[i].Permitted &= mask[i]
		s[i].Effective = s[i].Permitted
		s[i].Inheritable = 0
	}
	if err := s.setAll(); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	return nil
}

// errBounding is no danger by itself: under no_new_privs execve gives none of them.
var errBounding = errors.New("needs CAP_SETPCAP")

// dropBounding takes all but those to keep out of the bounding set of all threads.
func dropBounding(keep []capability.Cap) error {
	last, err := capability.LastCap()
	if err != nil {
		return err
	}
	kept := make(map[capability.Cap]bool)
	for _, c := range keep {
		kept[c] = true
	}
	for c := capability.Cap(0); c <= last; c++ {
		there, err := capability.GetBound(c)
		switch {
		case err != nil:
			return err
		case kept[c] || !there:
		case !Holds(capability.CAP_SETPCAP):
			return errBounding
		default:
			if err := onAll("leave the bounding set", unix.PR_CAPBSET_DROP, uintptr(c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// gated reports whether bpf(2) is shut to who has no CAP_BPF for all commands, as it
// is before Linux 5.19 (commit c8644cd0efe7) where unprivileged_bpf_disabled is set.
// This thread does without for a moment, and tries it with no descriptor.
func gated() bool {
	runtime.LockOSThread()
	before, err := own()
	if err != nil {
		return true
	}
	less := before
	for _, c := range []capability.Cap{capability.CAP_BPF, capability.CAP_SYS_ADMIN} {
		less[c/32].Effective &^= 1 << (c % 32)
	}
	if less.set() != nil {
		return true
	}
	attr := struct {
		fd         uint32
		_          uint32
		key, value uint64
		flags      uint64
	}{fd: ^uint32(0)}
	_, _, errno := unix.RawSyscall(unix.SYS_BPF, unix.BPF_MAP_LOOKUP_ELEM, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if before.set() == nil {
		runtime.UnlockOSThread()
	}
	return errno == unix.EPERM
}
