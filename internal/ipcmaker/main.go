// Command ipcmaker makes the System V IPC calls a test asks for and says what
// came of each: one JSON object a line on stdout. It is the other witness in the
// tests of the tracer, built for each ABI that the kernel serves.
//
// Usage: ipcmaker [flags] OP...
//
//	msgget:KEY:FLAGS          KEY and FLAGS as Go writes integers: 0x2a, 01600
//	shmget:KEY:SIZE:FLAGS
//	semget:KEY:NSEMS:FLAGS
//	sysctl:NAME=VALUE         writes /proc/sys/kernel/NAME, in its namespace
//	uid:N                     the thread is user and group N from now on
//	seccomp:ERRNO             a filter answers msgget with ERRNO from now on; 0: as if it went well
//
// What it may have made (IPC_PRIVATE or IPC_CREAT) it removes before it ends.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Result is what came of one call.
type Result struct {
	Call  string `json:"call"`
	Key   int32  `json:"key"`
	Size  uint64 `json:"size"`  // shmget: bytes
	NSems int32  `json:"nsems"` // semget
	Flags int32  `json:"flags"`
	ID    int32  `json:"id"`    // -1 on failure
	Errno int    `json:"errno"` // 0 on success
	PID   int    `json:"pid"`   // as the process sees itself
	TID   int    `json:"tid"`
	NS    uint64 `json:"ns"` // inode of the thread's IPC namespace
}

type options struct {
	multiplex, x32, unshare, wait, hold bool

	threads, repeat int
	comm            string
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ipcmaker:", err)
		os.Exit(1)
	}
}

func run(stdin io.Reader, stdout io.Writer) error {
	var o options
	flag.BoolVar(&o.multiplex, "ipc", false, "call through ipc(2)")
	flag.BoolVar(&o.x32, "x32", false, "call by the x32 numbers")
	flag.BoolVar(&o.unshare, "unshare", false, "each thread in a new IPC namespace")
	flag.BoolVar(&o.wait, "wait", false, "begin when a byte comes from stdin")
	flag.BoolVar(&o.hold, "hold", false, "keep what was made until stdin closes")
	flag.IntVar(&o.threads, "threads", 1, "how many threads make the calls")
	flag.IntVar(&o.repeat, "repeat", 1, "how often each thread makes them")
	flag.StringVar(&o.comm, "comm", "", "name of the threads")
	flag.Parse()

	ops := make([]op, 0, flag.NArg())
	for _, arg := range flag.Args() {
		op, err := parseOp(arg)
		if err != nil {
			return err
		}
		ops = append(ops, op)
	}
	if o.wait {
		if _, err := stdin.Read(make([]byte, 1)); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
	}
	out := &results{w: bufio.NewWriter(stdout)}
	return o.work(ops, out, stdin)
}

// work lets every thread make its calls, then clean up, in lockstep: a thread
// whose calls are done waits for the others, so that numbers are not reused.
func (o *options) work(ops []op, out *results, stdin io.Reader) error {
	var called, cleaned sync.WaitGroup
	done := make(chan struct{})
	errs := make(chan error, o.threads)
	for range o.threads {
		called.Add(1)
		cleaned.Add(1)
		go func() {
			defer cleaned.Done()
			runtime.LockOSThread() // never unlocked: the thread's namespace and name end with it
			made, err := o.thread(ops, out)
			if err != nil {
				errs <- err
			}
			called.Done()
			<-done
			o.remove(made)
		}()
	}
	called.Wait()
	err := out.w.Flush()
	if o.hold {
		_, _ = io.Copy(io.Discard, stdin)
	}
	close(done)
	cleaned.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return err
	}
}

func (o *options) thread(ops []op, out *results) ([]Result, error) {
	if o.unshare {
		if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
			return nil, fmt.Errorf("unshare: %w", err)
		}
	}
	if err := o.rename(); err != nil {
		return nil, err
	}
	ns, err := namespace()
	if err != nil {
		return nil, err
	}
	var made []Result
	for range o.repeat {
		for _, op := range ops {
			r, err := op(o)
			if err != nil {
				return made, err
			}
			if r == nil {
				continue
			}
			r.PID, r.TID, r.NS = os.Getpid(), unix.Gettid(), ns
			out.write(r)
			if r.ID >= 0 && (r.Key == unix.IPC_PRIVATE || r.Flags&unix.IPC_CREAT != 0) {
				made = append(made, *r)
			}
		}
	}
	return made, nil
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

func namespace() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/ipc", &st); err != nil {
		return 0, fmt.Errorf("own namespace: %w", err)
	}
	return st.Ino, nil
}

type results struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (r *results) write(result *Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Cannot fail: plain fields, and an error of the writer shows at Flush.
	_ = json.NewEncoder(r.w).Encode(result)
}
