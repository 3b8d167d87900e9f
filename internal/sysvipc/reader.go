package sysvipc

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrPrivilege: looking into a namespace takes CAP_SYS_ADMIN in the user
// namespace that owns it, and in one's own. One's own namespace takes nothing.
var ErrPrivilege = errors.New("looking into an IPC namespace needs CAP_SYS_ADMIN: run with sudo")

// Namespace is what is in an IPC namespace.
type Namespace struct {
	Objects []Object
	Limits  Limits // where they were asked for
	MQ      error  // why POSIX queues could not be listed, or not all; nil: they are in Objects
}

// Reader looks into IPC namespaces, one after the other, on a thread of its own.
// Close ends the thread. Not for concurrent use.
//
// /proc/sysvipc, /proc/sys and fsopen are about the namespace of whoever calls,
// whatever /proc is called through. So the thread moves into the namespace, and
// home again before Read returns: nothing of it is kept.
type Reader struct {
	// Limits: also read how much a namespace may hold. The kernel keeps the files
	// that tell it, of all namespaces, in one chain (fs/proc/proc_sysctl.c): where
	// there are thousands, to open one takes longer than all else.
	Limits bool

	visits chan visit    // nil: no thread
	ended  chan struct{} // closed when the thread has let go of all
}

type visit struct {
	ns     *os.File
	limits bool
	done   chan<- result
}

type result struct {
	namespace Namespace
	err       error
	away      bool // the thread could not come home: it ends
}

// NewReader starts a thread.
func NewReader() (*Reader, error) {
	r := &Reader{}
	return r, r.start()
}

func (r *Reader) start() error {
	visits, begun := make(chan visit), make(chan error)
	ended := make(chan struct{})
	go onThread(func() {
		defer close(ended)
		serve(visits, begun)
	})
	if err := <-begun; err != nil {
		return fmt.Errorf("read IPC namespaces: %w", err)
	}
	r.visits, r.ended = visits, ended
	return nil
}

// Close ends the thread. More than once does no harm.
func (r *Reader) Close() {
	if r.visits != nil {
		close(r.visits)
		r.visits = nil
		<-r.ended
	}
}

// Read lists the IPC namespace that ns, an open /proc/PID/ns/ipc, stands for.
func (r *Reader) Read(ns *os.File) (Namespace, error) {
	if r.visits == nil {
		if err := r.start(); err != nil {
			return Namespace{}, err
		}
	}
	done := make(chan result)
	r.visits <- visit{ns, r.Limits, done}
	got := <-done
	if got.away {
		r.visits = nil
	}
	return got.namespace, got.err
}

// Read looks into one namespace, with its limits. Who looks into many takes a
// [Reader].
func Read(ns *os.File) (Namespace, error) {
	r, err := NewReader()
	if err != nil {
		return Namespace{}, err
	}
	defer r.Close()
	r.Limits = true
	return r.Read(ns)
}

// serve is the life of the thread.
func serve(visits <-chan visit, begun chan<- error) {
	home, err := os.Open("/proc/thread-self/ns/ipc")
	begun <- err
	if err != nil {
		return
	}
	defer home.Close()
	for v := range visits {
		got := look(v, home)
		v.done <- got
		if got.away {
			return
		}
	}
}

// look goes into a namespace and comes home. To go home takes the same right as to go
// anywhere else, which the root of a user namespace does not have on a
// namespace from outside of it: that thread has done its work.
func look(v visit, home *os.File) (got result) {
	if same(v.ns, home) {
		got.namespace, got.err = here(v.limits)
		return got
	}
	if err := setns(v.ns); err != nil {
		return result{err: err}
	}
	got.namespace, got.err = here(v.limits)
	got.away = unix.Setns(int(home.Fd()), unix.CLONE_NEWIPC) != nil
	return got
}

func setns(ns *os.File) error {
	err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWIPC)
	if errors.Is(err, unix.EPERM) {
		return ErrPrivilege
	}
	if err != nil {
		return fmt.Errorf("enter %s: %w", ns.Name(), err)
	}
	return nil
}

func same(a, b *os.File) bool {
	statA, errA := a.Stat()
	statB, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(statA, statB)
}

// here is all that there is in the calling thread's own namespace.
func here(withLimits bool) (Namespace, error) {
	objects, err := Here()
	if err != nil {
		return Namespace{}, err
	}
	queues, err := queues()
	n := Namespace{Objects: append(objects, queues...), MQ: err}
	if !withLimits {
		return n, nil
	}
	n.Limits = limits(n.Objects)
	n.Limits.QueuesMax.Known = n.Limits.QueuesMax.Known && n.MQ == nil
	return n, nil
}
