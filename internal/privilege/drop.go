// Package privilege is what ipctrace needs of the rights of a process, and how it
// gives up what it does not need any more.
package privilege

import (
	"fmt"
	"slices"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Config is what is still to be done after [Drop].
type Config struct {
	Looks bool     // look into other IPC namespaces than this process's own
	Exec  bool     // start programs, which inherit what is given up here
	Write []string // directories below which files are made and written; they must be there
}

// Drop gives up, in all threads and for good, what is not needed for what is still to
// be done. It is for after the hooks were attached. Capabilities that this process has
// not are not missed: what then is not done is as the [Needs] say. What this kernel
// cannot do, or this process may not, is no error: the Report says it. After an error
// the process is to end, as some of it may have been done.
//
// The order is that of what takes rights, which the filter, the last, would refuse.
func Drop(cfg Config) (Report, error) {
	var r Report
	if err := onAll("set no_new_privs", unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return r, err
	}
	keep := cfg.keep()
	r.lack("the bounding set stays", dropBounding(keep))
	if err := hold(keep); err != nil {
		return r, err
	}
	// Processes of the same user are kept from this one's memory, and cores from disks.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return r, fmt.Errorf("be not dumpable: %w", err)
	}
	err := confine(cfg)
	r.Landlock = err == nil
	r.lack("no Landlock", err)
	r.lack("no seccomp filter", filter(cfg))
	return r, r.look()
}

// keep are the capabilities that are needed from now on. Before Linux 5.19 CAP_BPF may
// be, but not beside CAP_SYS_ADMIN (bpf_capable, include/linux/capability.h).
func (c Config) keep() []capability.Cap {
	var keep []capability.Cap
	if c.Looks {
		keep = For(Looking)
	}
	if gated() && !(c.Looks && Holds(capability.CAP_SYS_ADMIN)) {
		keep = append(keep, capability.CAP_BPF)
	}
	return slices.DeleteFunc(keep, func(c capability.Cap) bool { return !Holds(c) })
}

// onAll is prctl(2) in every thread: most of what it sets is a thread's own.
func onAll(what string, option, value uintptr) error {
	if _, _, errno := psx.Syscall6(unix.SYS_PRCTL, option, value, 0, 0, 0, 0); errno != 0 {
		return fmt.Errorf("%s: %w", what, errno)
	}
	return nil
}
