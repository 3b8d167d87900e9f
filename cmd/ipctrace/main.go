// Command ipctrace shows who makes which System V IPC object in which IPC
// namespace, as it happens.
package main

import (
	"context"
	"os"
	"os/signal"
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
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, stop) })
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
