package sysvipc

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// ErrPrivilege: looking into a namespace takes CAP_SYS_ADMIN in the user
// namespace that owns it, and in one's own. One's own namespace takes nothing.
var ErrPrivilege = errors.New("looking into an IPC namespace needs CAP_SYS_ADMIN: run with sudo")

// ErrNotAsked is why queues are not in a list that was to be without them.
var ErrNotAsked = errors.New("not asked for")

// Namespace is what is in an IPC namespace.
type Namespace struct {
	Objects []Object
	Limits  Limits // where they were asked for
	MQ      error  // why POSIX queues could not be listed, or not all; nil: they are in Objects
	MQTook  time.Duration
}

// What is read of a namespace besides its System V objects.
type What struct {
	// Queues are POSIX queues. To list them takes several times as long as all else:
	// the filesystem is mounted for it, and the kernel looks for that of the namespace
	// among those of all (sget_fc in fs/super.c), and when it is unmounted waits until
	// no CPU uses it any more (namespace_unlock in fs/namespace.c).
	Queues bool

	// Limits are how much a namespace may hold. The kernel keeps the files that tell
	// it, of all namespaces, in one chain (fs/proc/proc_sysctl.c): where there are
	// thousands, to open one takes longer than all else.
	Limits bool
}

// Reader looks into IPC namespaces, one after the other, on a thread of its own.
// Close ends the thread. Not for concurrent use.
//
// /proc/sysvipc, /proc/sys and fsopen are about the namespace of whoever calls,
// whatever /proc is called through. So the thread moves into the namespace, and
// home again before more is done: nothing of it is kept.
type Reader struct {
	visits chan *visits  // nil: no thread
	ended  chan struct{} // closed when the thread has let go of all
}

// visits are to namespaces, one after the other: to have another thread do a thing
// takes longer than to look into one.
type visits struct {
	next, count int
	visit       func(i int, look Look)
	done        chan bool // whether the thread has ended
	broken      string    // the panic that it ended with, and its stack
}

// Look looks into an IPC namespace: ns is an open /proc/PID/ns/ipc.
type Look func(ns *os.File, what What) (Namespace, error)

// NewReader starts a thread.
func NewReader() (*Reader, error) {
	r := &Reader{}
	return r, r.start()
}

func (r *Reader) start() error {
	work, begun := make(chan *visits), make(chan error)
	ended := make(chan struct{})
	go onThread(func() {
		defer close(ended)
		serve(work, begun)
	})
	if err := <-begun; err != nil {
		return fmt.Errorf("read IPC namespaces: %w", err)
	}
	r.visits, r.ended = work, ended
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

// Each calls visit so many times, on the thread. There it may look into a namespace,
// once each time. A panic of the thread is the caller's, who may have a terminal to give
// back. The error is that there is no thread.
func (r *Reader) Each(count int, visit func(i int, look Look)) error {
	v := &visits{count: count, visit: visit, done: make(chan bool)}
	for v.next < v.count {
		if r.visits == nil {
			if err := r.start(); err != nil {
				return err
			}
		}
		r.visits <- v
		if <-v.done {
			r.visits = nil
		}
		if v.broken != "" {
			panic(v.broken)
		}
	}
	return nil
}

// Read looks into one namespace.
func (r *Reader) Read(ns *os.File, what What) (in Namespace, err error) {
	failed := r.Each(1, func(_ int, look Look) { in, err = look(ns, what) })
	return in, errors.Join(failed, err)
}

// Read looks into one namespace, for all that there is to read. Who looks into many
// takes a [Reader].
func Read(ns *os.File) (Namespace, error) {
	r, err := NewReader()
	if err != nil {
		return Namespace{}, err
	}
	defer r.Close()
	return r.Read(ns, What{Queues: true, Limits: true})
}

// traveller is the thread.
type traveller struct {
	home *os.File
	buf  []byte // for what it reads
	away bool   // it could not come home: it ends
}

// serve is its life.
func serve(work <-chan *visits, begun chan<- error) {
	home, err := os.Open("/proc/thread-self/ns/ipc")
	begun <- err
	if err != nil {
		return
	}
	defer home.Close()
	t := &traveller{home: home, buf: make([]byte, 1<<12)}
	for v := range work {
		t.visit(v)
		v.done <- t.away
		if t.away {
			return
		}
	}
}

func (t *traveller) visit(v *visits) {
	defer func() {
		if why := recover(); why != nil {
			v.broken = fmt.Sprintf("%v\n\n%s", why, debug.Stack())
			t.away = true // wherever it was
		}
	}()
	for v.next < v.count && !t.away {
		v.next++
		v.visit(v.next-1, t.look)
	}
}

// look goes into a namespace and comes home. To go home takes the same right as to go
// anywhere else, which the root of a user namespace does not have on a
// namespace from outside of it: that thread has done its work.
func (t *traveller) look(ns *os.File, what What) (Namespace, error) {
	if same(ns, t.home) {
		return t.here(what)
	}
	if err := setns(ns); err != nil {
		return Namespace{}, err
	}
	defer func() { t.away = unix.Setns(int(t.home.Fd()), unix.CLONE_NEWIPC) != nil }()
	return t.here(what)
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

// same says whether two are the same file.
func same(a, b *os.File) bool {
	var statA, statB unix.Stat_t
	errA, errB := unix.Fstat(int(a.Fd()), &statA), unix.Fstat(int(b.Fd()), &statB)
	return errA == nil && errB == nil && statA.Dev == statB.Dev && statA.Ino == statB.Ino
}

// here is what there is in the namespace that the thread is in.
func (t *traveller) here(what What) (Namespace, error) {
	objects, err := here(t.buf)
	if err != nil {
		return Namespace{}, err
	}
	n := Namespace{Objects: objects, MQ: ErrNotAsked}
	if what.Queues {
		begun := time.Now()
		var queued []Object
		queued, n.MQ = queues()
		n.Objects, n.MQTook = append(n.Objects, queued...), time.Since(begun)
	}
	if what.Limits {
		n.Limits = limits(n.Objects)
		n.Limits.QueuesMax.Known = n.Limits.QueuesMax.Known && n.MQ == nil
	}
	return n, nil
}
