package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
)

// recorder is ipctrace record.
type recorder struct {
	sel            selection
	log            logFlags
	stderr, stdout io.Writer
}

func newRecord() *cobra.Command {
	var r recorder
	command := &cobra.Command{
		Use:   "record -o FILE",
		Short: "Keep what happens as a log that shows whether it is whole",
		Long: `record writes the events of docs/events.md, a JSON object a line, into a file, and
seals them, at least once a second, so that nobody can change, drop or add a line
unseen: "ipctrace verify" checks it, "ipctrace replay" shows what is in it. A log
that is there is continued. SIGHUP begins a new file where logrotate has moved the
old one. Ctrl-C ends it. docs/record.md says how the seals work.

Exit status: 0 done · 1 events were dropped on the way to the file, or it could not be
written · 2 wrong usage · 3 this kernel or these privileges cannot.`,
		Example: `  sudo ipctrace record -o trace.jsonl --duration 3s
  sudo ipctrace record -o trace.jsonl --rotate-size 100M --keep 10 --compress zstd
  sudo ipctrace record -o trace.jsonl --seal-to '|logger -t ipctrace'`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			r.stdout, r.stderr = c.OutOrStdout(), c.ErrOrStderr()
			return r.run(c)
		},
	}
	r.sel.add(command.Flags())
	r.log.add(command.Flags())
	return command
}

func now() (time.Time, time.Duration) {
	var clock tracer.Clock
	boot := clock.Boot()
	return clock.Wall(boot), boot
}

func (r *recorder) run(c *cobra.Command) error {
	cfg, err := r.log.config(c.Flags().Changed)
	if err != nil {
		return err
	}
	cfg.Warn = func(text string) { fmt.Fprintf(r.stderr, "ipctrace: %s\n", printable(text)) }
	if r.log.toStdout() {
		cfg.File, cfg.Out = "", r.stdout
	}
	if err := r.sel.complete(c.Flags().Changed); err != nil {
		return err
	}
	traced, filter, err := r.sel.config()
	if err != nil {
		return err
	}
	witness, err := r.log.open(&cfg)
	if err != nil {
		return err
	}
	total, err := r.trace(c, traced, filter, cfg)
	if r.log.toStdout() && errors.Is(err, syscall.EPIPE) { // its reader has seen enough
		err = nil
	}
	if err := errors.Join(err, witness()); err != nil {
		return whole(err)
	}
	return r.summary(total)
}

// whole is an error whose text is all there is to it: no part of it is a normal
// end.
func whole(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled) {
		return errors.New(err.Error())
	}
	return err
}

// trace records until it is told to end. The log is opened first: whoever reads
// that it is attached knows that it records.
func (r *recorder) trace(c *cobra.Command, traced tracer.Config, filter stream.Filter, cfg journal.Config) (*event.Stop, error) {
	defer ignoreHangup()()
	log, err := journal.Open(cfg)
	if err != nil {
		return nil, err
	}
	t, err := openTrace(c.Context(), traced, filter, r.sel.engines, r.stderr)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	defer t.Close()
	t.start.Filters = r.sel.words()
	ctx, cancel := r.sel.within(c.Context())
	defer cancel(nil)
	if r.log.toStdout() {
		hangup(ctx, r.stdout, cancel)
	}
	defer reopenOnHangup(log)()
	if err := prioritize(r.log.Nice); err != nil { // the one that writes has not got it either
		cfg.Warn(fmt.Sprintf("--nice %d: %v: in a flood more is lost: needs CAP_SYS_NICE, or --nice 0", r.log.Nice, err))
	}
	err = t.follow(ctx, r.sel.count, log)
	return log.Stop(), errors.Join(err, log.Close())
}

// ignoreHangup keeps SIGHUP from ending what has not begun to write yet.
func ignoreHangup() (stop func()) {
	nothing := func() {}
	hangupMeans.Store(&nothing)
	return func() { hangupMeans.Store(nil) }
}

// reopenOnHangup lets SIGHUP mean what it means to daemons, also under nohup.
func reopenOnHangup(log *journal.Journal) (stop func()) {
	reopen := log.Reopen
	hangupMeans.Store(&reopen)
	if !signal.Ignored(syscall.SIGHUP) {
		return func() {}
	}
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		for range hangups {
			reopen()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
	}
}

// summary says what was recorded. To have lost some of it is a finding.
func (r *recorder) summary(total *event.Stop) error {
	if total == nil {
		return nil
	}
	fmt.Fprintf(r.stderr, "ipctrace: %s recorded, %d found; %d produced = %d delivered + %d lost; %d dropped on the way to the file\n",
		plural(int(total.Written), "event"), total.Found, total.Produced, total.Delivered, total.Lost, total.Dropped)
	if total.Dropped > 0 {
		return errFinding
	}
	return nil
}
