package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
)

func newProve() *cobra.Command {
	var out output
	var hooks string
	var shell bool
	command := &cobra.Command{
		Use:   "prove",
		Short: "Prove on this kernel that IPC namespaces isolate",
		Long: `prove starts two processes, A in this IPC namespace and B in a new one, lets each
make a queue, a segment and a semaphore set under the same key, and holds what
the kernel's hooks saw against what /proc/sysvipc shows in both namespaces.
Nothing it made stays behind.

With --shell it starts an interactive shell of yours in a new IPC namespace
instead, and shows what is made in it and on the host until you leave it.

Exit status: 0 proved · 1 not proved, or interrupted · 2 wrong usage · 3 this kernel or
these privileges cannot.

Environment:
  SHELL  what --shell starts`,
		Example: `  sudo ipctrace prove            # the verdict, and what it rests on
  sudo ipctrace prove --json | jq .proved
  sudo ipctrace prove --shell    # try it yourself`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			asJSON, err := out.isJSON()
			if err != nil {
				return err
			}
			tier, err := tracer.ParseTier(hooks)
			if err != nil {
				return usagef("--hooks: %v%s", err, didYouMean(hooks, choices["hooks"]))
			}
			if shell {
				if asJSON {
					return usagef("--shell and --json exclude each other")
				}
				return proveShell(c, tier)
			}
			return prove(c, tier, asJSON)
		},
	}
	out.add(command.Flags())
	command.Flags().StringVar(&hooks, "hooks", tracer.Auto.String(), "hooks to use: `auto|fentry|syscall`")
	command.Flags().BoolVar(&shell, "shell", false, "an interactive shell in a new IPC namespace, traced until you leave it")
	return command
}

// proof is all that is found out, before a word of it is printed.
type proof struct {
	key          int32
	a, b         *party
	nsA, nsB     *os.File
	links        []nsresolve.Link
	madeA, madeB objects

	// What /proc/sysvipc showed, after B made its objects and after A did too.
	inA, inB       []sysvipc.Object
	laterA, laterB []sysvipc.Object
	left           []sysvipc.Object // with A's key, when all was over

	events    []*event.Event // of the making
	ends      []*event.Event // of the removal
	inventory *inventory.Inventory
	stats     tracer.Stats
	tier      tracer.Tier
}

func prove(c *cobra.Command, tier tracer.Tier, asJSON bool) error {
	p, err := experiment(c, tier)
	if err != nil {
		return err
	}
	checks := p.checks()
	if asJSON {
		err = p.writeJSON(c.OutOrStdout(), checks)
	} else {
		err = p.writeText(c.OutOrStdout(), checks, colored(c.Flags(), c.OutOrStdout()))
	}
	if err == nil && !proved(checks) {
		return errFinding
	}
	return err
}

// experiment runs the walk-through. Whatever happens, both processes are ended,
// and what they made is removed: by themselves, or here if they were killed.
func experiment(c *cobra.Command, tier tracer.Tier) (p *proof, err error) {
	p = &proof{inventory: inventory.New(inventory.Limits{})}
	if p.key, err = freeKey(); err != nil {
		return nil, err
	}
	if p.a, err = startParty("A", false); err != nil {
		return nil, err
	}
	defer p.a.stop()
	if p.b, err = startParty("B", true); err != nil {
		return nil, err
	}
	defer p.b.stop()
	ctx := c.Context()
	// A party that waits for an order notices that its stdin was closed.
	defer context.AfterFunc(ctx, func() { p.a.stdin.Close(); p.b.stdin.Close() })()

	cfg := tracer.Config{Tier: tier}
	if cfg.Namespaces, err = p.namespaces(); err != nil {
		return nil, err
	}
	t, err := openTrace(ctx, cfg, stream.Filter{}, container.Sockets{}, c.ErrOrStderr())
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	if err != nil {
		return nil, err
	}
	defer t.Close()
	p.tier = t.tracer.Tier()

	tracing, end := context.WithCancelCause(ctx)
	var followed error
	var wg sync.WaitGroup
	wg.Go(func() { followed = t.follow(tracing, 0, p) })
	err = p.walk(t.resolver)
	p.a.stop()
	p.b.stop()
	end(errWork)
	wg.Wait()
	p.stats = t.tracer.Stats()
	leftErr := p.clean()
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	return p, errors.Join(err, followed, leftErr)
}

var errInterrupted = errors.New("interrupted: nothing is proved; what was made is removed")

// namespaces of the two parties: what is traced. Not their processes: the hooks
// count those as the initial pid namespace does, which this may not be.
func (p *proof) namespaces() ([]uint32, error) {
	var inodes []uint32
	for _, party := range []*party{p.a, p.b} {
		inode, err := namespaceOf(strconv.Itoa(party.pid()))
		if err != nil {
			return nil, err
		}
		inodes = append(inodes, inode)
	}
	return inodes, nil
}

// did says whether a party made the call: by the number it has for itself, which
// is this program's too.
func (p *party) did(e *event.Event) bool {
	own := e.Process.NSPID
	if own == 0 { // not readable
		own = e.Process.PID
	}
	return int(own) == p.pid()
}

// walk is the experiment itself.
func (p *proof) walk(resolver *nsresolve.Resolver) (err error) {
	if p.links, err = resolver.Diff(p.a.pid(), p.b.pid()); err != nil {
		return err
	}
	if p.nsA, err = openNamespace(p.a.pid()); err != nil {
		return err
	}
	defer p.nsA.Close()
	if p.nsB, err = openNamespace(p.b.pid()); err != nil {
		return err
	}
	defer p.nsB.Close()
	if p.madeB, err = p.b.make(p.key); err != nil {
		return err
	}
	if p.inA, p.inB, err = p.witness(); err != nil {
		return err
	}
	if p.madeA, err = p.a.make(p.key); err != nil {
		return err
	}
	p.laterA, p.laterB, err = p.witness()
	return err
}

func openNamespace(pid int) (*os.File, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/ipc", pid))
	if err != nil {
		return nil, fmt.Errorf("open namespace: %w", err)
	}
	return f, nil
}

// witness asks the kernel itself, in both namespaces.
func (p *proof) witness() (inA, inB []sysvipc.Object, err error) {
	a, errA := sysvipc.Read(p.nsA)
	b, errB := sysvipc.Read(p.nsB)
	if err := errors.Join(errA, errB); err != nil {
		if errors.Is(err, sysvipc.ErrPrivilege) {
			return nil, nil, fmt.Errorf("%w: %w", errCannot, sysvipc.ErrPrivilege)
		}
		return nil, nil, err
	}
	return a.Objects, b.Objects, nil
}

// clean removes what process A could not remove because it was killed: what the
// hooks saw it make and is still there. (B's namespace ends with B.) Then it
// looks what is left.
func (p *proof) clean() error {
	here, err := sysvipc.Here()
	if err != nil {
		return err
	}
	for _, e := range p.events {
		if e.Event != event.ObjectCreate || !p.a.did(e) {
			continue
		}
		made := func(o sysvipc.Object) bool { return o.Kind == e.Object.Kind && o.ID == *e.Object.ID }
		if slices.ContainsFunc(withKey(here, p.key), made) {
			_ = (&sysvipc.Object{Kind: e.Object.Kind, ID: *e.Object.ID}).Remove() // that it is gone already is no error
		}
	}
	here, err = sysvipc.Here()
	p.left = withKey(here, p.key)
	return err
}

// Write takes in what was done with the key of the experiment. Nobody else uses
// it. The inventory stays as it was before the end, for the table.
func (p *proof) Write(e *event.Event) error {
	switch {
	case e.Event == event.TraceLost:
		p.inventory.Apply(e)
	case e.Object == nil || int32(e.Object.Key) != p.key:
	case e.Event == event.ObjectFound: // a look saw it, not the hooks
	case e.Event == event.ObjectRemove || e.Event == event.ObjectMark:
		p.ends = append(p.ends, e.Clone())
	default:
		p.inventory.Apply(e)
		p.events = append(p.events, e.Clone())
	}
	return nil
}

// freeKey is a key that nobody uses in this namespace.
func freeKey() (int32, error) {
	here, err := sysvipc.Here()
	if errors.Is(err, fs.ErrNotExist) {
		return 0, errNoSysVIPC
	}
	if err != nil {
		return 0, err
	}
	key := int32(time.Now().UnixNano()&0xffffff) | 0x69000000 // recognisable: it begins with 0x69, an «i»
	for len(withKey(here, key)) > 0 {
		key++
	}
	return key, nil
}

func withKey(all []sysvipc.Object, key int32) []sysvipc.Object {
	var some []sysvipc.Object
	for _, o := range all {
		if o.Key == key {
			some = append(some, o)
		}
	}
	return some
}
