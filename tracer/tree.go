package tracer

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// ErrNotFollowed: a process could not be followed from its birth.
var ErrNotFollowed = errors.New("the kernel skipped the hook that follows processes: start it again")

// Adopt calls start, and follows every process that this program starts
// meanwhile, from its birth on, with all its descendants, wherever they go. Not
// concurrently with itself. Errors: that of start, or ErrNotFollowed when start
// started none, or one that is not followed; ErrConfig without Config.Follow.
func (t *Tracer) Adopt(start func() error) error {
	if !t.follow {
		return fmt.Errorf("%w: Adopt without Follow", ErrConfig)
	}
	before, err := t.treeCounter(ipctraceVarAdopted)
	if err != nil {
		return err
	}
	if err := t.setAdopting(true); err != nil {
		return err
	}
	err = start()
	if err := errors.Join(err, t.setAdopting(false)); err != nil {
		return err
	}
	after, err := t.treeCounter(ipctraceVarAdopted)
	if err == nil && after == before {
		err = ErrNotFollowed
	}
	return err
}

// Process is one that is followed. Numbers come back, but not with the same
// beginning.
type Process struct {
	PID   uint32        // in the initial pid namespace
	Start time.Duration // CLOCK_BOOTTIME, of the initial time namespace
}

// Followed are the processes that are followed, also those that have ended and
// that the kernel still holds something of. Not after Close.
func (t *Tracer) Followed() ([]Process, error) {
	t.freeing.RLock()
	defer t.freeing.RUnlock()
	if t.last.Load() != nil {
		return nil, nil
	}
	for { // a key that goes while it is listed sends the listing back to the beginning, and so often that it gives up
		all, err := t.listTree()
		if !errors.Is(err, ebpf.ErrIterationAborted) {
			return all, err
		}
	}
}

// Births is how many processes have been followed so far, modulo 2³². Where it is
// the same before and after a look at [Tracer.Followed], none was missed that began
// while others, which were looked at already, ended. Not after Close.
func (t *Tracer) Births() (uint32, error) {
	t.freeing.RLock()
	defer t.freeing.RUnlock()
	if t.last.Load() != nil {
		return 0, nil
	}
	return t.treeCounter(ipctraceVarBirths)
}

func (t *Tracer) listTree() (all []Process, err error) {
	var key ipctraceProcess
	var member uint8
	seen := make(map[ipctraceProcess]bool)
	entries := t.coll.Maps[ipctraceMapTree].Iterate()
	for entries.Next(&key, &member) {
		if !seen[key] {
			seen[key] = true
			all = append(all, Process{PID: key.Pid, Start: time.Duration(key.Start)})
		}
	}
	if err := entries.Err(); err != nil {
		return nil, fmt.Errorf("list processes followed: %w", err)
	}
	return all, nil
}

func (t *Tracer) setAdopting(yes bool) error {
	if err := t.coll.Variables[ipctraceVarAdopting].Set(yes); err != nil {
		return fmt.Errorf("follow processes: %w", err)
	}
	return nil
}

func (t *Tracer) treeCounter(variable string) (n uint32, err error) {
	if err := t.coll.Variables[variable].Get(&n); err != nil {
		return 0, fmt.Errorf("count processes followed: %w", err)
	}
	return n, nil
}
