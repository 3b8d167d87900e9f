// Command ipcmaker makes the IPC calls a test asks for and says what came of
// each: one JSON object a line on stdout ([Result]). It is the other witness in
// the tests of the tracer, built for each ABI that the kernel serves.
//
// Usage: ipcmaker [flags] OP...
//
// Numbers are written as in Go: 0x2a, 01600. KIND is msg, shm or sem. An OBJECT
// is a plain number: the id; @N: the Nth that this thread got of the kind, from
// 0, created or found; nothing: the last it got.
//
//	msgget:KEY:FLAGS
//	shmget:KEY:SIZE:FLAGS
//	semget:KEY:NSEMS:FLAGS
//	got:KIND:ID               no call: from now on ID counts as got
//	rmid:KIND[:OBJECT]        msgctl, shmctl or semctl with IPC_RMID
//	attach[:OBJECT]           shmat
//	detach                    shmdt of the last attached
//	munmap:BYTES              unmaps it instead: all of it detaches it
//
//	mq_open:NAME:OFLAG[:MODE[:MAXMSG:MSGSIZE]]
//	                          NAME as the kernel takes it: no slash in front
//	mq_send:TEXT              to the queue opened last; blocks when it is full
//	mq_close                  the queue opened last
//	mq_unlink:NAME
//	mount:DIR                 an mqueue filesystem of this namespace, in a mount namespace of the thread's own
//	creat:PATH                a queue by way of that filesystem, closed again
//	unlink:PATH
//
//	unshare                   the thread gets a new IPC namespace
//	setns:PATH                the thread enters the namespace of that file, by CLONE_NEWIPC
//	setns0:PATH               … by type 0: whatever the file is
//	setnspid:PID              … by a pidfd (Linux 5.8)
//	fork                      the rest of the ops are a child's: clone(2) without a new namespace
//	clone                     … clone(2) with CLONE_NEWIPC
//	clone3                    … clone3(2) with CLONE_NEWIPC
//	exec                      the rest of the ops are this program's, executed anew in its own place, as a
//	                          child's below; what it made stays. With one thread
//
// Where one of these fails the thread's ops end: the rest are not meant for the
// namespace that it is in.
//
//	random:SEED:N             N calls, drawn by SEED, of those on objects (see random.go)
//	nap:MS                    sleeps so many milliseconds
//	pause                     waits for a byte from stdin; all results before it are out
//	keep                      nothing is removed at the end, wherever in OP... this stands
//	exit-attached             the thread's last op: it neither detaches nor removes
//	sysctl:NAME=VALUE         writes /proc/sys/kernel/NAME, in its namespace; NAME with a slash: /proc/sys/NAME
//	uid:N                     the thread is user and group N from now on
//	seccomp:ERRNO[:CALL]      a filter answers CALL (msgget) with ERRNO from now on; 0: as if it went well
//
// At the end each thread detaches what it has attached and removes what it may
// have made (IPC_PRIVATE, IPC_CREAT, O_CREAT) where it is then in the namespace
// it made it in. These calls go the native way and are not reported.
//
// The first thread is the process's main one. A child executes this program
// anew, in the place of the thread that made it: it knows the objects that the
// thread got, but has none of its queues open nor segments attached; as it
// inherited them until it executed, each segment is attached and detached once
// more. Its parent waits for its end and removes what it made itself.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

type options struct {
	multiplex, ipc64, x32, mq bool
	comm                      string

	unshare, wait, hold bool
	threads, repeat     int
}

// The first thread's namespace is the process's.
func init() { runtime.LockOSThread() }

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ipcmaker:", err)
		os.Exit(1)
	}
}

func run(stdin io.Reader, stdout io.Writer) error {
	var o options
	flag.BoolVar(&o.multiplex, "ipc", false, "call through ipc(2)")
	flag.BoolVar(&o.ipc64, "ipc64", false, "remove by IPC_RMID|IPC_64, as 32-bit C libraries do")
	flag.BoolVar(&o.x32, "x32", false, "call by the x32 numbers")
	flag.BoolVar(&o.mq, "mq", false, "random: message queues too")
	flag.StringVar(&o.comm, "comm", "", "name of the threads")
	flag.BoolVar(&o.unshare, "unshare", false, "each thread in a new IPC namespace")
	flag.BoolVar(&o.wait, "wait", false, "begin when a byte comes from stdin")
	flag.BoolVar(&o.hold, "hold", false, "keep what was made until stdin closes")
	flag.IntVar(&o.threads, "threads", 1, "how many threads make the calls")
	flag.IntVar(&o.repeat, "repeat", 1, "how often each thread makes them")
	flag.Parse()
	if o.multiplex && sysIPC == 0 {
		return fmt.Errorf("no ipc(2) on %s", arch)
	}
	ops, err := parseOps(flag.Args())
	if err != nil {
		return err
	}
	if o.wait {
		if err := wait(stdin); err != nil {
			return err
		}
	}
	return o.work(ops, &results{w: bufio.NewWriter(stdout)}, stdin)
}

// wait waits for one byte: what comes after it is for the next reader.
func wait(stdin io.Reader) error {
	if _, err := stdin.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	return nil
}

// work lets every thread make its calls, then clean up, in lockstep: a thread
// whose calls are done waits for the others, so that numbers are not reused.
func (o *options) work(ops []op, out *results, stdin io.Reader) error {
	var called, cleaned sync.WaitGroup
	done := make(chan struct{})
	errs := make([]error, o.threads)
	threads := make([]*thread, o.threads)
	for i := range threads {
		threads[i] = &thread{options: o, index: i, out: out, stdin: stdin}
	}
	for i, t := range threads[1:] {
		called.Add(1)
		cleaned.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread's namespace and name end with it
			errs[i+1] = t.run(ops)
			called.Done()
			<-done
			t.cleanUp()
		})
	}
	errs[0] = threads[0].run(ops)
	called.Wait()
	errs = append(errs, out.flush())
	if o.hold {
		_, _ = io.Copy(io.Discard, stdin)
	}
	close(done)
	threads[0].cleanUp()
	cleaned.Wait()
	return errors.Join(errs...)
}

func (o *options) rename() error {
	if o.comm == "" {
		return nil
	}
	name, err := unix.BytePtrFromString(o.comm)
	if err != nil {
		return fmt.Errorf("comm: %w", err)
	}
	return unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0)
}
