package tracer

import (
	"errors"
	"fmt"
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
