package main

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

func newLs() *cobra.Command {
	var l lister
	command := &cobra.Command{
		Use:   "ls",
		Short: "Every IPC namespace on the machine and every object in it, now",
		Long: `ls lists every IPC namespace on the machine, and every queue, segment and set of
semaphores in it, as ipcs would from inside; POSIX queues too. It warns of limits
of the kernel of which 80 % are used up: at the limit a call fails with "No space
left on device". Of POSIX queues those that are unlinked and still open count too, and
cannot be seen: hence "≥".

Orphans are objects that nobody seems to have any use for any more:
  shm  "orphan" when nobody has it attached and who made it has ended.
  msg  "orphan?" when who sent last and who received last have ended. The kernel
       does not keep who made it.
  sem, mq, and a msg that nobody ever used
       "orphan?" when no process of its owner, or of the user who made it, is in
       its namespace. The kernel's list has no processes.
A process has ended too when its number is another's by now: one that began after
the object was made or last changed. That goes by the wall clock, and cannot be
told of who sent and received. Processes of other pid namespaces have no number
here, so in a container less can be told.

Namespaces that it has no right to enter are listed too, and told of on stderr.
Before Linux 6.19 a namespace that only a descriptor in flight or a mount in a
mount namespace without processes keeps cannot be found; nor, on any kernel, one
that only an attached segment keeps. Looking at a POSIX queue that holds messages
sets its time of change.

With --kind or --orphans the others are left out in which no object is left.

` + sortHelp + `

On a terminal that is too narrow columns are left out; a pipe gets all of them.
docs/ls.md describes what --json writes. Where processes of several containers are in
one namespace, or of one in the host's, its title says which.

Exit status: 0 done · 2 wrong usage, or no such namespace · 3 it could look into
none of them.`,
		Example: `  sudo ipctrace ls                        # all there is
  sudo ipctrace ls --orphans --sort size  # what can perhaps go, the largest first
  sudo ipctrace ls --ns self --limits     # how near this namespace is to its limits
  sudo ipctrace ls --json | jq '.namespaces[].objects | length'`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(c *cobra.Command, _ []string) error { return l.run(c) },
	}
	l.add(command.Flags())
	return command
}

// lister is the flags of ls.
type lister struct {
	out               output
	kinds, namespaces []string
	orphans, limits   bool
	sort              string
	engines           container.Sockets

	only []uint64 // --ns, as inodes; nil: all
	less order

	names *container.Names // nil: no engine is asked
}

func (l *lister) add(f *pflag.FlagSet) {
	l.out.add(f)
	f.StringSliceVar(&l.kinds, "kind", nil, "only these kinds of object: `msg,shm,sem,mq`")
	f.StringSliceVar(&l.namespaces, "ns", nil, "only these IPC namespaces: `INODE|self|host|pid:N`")
	f.BoolVar(&l.orphans, "orphans", false, "only objects that are, or may be, orphans")
	f.BoolVar(&l.limits, "limits", false, "all limits, not only those of which 80 % are used up")
	f.StringVar(&l.sort, "sort", "ns", "order by this `COLUMN`")
	addEngines(f, &l.engines)
}

// complete reads the flags.
func (l *lister) complete(f *pflag.FlagSet) error {
	for _, name := range []string{"kind", "ns"} {
		if values, _ := f.GetStringSlice(name); f.Changed(name) && (len(values) == 0 || slices.Contains(values, "")) {
			return refused(name, ": no value")
		}
	}
	if _, err := eachOf("kind", l.kinds, parseKind); err != nil {
		return err
	}
	if err := checkEngines(l.engines); err != nil {
		return err
	}
	inodes, err := eachOf("ns", l.namespaces, parseNamespace)
	if err != nil {
		return err
	}
	for _, inode := range inodes {
		l.only = append(l.only, uint64(inode))
	}
	if l.less, err = parseOrder(l.sort); err != nil {
		return usage(err)
	}
	return nil
}

func (l *lister) run(c *cobra.Command) error {
	asJSON, err := l.out.isJSON()
	if err != nil {
		return err
	}
	if err := l.complete(c.Flags()); err != nil {
		return err
	}
	if l.names, err = openNames(l.engines, c.ErrOrStderr()); err != nil {
		return err
	}
	defer l.names.Close()
	resolver := nsresolve.New(snapshot.Options(nsresolve.Options{ContainerName: nameOf(l.names)}))
	found, err := snapshot.TakeAll(c.Context(), resolver)
	if err != nil {
		return cannot{err}
	}
	all := make([]*nsresolve.Namespace, len(found.Namespaces))
	for i := range all {
		all[i] = &found.Namespaces[i].Namespace
	}
	awaitNames(c.Context(), l.names, resolver, all)
	if err := l.known(found); err != nil {
		return err
	}
	list := l.choose(found)
	l.tell(c.ErrOrStderr(), found, list)
	if asJSON {
		err = writeJSON(c.OutOrStdout(), jsonListing(found, list, l.names))
	} else {
		err = l.write(c, list)
	}
	if err != nil {
		return err
	}
	return nothingRead(list)
}

// cannot is an error for which nothing could be read.
type cannot struct{ error }

func (cannot) Is(target error) bool { return target == errCannot }
func (c cannot) Unwrap() error      { return c.error }

// nothingRead is the first reason, if no namespace could be looked into.
func nothingRead(list []listed) error {
	if len(list) == 0 || slices.ContainsFunc(list, func(n listed) bool { return n.Err == nil }) {
		return nil
	}
	return cannot{list[0].Err}
}

// listed is a namespace with those of its objects that were asked for.
type listed struct {
	snapshot.Namespace
	objects []view.ListedObject
}

// known refuses a namespace that was asked for and is not there.
func (l *lister) known(found *snapshot.Snapshot) error {
	for _, inode := range l.only {
		if !slices.ContainsFunc(found.Namespaces, func(n snapshot.Namespace) bool { return n.Inode == inode }) {
			return usagef("--ns: no IPC namespace %d to be seen", inode)
		}
	}
	return nil
}

// choose picks and sorts what was asked for.
func (l *lister) choose(found *snapshot.Snapshot) []listed {
	judge := newJudge(found)
	var list []listed
	for _, n := range found.Namespaces {
		if l.only != nil && !slices.Contains(l.only, n.Inode) {
			continue
		}
		chosen := listed{Namespace: n}
		for _, o := range n.Objects {
			orphan, comm := judge.orphan(&n, &o)
			if !l.wants(o.Kind) || l.orphans && orphan != orphanYes && orphan != orphanMaybe {
				continue
			}
			chosen.objects = append(chosen.objects, view.ListedObject{Object: o.Event(), Orphan: orphan, CreatorComm: comm})
		}
		all := len(l.kinds) == 0 && !l.orphans
		if all || len(chosen.objects) > 0 || n.Err != nil || l.queuesError(&n) != nil {
			list = append(list, chosen)
		}
	}
	l.less.sort(list)
	return list
}

func (l *lister) wants(kind string) bool { return len(l.kinds) == 0 || slices.Contains(l.kinds, kind) }

// queuesError is why POSIX queues are missing, if they were asked for.
func (l *lister) queuesError(n *snapshot.Namespace) error {
	if !l.wants(tracer.MQ.String()) {
		return nil
	}
	return n.MQ
}

// tell says what is not in the list.
func (l *lister) tell(w io.Writer, found *snapshot.Snapshot, list []listed) {
	tellHidden(w, found.Unreadable, found.UnreadableFDs, found.Partial)
	var closed []error
	for _, n := range list {
		if n.Err != nil {
			closed = append(closed, n.Err)
		}
	}
	if len(closed) > 0 {
		fmt.Fprintf(w, "ipctrace: could not look into %s: %s\n", plural(len(closed), "IPC namespace"), printable(closed[0].Error()))
	}
	if l.orphans && !initialPIDs() {
		fmt.Fprintln(w, "ipctrace: this is a pid namespace: of objects that processes outside of it made or used, it cannot be told whether they are orphans")
	}
}

func (l *lister) write(c *cobra.Command, list []listed) error {
	if len(list) == 0 { // there is always a namespace, one's own
		_, err := fmt.Fprintln(c.OutOrStdout(), "no such objects")
		return err
	}
	namespaces := make([]view.ListedNamespace, len(list))
	for i := range list {
		namespaces[i] = l.row(&list[i])
	}
	return view.Listing(c.OutOrStdout(), namespaces, view.Options{
		Color: colored(c.Flags(), c.OutOrStdout()), Limits: l.limits, Width: columns(c.OutOrStdout()),
	})
}

func (l *lister) row(n *listed) view.ListedNamespace {
	row := view.ListedNamespace{
		Processes: len(n.Processes), Objects: n.objects, Filtered: len(l.kinds) > 0 || l.orphans,
		Containers: labels(containersIn(&n.Namespace.Namespace, l.names)),
	}
	row.Namespace.Inode, row.Namespace.Initial, row.Namespace.Label = n.Inode, n.Initial, n.Label
	for _, pin := range n.Pins {
		row.Pins = append(row.Pins, fmt.Sprintf("%s %s", pin.Kind, pin.Path))
	}
	if n.Err != nil {
		row.Err = n.Err.Error()
		return row
	}
	if err := l.queuesError(&n.Namespace); err != nil {
		row.Note = "POSIX queues not listed: " + err.Error()
	}
	row.Limits = limitsUsed(&n.Limits, l.wants)
	return row
}

// limitsUsed are those of the kinds that are wanted, as far as they are known.
func limitsUsed(of *sysvipc.Limits, wants func(kind string) bool) (used []view.Limit) {
	for _, limit := range limits {
		if at := limit.of(of); at.Known && wants(limit.kind) {
			used = append(used, view.Limit{Name: limit.name, Used: at.Used, Max: at.Max, Unit: limit.unit, AtLeast: limit.kind == tracer.MQ.String()})
		}
	}
	return used
}

// limits of a namespace, and what they are of.
var limits = []struct {
	name, kind, unit string
	of               func(*sysvipc.Limits) sysvipc.Limit
}{
	{"SHMMNI", "shm", "segments", func(l *sysvipc.Limits) sysvipc.Limit { return l.SHMMNI }},
	{"SHMALL", "shm", "pages", func(l *sysvipc.Limits) sysvipc.Limit { return l.SHMALL }},
	{"MSGMNI", "msg", "queues", func(l *sysvipc.Limits) sysvipc.Limit { return l.MSGMNI }},
	{"SEMMNI", "sem", "sets", func(l *sysvipc.Limits) sysvipc.Limit { return l.SEMMNI }},
	{"SEMMNS", "sem", "semaphores", func(l *sysvipc.Limits) sysvipc.Limit { return l.SEMMNS }},
	{"queues_max", "mq", "POSIX queues", func(l *sysvipc.Limits) sysvipc.Limit { return l.QueuesMax }},
}

// columns of the terminal, 0 where there is none.
func columns(out any) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
