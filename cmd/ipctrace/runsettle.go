package main

import (
	"slices"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// narrow leaves in a snapshot what the flags select.
func (r *runner) narrow(found *snapshot.Snapshot) {
	found.Namespaces = slices.DeleteFunc(found.Namespaces, func(n snapshot.Namespace) bool {
		return len(r.filter.Namespaces) > 0 && !slices.Contains(r.filter.Namespaces, stream.Place{Inode: n.Inode}) || r.filter.Except == n.Inode
	})
	for i := range found.Namespaces {
		n := &found.Namespaces[i]
		n.Objects = slices.DeleteFunc(n.Objects, func(o sysvipc.Object) bool {
			return len(r.filter.Kinds) > 0 && !slices.Contains(r.filter.Kinds, o.Kind)
		})
	}
}

// hidden are the kinds of object that can be made without the hooks seeing it.
func hidden(tier tracer.Tier) []string {
	if tier == tracer.Syscall {
		return []string{tracer.MQ.String()} // as files of a mounted filesystem
	}
	return nil
}

// missed are those of which the command may have made some unseen.
func missed(tier tracer.Tier, unfollowed uint64) []string {
	if unfollowed > 0 {
		return []string{tracer.Msg.String(), tracer.Shm.String(), tracer.Sem.String(), tracer.MQ.String()}
	}
	return hidden(tier)
}

// settle closes the account.
func (r *runner) settle(t *trace, command *command, book *ledger.Ledger, found *snapshot.Snapshot) *runReport {
	unfollowed := t.tracer.Stats().Unfollowed
	gone := func(ns *event.Namespace) bool { return surelyGone(ns, found) }
	account := book.Settle(found, missed(t.tracer.Tier(), unfollowed), gone)
	report := &runReport{
		account: account, command: command, tier: t.tracer.Tier().String(), gaps: t.tracer.Gaps(), unfollowed: unfollowed,
	}
	for _, o := range account.Left {
		report.left = append(report.left, view.Leftover{Object: o, Command: removal(o), Allowed: r.allowed(o)})
	}
	for _, o := range account.InUse {
		report.inUse = append(report.inUse, view.Leftover{Object: o})
	}
	for _, o := range account.Doubt {
		report.doubt = append(report.doubt, view.Leftover{Object: o, Note: o.Why, Allowed: r.allowed(o)})
	}
	return report
}

// surelyGone judges a namespace that a look did not find. Where the kernel has
// ids it is asked.
func surelyGone(ns *event.Namespace, found *snapshot.Snapshot) bool {
	if ns.ID != 0 {
		alive, err := nsresolve.Alive(ns.ID, ns.Inode)
		return err == nil && !alive
	}
	return !found.Partial && found.Unreadable == 0 && found.UnreadableFDs == 0
}
