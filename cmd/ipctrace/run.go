package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func newRun() *cobra.Command {
	var r runner
	command := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT…]",
		Short: "Trace one command and its descendants: what it made, what it left behind",
		Long: `run starts a command and follows it and all its descendants, from their birth and
wherever they go: daemons, threads, into other IPC namespaces. When the last of
them has ended it says what they made, opened, removed and failed to, by namespace
and kind, and what they left behind, with the line that removes it.

The command keeps its stdin, stdout, stderr and terminal; what ipctrace says goes
to stderr, or to the file of -o. Signals sent to ipctrace are passed on; those of
the terminal reach the command by themselves. When the command has ended and
others are left, Ctrl-C ends the tracing. Orphans become children of ipctrace.

An object is left behind when a process of the command made it and it is still
there at the end. Where the hooks cannot tell who made it, the report says so; such
objects are neither counted as leaks nor removed. A segment that was removed while
somebody has it attached is no leak. Objects go with their namespace.

Exit status: N that of the command · 128+N signal N ended it · 126 it could not be
executed · 127 it was not found · 1 a finding that --fail-on-leak or --fail-on-fail
asks for, or what ipctrace had to say could not be written · 2 wrong usage · 3 this
kernel or these privileges cannot.`,
		Example: `  sudo ipctrace run -- make check                  # what the tests make and leave behind
  sudo ipctrace run -q --fail-on-leak --cleanup -- make check
  sudo ipctrace run --user nobody -- ipcmk -Q      # as another user
  sudo ipctrace run -q --json -o report.json -- ipcmk -M 4096`,
		ValidArgsFunction: completeCommand,
		RunE:              func(c *cobra.Command, args []string) error { return r.run(c, args) },
	}
	r.add(command.Flags())
	return command
}

// runner is the flags of run.
type runner struct {
	sel             selection
	filter          stream.Filter
	quiet, json     bool
	file, user      string
	detach, cleanup bool
	failOnLeak      int // 0: not
	failOnFail      []string
	allow           []string
}

func (r *runner) add(f *pflag.FlagSet) {
	r.sel.addPlaces(f)
	f.SetInterspersed(false) // what comes after the command is its own
	f.BoolVarP(&r.quiet, "quiet", "q", false, "only the report, not the events as they happen")
	f.StringVarP(&r.file, "output", "o", "", "write to this `FILE` instead of stderr")
	f.BoolVar(&r.json, "json", false, "only the report, as JSON: docs/run.md describes it")
	f.StringVar(&r.user, "user", "", "run the command as the user `NAME`")
	f.BoolVar(&r.detach, "detach-on-exit", false, "end when the command ends, whatever its descendants do")
	f.IntVar(&r.failOnLeak, "fail-on-leak", 0, "exit with 1 when `N` objects or more are left behind")
	f.Lookup("fail-on-leak").NoOptDefVal = "1"
	f.StringSliceVar(&r.failOnFail, "fail-on-fail", nil, "exit with 1 when a call that makes or opens an object failed with one of these errors: `ENOSPC,EACCES`")
	f.BoolVar(&r.cleanup, "cleanup", false, "remove what is left behind for certain")
	f.StringSliceVar(&r.allow, "leaks-allow", nil, "what may be left behind: `[KIND:]PATTERN` of a key or name (0x0052e2*, mq:/job?)")
}

func (r *runner) complete(f *pflag.FlagSet, args []string) error {
	if len(args) == 0 {
		return usagef("no command: ipctrace run [flags] -- COMMAND [ARGUMENT…]")
	}
	if r.failOnLeak < 0 || f.Changed("fail-on-leak") && r.failOnLeak == 0 {
		return usagef("--fail-on-leak %d: must be 1 or more", r.failOnLeak)
	}
	for _, name := range []string{"output", "user"} {
		if f.Changed(name) && f.Lookup(name).Value.String() == "" {
			return usagef("--%s: no value", name)
		}
	}
	for _, name := range r.failOnFail {
		if !event.IsErrnoName(name) {
			return usagef("--fail-on-fail: unknown error %q: a name as in errno(3), ENOSPC", name)
		}
	}
	if _, err := eachOf("leaks-allow", r.allow, parseAllowance); err != nil {
		return err
	}
	return r.sel.complete(f.Changed)
}

func (r *runner) run(c *cobra.Command, args []string) error {
	if err := r.complete(c.Flags(), args); err != nil {
		return err
	}
	cfg, filter, err := r.sel.config()
	if err != nil {
		return err
	}
	cfg.Follow = true
	filter.Followed = true
	r.filter = filter
	command, err := newCommand(c, args, r.user)
	if err != nil {
		return err
	}
	out, err := r.open(c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer out.Close()
	limit := memlock()
	t, err := openTrace(c.Context(), cfg, filter, r.sel.engines, c.ErrOrStderr())
	if c.Context().Err() != nil {
		return errNotBegun
	}
	if err != nil {
		return err
	}
	defer t.Close()
	limit.restore()
	return r.trace(c, t, command, out)
}

// errNotBegun: a signal came before the command was started.
var errNotBegun = fmt.Errorf("interrupted before the command was started%w", commandStatus(128+int(syscall.SIGINT)))

// open is where the events and the report go.
func (r *runner) open(stderr io.Writer) (io.WriteCloser, error) {
	if r.file == "" {
		return unclosed{stderr}, nil
	}
	f, err := os.OpenFile(r.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
	if err != nil {
		return nil, usage(err)
	}
	return f, nil
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// trace runs the command while its events are taken in, then gives account.
func (r *runner) trace(c *cobra.Command, t *trace, command *command, out io.WriteCloser) error {
	sink := &bookSink{ledger: ledger.New(t.looks.pending, hidden(t.tracer.Tier())...)}
	opts := view.Options{Color: r.file == "" && colored(c.Flags(), c.ErrOrStderr()), Native: nativeABI()}
	if !r.quiet && !r.json {
		sink.lines = t.lineSink(out, opts)
	}
	ctx := context.WithoutCancel(c.Context()) // signals are the command's
	tracing, end := context.WithCancelCause(ctx)
	var followed error
	var wg sync.WaitGroup
	wg.Go(func() { followed = t.follow(tracing, 0, sink) })
	command.tree = t.tracer
	err := t.tracer.Adopt(func() error { return command.start(c.Context()) })
	switch {
	case err == nil:
		dropRights(r.cleanup)
		err = command.wait(r.detach)
	case command.process != nil: // it runs, and nobody follows it
		_ = command.process.Kill()
	}
	running := 0
	if err == nil {
		running = command.running()
	}
	signal.Stop(command.signals) // from now on one ends this program, also where the report is not read
	end(errWork)
	wg.Wait()
	if err := errors.Join(err, followed); err != nil {
		return err
	}
	found, err := snapshot.Take(ctx, t.resolver)
	if err != nil {
		return err
	}
	r.narrow(found)
	report := r.settle(t, command, sink.ledger, found)
	report.running = running
	if r.cleanup {
		cleanUp(t.resolver, report)
	}
	written := report.write(out, r.json, opts)
	return r.verdict(report, errors.Join(sink.err, written, out.Close()))
}

// verdict is the exit status.
func (r *runner) verdict(report *runReport, written error) error {
	if errors.Is(written, syscall.EPIPE) {
		written = nil // the reader went away
	}
	if written != nil {
		return fmt.Errorf("write the report: %w", written)
	}
	switch {
	case r.failOnLeak > 0 && report.mayHaveLeft(r.failOnLeak):
		return errFinding
	case report.account.Failed(r.failOnFail...) > 0:
		return errFinding
	}
	return statusError(report.command.status())
}

// bookSink keeps the books, and writes lines as long as that goes well: the
// command goes on in any case.
type bookSink struct {
	ledger *ledger.Ledger
	lines  *lineSink // nil: none
	begun  bool      // the lines have their header
	err    error     // of lines
}

func (s *bookSink) Note(e *event.Event) { s.ledger.Apply(e) }

func (s *bookSink) Write(e *event.Event) error {
	s.ledger.Apply(e)
	if s.lines == nil || s.err != nil || e.Start != nil || e.Stop != nil {
		return nil
	}
	if !s.begun {
		s.begun = true
		s.err = s.lines.lines.Header()
	}
	if s.err == nil {
		s.err = s.lines.Write(e)
	}
	return nil
}
