package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// thread makes the calls, always on the same thread of the system.
type thread struct {
	*options
	index int // from 0, the main one
	out   *results
	stdin io.Reader

	ns    uint64
	rest  []op // what comes after the present op
	ended bool // nothing comes after it
	keep  bool

	got      map[string][]int32 // by kind, in order
	attached []segment
	queues   []queue
	made     []object
}

// segment is one attach.
type segment struct {
	id      int32
	address uintptr
}

// queue is an open one.
type queue struct {
	fd   int
	name string
}

// object is one that the thread may have made.
type object struct {
	kind string // "file": a queue by its path
	id   int32  // msg, shm, sem
	name string // mq, file
	ns   uint64
}

func (t *thread) run(ops []op) error {
	t.got = map[string][]int32{}
	if t.unshare {
		if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
	}
	if err := t.rename(); err != nil {
		return err
	}
	if err := t.locate(); err != nil {
		return err
	}
	for _, op := range ops {
		t.keep = t.keep || op.word == "keep"
	}
	for range t.repeat {
		for i, op := range ops {
			t.rest = ops[i+1:]
			if err := op.do(t); err != nil {
				return fmt.Errorf("%s: %w", op.word, err)
			}
			if t.ended {
				break
			}
		}
		t.ended = false
	}
	return nil
}

// locate notes the namespace that the thread is in.
func (t *thread) locate() error {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/ipc", &st); err != nil {
		return fmt.Errorf("own namespace: %w", err)
	}
	t.ns = st.Ino
	return nil
}

// report tells of a call.
func (t *thread) report(r Result, errno syscall.Errno) {
	r.Errno, r.PID, r.TID, r.NS = int(errno), os.Getpid(), unix.Gettid(), t.ns
	t.out.write(r)
}

// pick finds an object of a kind: see the command's documentation.
type pick func(of []int32) (int32, error)

func (t *thread) pick(kind string, p pick) (int32, error) {
	id, err := p(t.got[kind])
	if err != nil {
		return 0, fmt.Errorf("%s: %w", kind, err)
	}
	return id, nil
}

// forget takes from the made what no longer is.
func (t *thread) forget(gone object) {
	gone.ns = t.ns
	for i, o := range t.made {
		if o == gone {
			t.made = append(t.made[:i], t.made[i+1:]...)
			return
		}
	}
}

func (t *thread) cleanUp() {
	if t.keep {
		return
	}
	native := &options{}
	for _, s := range t.attached {
		native.invoke("shmdt", s.address)
	}
	for _, o := range t.made {
		if o.ns == t.ns {
			native.remove(o)
		}
	}
}

func (o *options) remove(gone object) syscall.Errno {
	switch gone.kind {
	case "mq":
		return o.unlinkQueue(gone.name)
	case "file":
		return o.unlinkFile(gone.name)
	}
	return o.control(gone.kind, gone.id, unix.IPC_RMID)
}

// source draws for this thread, the same at every run.
func (t *thread) source(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(t.index)))
}
