package main

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// Whether nobody has any use for an object; "" where it cannot be told.
const (
	orphanYes   = "yes"
	orphanMaybe = "maybe"
	orphanNo    = "no"
)

// judge knows the machine's processes, as far as they can be seen.
type judge struct {
	processes map[uint32]nsresolve.Process // by number, nil where /proc numbers others than the kernel's lists
	initial   bool                         // every process of the machine has a number here
	complete  bool                         // and its namespaces are known
	start     func(p nsresolve.Process) time.Time
	boot      time.Time
	ended     func(pid uint32) (bool, error) // whether no process has that number
}

func newJudge(found *snapshot.Snapshot) *judge {
	var clock tracer.Clock
	j := &judge{
		initial: initialPIDs(),
		start:   func(p nsresolve.Process) time.Time { return clock.Wall(time.Duration(p.Start) * tick) },
		boot:    clock.Wall(0),
		ended:   ended,
	}
	j.complete = j.initial && found.Unreadable == 0
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return j
	}
	j.processes = make(map[uint32]nsresolve.Process)
	for _, n := range found.Namespaces {
		for _, p := range n.Processes {
			j.processes[uint32(p.PID)] = p
		}
	}
	return j
}

// tick is the unit of nsresolve.Process.Start: USER_HZ is 100 wherever Go runs.
const tick = 10 * time.Millisecond

// orphan says whether an object is one, and who made it, "" if that process has
// ended or is not known.
func (j *judge) orphan(n *snapshot.Namespace, o *sysvipc.Object) (verdict, comm string) {
	switch {
	case o.Kind == "shm":
		return j.segment(o)
	case o.Kind == "msg" && o.LSPID+o.LRPID > 0:
		return j.queue(o), ""
	}
	return j.ownerless(n, o), ""
}

// segment: the kernel keeps who made it.
func (j *judge) segment(o *sysvipc.Object) (verdict, comm string) {
	maker := j.look(o.CPID, time.Unix(o.CTime, 0))
	switch {
	case o.Attached > 0 || maker == lives:
		verdict = orphanNo
	case maker == gone:
		verdict = orphanYes
	}
	if maker == lives {
		comm = j.processes[o.CPID].Comm
	}
	return verdict, comm
}

// queue: of a queue the kernel keeps who sent and who received last. That they
// are gone need not mean that others have no use for it.
func (j *judge) queue(o *sysvipc.Object) string {
	verdict := orphanMaybe
	for _, pid := range []uint32{o.LSPID, o.LRPID} {
		is := j.look(pid, time.Time{})
		if pid == 0 && j.initial {
			is = gone // there never was one
		}
		switch is {
		case lives:
			return orphanNo
		case unclear:
			verdict = ""
		}
	}
	return verdict
}

// ownerless: of the others no process is told. Where none of their users' is in
// the namespace, only one with rights over all objects could want it.
func (j *judge) ownerless(n *snapshot.Namespace, o *sysvipc.Object) string {
	owns := func(p nsresolve.Process) bool {
		return p.UID == o.UID || o.Kind != "mq" && p.UID == o.CUID
	}
	if !j.complete || slices.ContainsFunc(n.Processes, owns) {
		return ""
	}
	return orphanMaybe
}

// fate of a process.
type fate int

const (
	unclear fate = iota
	lives
	gone
)

// clockSlack is how much later than an object a process must have begun not to be
// the one that made it: ctime has whole seconds.
const clockSlack = 2 * time.Second

// look says what became of the process that had this number when something
// happened, at the latest by then; zero: no matter when.
func (j *judge) look(pid uint32, by time.Time) fate {
	if pid == 0 {
		return unclear // not in this pid namespace
	}
	if ended, err := j.ended(pid); err != nil {
		return unclear
	} else if ended {
		return gone
	}
	p, known := j.processes[pid]
	switch {
	case by.IsZero():
		return lives
	case !known || by.Before(j.boot): // the wall clock was set since
		return unclear
	case j.start(p).After(by.Add(clockSlack)):
		return gone
	}
	return lives
}

// ended asks for a process of this pid namespace, whatever /proc shows. A number
// can be a thread's, and one that has ended can still be waited for by its parent.
func ended(pid uint32) (bool, error) {
	fd, err := unix.PidfdOpen(int(pid), 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
		return true, nil // EINVAL, and ENOENT in later kernels: a thread has it
	case err != nil:
		return false, err
	}
	defer unix.Close(fd)
	events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(events, 0); err != nil {
		return false, err
	}
	return events[0].Revents&unix.POLLIN != 0, nil
}
