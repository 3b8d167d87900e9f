package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/spf13/cobra"
)

func newLive() *cobra.Command {
	var sel selection
	var out output
	command := &cobra.Command{
		Use:   "live",
		Short: "Show objects and namespaces come and go, as it happens",
		Long: `live shows the IPC objects of the machine by IPC namespace, from those that are
there to those that come and go while it runs, and the namespaces themselves: on
a terminal as a screen, into a pipe what happens as a line each, with -o json as
the events of docs/events.md. Ctrl-C ends it; then comes the table by namespace.

The screen has the namespaces, the chosen one and its neighbours side by side or
one of them opened into its objects, and the newest events. Arrows move, enter
opens, d tells all that is known of an object, / shows only what you want to see,
? says what the other keys do. docs/live.md has more of it.

Exit status: 0 done · 1 interrupted by an error · 2 wrong usage · 3 this kernel or
these privileges cannot.`,
		Example: `  sudo ipctrace live --no-host             # in containers alone
  sudo ipctrace live --ns pid:1234 --kind shm,sem
  sudo ipctrace live --event fail | cat    # calls that fail, a line each
  sudo ipctrace live -o json --duration 5s | jq -r 'select(.object) | .process.comm'`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			return live(c, &sel, &out)
		},
	}
	sel.add(command.Flags())
	out.addScreen(command.Flags())
	return command
}

func live(c *cobra.Command, sel *selection, out *output) error {
	asJSON, err := out.isJSON()
	if err != nil {
		return err
	}
	if err := sel.complete(c.Flags().Changed); err != nil {
		return err
	}
	cfg, filter, err := sel.config()
	if err != nil {
		return err
	}
	t, err := openTrace(c.Context(), cfg, filter, sel.engines, c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer t.Close()
	t.start.Filters = sel.words()

	ctx, cancel := sel.within(c.Context())
	defer cancel(nil)
	hangup(ctx, c.OutOrStdout(), cancel)
	return t.show(ctx, c, sel.count, out.format != "" && !asJSON, asJSON)
}

// show picks the sink that fits stdout.
func (t *trace) show(ctx context.Context, c *cobra.Command, count uint64, asLines, asJSON bool) error {
	stdout, stderr := c.OutOrStdout(), c.ErrOrStderr()
	opts := view.Options{Color: colored(c.Flags(), stdout), Native: nativeABI(), Names: t.containerLabel, Left: t.containerGone}
	if asJSON {
		return t.follow(ctx, count, &jsonSink{batch: batch{out: stdout}})
	}
	if file, ok := stdout.(*os.File); ok && !asLines && isTerminal(file) {
		return t.showScreen(ctx, c, count, file, opts)
	}
	out := &batch{out: stdout}
	lines := t.lineSink(out, opts)
	lines.batch = out
	if err := lines.lines.Header(); err != nil {
		return err
	}
	err := t.follow(ctx, count, lines)
	opts.Color = colored(c.Flags(), stderr)
	return errors.Join(err, t.summary(stderr, opts))
}

// summary is what stays when a trace is over: the table by namespace, and totals.
func (t *trace) summary(w io.Writer, opts view.Options) error {
	t.inventory.Relabel(t.label)
	return summarize(w, t.inventory, time.Now(), opts)
}

func summarize(w io.Writer, inv *inventory.Inventory, now time.Time, opts view.Options) error {
	if err := view.Table(w, inv, now, opts); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return view.Totals(w, inv.Totals())
}

func (t *trace) lineSink(w io.Writer, opts view.Options) *lineSink {
	return &lineSink{lines: view.NewLines(w, opts), since: int64(t.looks.pending.To)}
}
