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

	"github.com/docker/go-units"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// recorder is ipctrace record.
type recorder struct {
	sel               selection
	file              string
	rotateSize, queue string
	rotateTime        time.Duration
	keep              int
	compress, fsync   string
	signKey, sealTo   string
	nice              int
	stderr            io.Writer
	stdout            io.Writer
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
old one. Ctrl-C ends it. docs/record.md says how the seals work.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			r.stdout, r.stderr = c.OutOrStdout(), c.ErrOrStderr()
			return r.run(c)
		},
	}
	r.add(command.Flags())
	return command
}

func (r *recorder) add(f *pflag.FlagSet) {
	r.sel.add(f)
	f.StringVarP(&r.file, "output", "o", "", "write to this `FILE`; - is stdout")
	f.StringVar(&r.rotateSize, "rotate-size", "", "begin a new file after this `SIZE` (100M, 1G); the old one is FILE.000001 and so on")
	f.DurationVar(&r.rotateTime, "rotate-time", 0, "begin a new file after this `TIME` (24h)")
	f.IntVar(&r.keep, "keep", 0, "keep the newest `N` of the old files and delete the others; 0 keeps all")
	f.StringVar(&r.compress, "compress", "", "compress the old files: `zstd|gzip`")
	f.StringVar(&r.fsync, "fsync", string(journal.FsyncInterval), "bring to the disk what was written: `interval|always|none`; interval is about every second")
	f.StringVar(&r.signKey, "sign", "", "sign the seals with the key in this `FILE`: see ipctrace keygen")
	f.StringVar(&r.sealTo, "seal-to", "", "keep the seals elsewhere too: `FILE|URL|'|COMMAND'`")
	f.IntVar(&r.nice, "nice", -10, "priority of the two threads that read and write, as of nice(1), within their session or cgroup, `-20…19`; 0: as ipctrace has it")
	f.StringVar(&r.queue, "queue", "4M", "how much may wait for the disk before events are lost: `SIZE`")
}

// complete refuses flags that do nothing, and reads those that are no text.
func (r *recorder) complete(f *pflag.FlagSet) (journal.Config, error) {
	cfg := journal.Config{
		File: r.file, RotateEvery: r.rotateTime, Keep: r.keep,
		Compress: journal.Compression(r.compress), Fsync: journal.Fsync(r.fsync),
		Begin: func() { _ = prioritize(r.nice) }, Now: now, Warn: func(text string) { fmt.Fprintf(r.stderr, "ipctrace: %s\n", printable(text)) },
	}
	var err error
	if cfg.RotateSize, err = size(f, "rotate-size"); err != nil {
		return cfg, err
	}
	queue, err := size(f, "queue")
	if err != nil {
		return cfg, err
	}
	cfg.Queue = int(queue)
	switch rotates := r.rotateTime > 0 || cfg.RotateSize > 0; {
	case r.file == "":
		return cfg, usagef("no file: ipctrace record -o FILE")
	case f.Changed("rotate-time") && r.rotateTime < time.Second:
		return cfg, usagef("--rotate-time %v: must be 1s or more", r.rotateTime)
	case r.keep < 0:
		return cfg, usagef("--keep %d: must not be negative", r.keep)
	case r.compress != "" && r.compress != string(journal.Gzip) && r.compress != string(journal.Zstd):
		return cfg, usagef("--compress: unknown format %q: zstd or gzip", r.compress)
	case r.fsync != string(journal.FsyncInterval) && r.fsync != string(journal.FsyncAlways) && r.fsync != string(journal.FsyncNone):
		return cfg, usagef("--fsync: unknown word %q: interval, always or none", r.fsync)
	case r.nice < -20 || r.nice > 19:
		return cfg, usagef("--nice %d: must be from -20 to 19", r.nice)
	case !rotates && (r.keep > 0 || r.compress != ""):
		return cfg, usagef("--keep and --compress are for old files: add --rotate-size or --rotate-time")
	case r.file == "-" && (rotates || f.Changed("fsync")):
		return cfg, usagef("stdout has no files to rotate, and no disk: name a file with -o")
	case r.file != "-" && cfg.Holds(r.sealTo):
		return cfg, usagef("--seal-to %s: the log itself is no witness", r.sealTo)
	}
	for _, name := range []string{"sign", "seal-to", "compress"} {
		if f.Changed(name) && f.Lookup(name).Value.String() == "" {
			return cfg, usagef("--%s: no value", name)
		}
	}
	if r.file == "-" {
		cfg.File, cfg.Out = "", r.stdout
	}
	return cfg, r.sel.complete(f)
}

// size reads a flag that is bytes: 100M is 100 MiB.
func size(f *pflag.FlagSet, name string) (int64, error) {
	text := f.Lookup(name).Value.String()
	if text == "" && !f.Changed(name) {
		return 0, nil
	}
	const least = 64 << 10
	n, err := units.RAMInBytes(text)
	if err != nil {
		return 0, usagef("--%s %q: not a size: 100M, 1G", name, text)
	}
	if n < least {
		return 0, usagef("--%s %s: must be 64K or more", name, text)
	}
	return n, nil
}

func now() (time.Time, time.Duration) {
	var clock tracer.Clock
	boot := clock.Boot()
	return clock.Wall(boot), boot
}

func (r *recorder) run(c *cobra.Command) error {
	cfg, err := r.complete(c.Flags())
	if err != nil {
		return err
	}
	traced, filter, err := r.sel.config()
	if err != nil {
		return err
	}
	if r.signKey != "" {
		if cfg.Key, err = journal.PrivateKey(r.signKey); err != nil {
			return err
		}
	}
	witness, err := r.witness(&cfg)
	if err != nil {
		return err
	}
	total, err := r.trace(c, traced, filter, cfg)
	if r.file == "-" && errors.Is(err, syscall.EPIPE) { // its reader has seen enough
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
	t, err := openTrace(c.Context(), traced, filter, r.stderr)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	defer t.Close()
	t.start.Filters = r.sel.words()
	ctx, cancel := r.sel.within(c.Context())
	defer cancel(nil)
	if r.file == "-" {
		hangup(ctx, r.stdout, cancel)
	}
	defer reopenOnHangup(log)()
	if err := prioritize(r.nice); err != nil { // the one that writes has not got it either
		cfg.Warn(fmt.Sprintf("--nice %d: %v: in a flood more is lost: needs CAP_SYS_NICE, or --nice 0", r.nice, err))
	}
	err = t.follow(ctx, r.sel.count, log)
	return log.Stop(), errors.Join(err, log.Close())
}

// witness begins to keep seals elsewhere, if that was asked for. What it returns
// ends it.
func (r *recorder) witness(cfg *journal.Config) (end func() error, err error) {
	if r.sealTo == "" {
		return func() error { return nil }, nil
	}
	w, err := journal.NewWitness(r.sealTo, cfg.Warn)
	if err != nil {
		return nil, usagef("--seal-to: %w", err)
	}
	cfg.Sealed = w.Tell
	return w.Close, nil
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
