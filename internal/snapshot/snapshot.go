// Package snapshot looks at every IPC namespace on the machine and at every
// object in it, once.
package snapshot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// Snapshot is what was there. Its parts are of different moments between From
// and To, both CLOCK_BOOTTIME: first the namespaces were found, then each was
// looked into. What was made or removed in between may be in it or not.
type Snapshot struct {
	Namespaces []Namespace // the initial one first, then by inode
	From, To   time.Duration

	// As in nsresolve.Snapshot: processes where namespaces may have been missed
	// for lack of rights.
	Unreadable    int
	UnreadableFDs int
	Partial       bool // not all of the machine's processes were looked at
}

// Namespace is one IPC namespace with its objects. From and To are
// CLOCK_BOOTTIME just before and just after those were read: an object made
// before From and removed after To is among them, one removed before From or
// made after To is not.
type Namespace struct {
	nsresolve.Namespace
	Objects []sysvipc.Object
	Limits  sysvipc.Limits // of TakeAll
	MQ      error          // why POSIX queues could not be listed, or were not
	MQTook  time.Duration  // to list them
	From,
	To time.Duration

	// Err says why it could not be looked into: [fs.ErrPermission] or
	// sysvipc.ErrPrivilege for lack of rights.
	Err error
}

// Take takes a snapshot. A namespace that dies while it is taken is not in it.
// Each is open only while it is read, so that it dies at most a moment later
// than it would have. The error is that of the scan, or of ctx.
func Take(ctx context.Context, r *nsresolve.Resolver) (*Snapshot, error) {
	return take(ctx, r, func(*Namespace) sysvipc.What { return sysvipc.What{Queues: true} })
}

// TakeAll takes one with the limits of each namespace.
func TakeAll(ctx context.Context, r *nsresolve.Resolver) (*Snapshot, error) {
	return take(ctx, r, func(*Namespace) sysvipc.What { return sysvipc.What{Queues: true, Limits: true} })
}

// take reads of each namespace what is wanted of it, which is asked just before.
func take(ctx context.Context, r *nsresolve.Resolver, wanted func(*Namespace) sysvipc.What) (*Snapshot, error) {
	var clock tracer.Clock
	s := &Snapshot{From: clock.Boot()}
	scan, err := r.Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("find IPC namespaces: %w", err)
	}
	s.Unreadable, s.UnreadableFDs, s.Partial = scan.Unreadable, scan.UnreadableFDs, scan.Partial
	s.Namespaces = make([]Namespace, 0, len(scan.Namespaces))
	reader, err := sysvipc.NewReader()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	err = reader.Each(len(scan.Namespaces), func(i int, look sysvipc.Look) {
		if ctx.Err() != nil {
			return
		}
		n := Namespace{Namespace: scan.Namespaces[i]}
		if n.read(r, look, wanted) {
			s.Namespaces = append(s.Namespaces, n)
		}
	})
	if err := cmp.Or(ctx.Err(), err); err != nil {
		return nil, fmt.Errorf("look into IPC namespaces: %w", err)
	}
	s.To = clock.Boot()
	return s, nil
}

// read looks into a namespace. It is false where there is none any more.
func (n *Namespace) read(r *nsresolve.Resolver, look sysvipc.Look, wanted func(*Namespace) sysvipc.What) bool {
	var clock tracer.Clock
	f, err := r.Open(&n.Namespace)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	n.From, n.Err = clock.Boot(), err
	if err == nil {
		var in sysvipc.Namespace
		in, n.Err = look(f, wanted(n))
		n.Objects, n.Limits, n.MQ, n.MQTook = in.Objects, in.Limits, in.MQ, in.MQTook
		f.Close()
	}
	n.To = clock.Boot()
	return true
}
