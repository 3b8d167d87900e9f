package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The keys that producers use: the first is of the queue in each namespace, those
// from the second on lead nowhere.
const (
	queueKey = 0x4e504331
	missKey  = 0x49000000
)

// rest is what a tracer gets to write down what a burst was.
const rest = 100 * time.Millisecond

// caller is the thread that makes the calls of a producer.
type caller struct {
	setup      setup
	namespaces []int          // descriptors; none where it is only in one
	stamps     []atomic.Int64 // when the call of that number has returned, CLOCK_MONOTONIC
	clock      stopwatch
	next       int // namespace
	missed     int // calls that have led nowhere
}

// produce is the role: a line on stdin is an order, one on stdout says how it went.
// What it has made goes with it: it is in namespaces of its own.
func produce(config string, orders io.Reader, answers io.Writer) error {
	runtime.LockOSThread() // to the end: the thread is in other namespaces
	c := &caller{clock: newStopwatch()}
	if err := json.Unmarshal([]byte(config), &c.setup); err != nil {
		return err
	}
	if err := c.prepare(); err != nil {
		return err
	}
	out := json.NewEncoder(answers)
	if err := out.Encode(pace{}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(orders); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		got, err := c.obey(o)
		if err != nil {
			return err
		}
		if err := out.Encode(got); err != nil {
			return err
		}
	}
	return nil
}

func (c *caller) prepare() error {
	if c.setup.CPU >= 0 {
		var cpus unix.CPUSet
		cpus.Set(c.setup.CPU)
		if err := unix.SchedSetaffinity(0, &cpus); err != nil {
			return fmt.Errorf("stay on CPU %d: %w", c.setup.CPU, err)
		}
	}
	for range c.setup.Namespaces {
		if err := c.addNamespace(); err != nil {
			return fmt.Errorf("namespace %d of %d: %w", len(c.namespaces)+1, c.setup.Namespaces, err)
		}
	}
	if c.setup.Stamps == 0 {
		return nil
	}
	var err error
	c.stamps, err = mapStamps(3, c.setup.Stamps)
	return err
}

// addNamespace makes one, with a queue of the known key and others.
func (c *caller) addNamespace() error {
	if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
		return fmt.Errorf("make: %w", err)
	}
	key := uintptr(queueKey)
	for range max(c.setup.Objects, 1) {
		if _, _, errno := unix.RawSyscall(unix.SYS_MSGGET, key, unix.IPC_CREAT|0o600, 0); errno != 0 {
			return fmt.Errorf("make queue: %w", errno)
		}
		key = unix.IPC_PRIVATE
	}
	if c.setup.Namespaces == 1 {
		return nil
	}
	fd, err := unix.Open("/proc/thread-self/ns/ipc", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	c.namespaces = append(c.namespaces, fd)
	return nil
}

// obey makes the calls of an order, in batches, each in the next namespace.
func (c *caller) obey(o order) (pace, error) {
	call, err := c.call(o.Call)
	if err != nil {
		return pace{}, err
	}
	batches := make([]float64, 0, o.Calls/o.Batch+1)
	var sum int64
	began := c.clock.now()
	for done := 0; done < o.Calls; done += o.Batch {
		if o.Burst > 0 && done > 0 && done%o.Burst == 0 {
			time.Sleep(rest)
		}
		c.wait(began, done, o.Rate)
		if err := c.move(); err != nil {
			return pace{}, err
		}
		from := c.clock.now()
		for range o.Batch {
			call()
		}
		took := c.clock.now() - from
		sum += took
		batches = append(batches, float64(took)/float64(o.Batch))
	}
	slices.Sort(batches)
	return pace{
		Cost: mean(batches[:len(batches)-len(batches)/50]), Mean: float64(sum) / float64(len(batches)*o.Batch),
		Median: quantile(batches, 0.5), Seconds: float64(c.clock.now()-began) / 1e9,
	}, nil
}

func (c *caller) call(name string) (func(), error) {
	switch name {
	case "msgget":
		return func() { _, _, _ = unix.RawSyscall(unix.SYS_MSGGET, queueKey, 0, 0) }, nil
	case "getppid":
		return func() { _, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) }, nil
	case "miss":
		return c.miss, nil
	}
	return nil, fmt.Errorf("unknown call %q", name)
}

// miss calls with a key that only this call has, and notes when it returned.
func (c *caller) miss() {
	_, _, _ = unix.RawSyscall(unix.SYS_MSGGET, uintptr(missKey+c.missed), 0, 0)
	if c.missed < len(c.stamps) {
		c.stamps[c.missed].Store(c.clock.now())
	}
	c.missed++
}

// wait waits until as many calls are due: asleep where that is long.
func (c *caller) wait(began int64, done, rate int) {
	if rate == 0 {
		return
	}
	due := began + int64(float64(done)/float64(rate)*1e9)
	if left := due - c.clock.now(); left > int64(2*time.Millisecond) {
		ts := unix.NsecToTimespec(left - int64(time.Millisecond))
		_ = unix.Nanosleep(&ts, nil) // interrupted: the rest is waited for below
	}
	for c.clock.now() < due {
		runtime.KeepAlive(c)
	}
}

func (c *caller) move() error {
	if len(c.namespaces) == 0 {
		return nil
	}
	c.next = (c.next + 1) % len(c.namespaces)
	if err := unix.Setns(c.namespaces[c.next], unix.CLONE_NEWIPC); err != nil {
		return fmt.Errorf("enter namespace: %w", err)
	}
	return nil
}

// crowd is the role that is many processes, which do nothing until it ends: it is
// the first of a pid namespace. It says how many it could make.
func crowd(count string, stdin io.Reader, stdout io.Writer) error {
	var n, made int
	if _, err := fmt.Sscan(count, &n); err != nil {
		return err
	}
	for ; made < n; made++ {
		if !idle() {
			break
		}
	}
	if _, err := fmt.Fprintln(stdout, made); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, stdin)
	return err
}

// idle makes a child that waits to be killed. It is a copy with one thread, in
// which no part of Go's runtime works: raw system calls are all it may make.
//
//go:norace
//go:noinline
func idle() bool {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return false
	}
	if pid != 0 {
		return true
	}
	for {
		_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}
