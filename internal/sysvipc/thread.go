package sysvipc

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread, in a goroutine of its own, runs f on a thread that ends with it. Not
// on the main thread: that one cannot end, and /proc/self/ns is about it.
func onThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return // never unlocked: the thread ends
	}
	begun := make(chan struct{})
	go onThread(func() { close(begun); f() })
	<-begun // while this goroutine sits on the main thread
	runtime.UnlockOSThread()
}
