package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// prioritize gives the calling goroutine a thread of its own, of a nice value: what
// it does is then done before what traced programs do, so that in a flood these wait
// instead of events getting lost. Only that thread: what ipctrace starts inherits
// nothing, as the runtime makes no threads from one that is locked. The kernel
// compares it within a session or a cgroup: sched(7), autogroup.
func prioritize(nice int) error {
	if nice == 0 {
		return nil
	}
	runtime.LockOSThread()
	return unix.Setpriority(unix.PRIO_PROCESS, 0, nice) // of the thread: setpriority(2), NOTES
}
