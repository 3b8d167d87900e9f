// Command ipctrace shows who makes which System V IPC object in which IPC
// namespace, as it happens.
package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// grace is how long after the first signal a second one does nothing more. Later
// it ends the program at once. timeout(1) and shells send both at the same time:
// to the process, and to its group.
const grace = 500 * time.Millisecond

func main() {
	// A reader that went away is a normal end: writes say EPIPE instead of
	// killing. Not ignored: programs started from here would inherit that.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, stop) })
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		ctx = endOnHangup(ctx)
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// hangupMeans is what SIGHUP does instead of ending the program, if a command has
// said so.
var hangupMeans atomic.Pointer[func()]

func endOnHangup(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			if other := hangupMeans.Load(); other != nil {
				(*other)()
				continue
			}
			signal.Stop(hangups)
			cancel()
		}
	}()
	return ctx
}
