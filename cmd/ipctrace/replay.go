package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// replay is ipctrace replay.
type replay struct {
	filters
	out              output
	at, since, until string
	speed            string
	count            uint64
}

func newReplay() *cobra.Command {
	var r replay
	command := &cobra.Command{
		Use:   "replay FILE…",
		Short: "Show what is in a log: lines, the table of a moment, the screen",
		Long: `replay shows logs, as "ipctrace record" and "ipctrace live -o json" write them, the
way live shows what happens. It needs no privileges. On a terminal the log is played on
the screen: space stands still, ← and → go back and on, ? says what the other keys do;
between two traces it stands for two seconds at most. Elsewhere, and with -o text, there
is a line for each event, then the table by namespace and the totals; several traces come
one after the other. With --at there is the table alone, as it was then. With -o json
there are the lines themselves, as they stand in the files.

Name all files of a log: they are put into order. They may be compressed with gzip or
zstd; - is stdin. What the flags leave out is not in the table either; what was before
--since is.

TIME is 2006-01-02T15:04:05Z (RFC 3339), "2006-01-02 15:04:05" in local time, or 15:04:05
or 15:04 on the day on which the log begins. Where clocks are set back and show a time
twice, --since means the first one, --until and --at the second.

Lines that cannot be read are left out and told on stderr. -o json without other flags
does not read them, and writes all. Half a line at the end of a file is left out too.
Where lines are missing, stderr says which, and the table how many; a log from which
its first parts were deleted, as "record --keep" does, is shown without its beginning.

Exit status: 0 done · 1 a file or a line could not be read, or lines are missing ·
2 wrong usage.`,
		Example: `  ipctrace replay trace.jsonl                  # on a terminal: played on the screen
  ipctrace replay -o text trace.jsonl          # all that happened, and the table
  ipctrace replay trace.jsonl --event remove --kind shm
  ipctrace replay trace.jsonl --speed 10x
  ipctrace replay -o json trace.jsonl | jq -r .event | sort | uniq -c`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no file: ipctrace replay FILE…")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return r.run(c, args) },
	}
	r.add(command.Flags())
	return command
}

func (r *replay) add(f *pflag.FlagSet) {
	r.addPlaces(f, "INODE|INODE.GEN|host")
	r.addCalls(f)
	f.StringVar(&r.at, "at", "", "the table of this `TIME`, and no lines")
	f.StringVar(&r.since, "since", "", "lines from this `TIME` on")
	f.StringVar(&r.until, "until", "", "lines up to this `TIME`; the table is of then")
	f.StringVar(&r.speed, "speed", "", "play it so fast: `1x|10x|max`; on the screen without it as it was, and long logs faster")
	f.Uint64Var(&r.count, "count", 0, "end after `N` events, besides those of what was there")
	r.out.addScreen(f)
}

func (r *replay) run(c *cobra.Command, names []string) error {
	p, err := r.player(c.Flags())
	if err != nil {
		return err
	}
	if err := readable(names); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(c.Context())
	defer cancel(nil)
	hangup(ctx, c.OutOrStdout(), cancel)
	var faults faults
	if screen := r.screen(c); screen != nil {
		screen.files = journal.Files(names)
		p, err = screen.play(ctx, &faults)
	} else {
		if p.stage, err = r.stage(c); err != nil {
			return err
		}
		err = p.show(ctx, journal.Files(names), &faults)
	}
	faults.tell(c.ErrOrStderr())
	if err != nil || ctx.Err() != nil {
		return err // nil: what there is has been shown
	}
	if err := p.nothing(); err != nil {
		return err
	}
	if faults.unreadable+faults.gaps > 0 {
		return errFinding
	}
	return nil
}

// player is what the flags say of what is to be shown.
func (r *replay) player(f *pflag.FlagSet) (*player, error) {
	if err := r.complete(f); err != nil {
		return nil, err
	}
	filter, err := r.filter(loggedPlace)
	if err != nil {
		return nil, err
	}
	p := &player{filter: filter, count: r.count}
	for _, limit := range []struct {
		flag, text string
		last       bool
		ends       []**moment
	}{
		{"at", r.at, true, []**moment{&p.since, &p.until}},
		{"since", r.since, false, []**moment{&p.since}},
		{"until", r.until, true, []**moment{&p.until}},
	} {
		if !f.Changed(limit.flag) {
			continue
		}
		m, err := parseMoment(limit.text, time.Local)
		if err != nil {
			return nil, usagef("--%s: %w", limit.flag, err)
		}
		m.last = limit.last
		for _, end := range limit.ends {
			*end = &m
		}
	}
	if f.Changed("speed") {
		speed, err := parseSpeed(r.speed)
		if err != nil {
			return nil, err
		}
		p.pace = &pace{speed: speed}
	}
	return p, nil
}

// complete refuses what does not go together.
func (r *replay) complete(f *pflag.FlagSet) error {
	for _, name := range []string{"since", "until", "speed", "count", "output", "json"} {
		if f.Changed("at") && f.Changed(name) {
			return usagef("--at shows the table of a moment: it excludes --%s", name)
		}
	}
	if f.Changed("count") && r.count == 0 {
		return usagef("--count 0: must be 1 or more")
	}
	return r.filters.complete(f.Changed)
}

// readable makes sure that all files can be opened before anything is shown. What
// is no regular file is opened once, to be read.
func readable(names []string) error {
	for i, name := range names {
		if name == "-" {
			if slices.Contains(names[:i], name) {
				return usagef("-: stdin is read once")
			}
			continue
		}
		info, err := os.Stat(name)
		if err == nil && info.Mode().IsRegular() {
			var file *os.File
			if file, err = os.Open(name); err == nil {
				err = file.Close()
			}
		}
		if err != nil {
			return err
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a directory: name its files", name)
		}
	}
	return nil
}

// screen is what plays the log on a terminal, nil where it is to be written.
func (r *replay) screen(c *cobra.Command) *playback {
	file, ok := c.OutOrStdout().(*os.File)
	if !ok || !isTerminal(file) || r.at != "" || r.out.format != "" || r.out.json {
		return nil
	}
	b := &playback{
		fresh: func() (*player, error) { return r.player(c.Flags()) },
		pace:  &pace{speed: 1}, out: file, in: c.InOrStdin(), opts: view.Options{Color: colored(c.Flags(), file)},
	}
	if r.speed != "" {
		b.chosen = true
		b.pace.speed, _ = parseSpeed(r.speed) // player has said whether it is one
	}
	return b
}

// stage picks the one that fits the flags and stdout.
func (r *replay) stage(c *cobra.Command) (stage, error) {
	asJSON, err := r.out.isJSON()
	if err != nil {
		return nil, err
	}
	stdout := c.OutOrStdout()
	if asJSON {
		return &jsonStage{bufio.NewWriter(stdout)}, nil
	}
	opts := view.Options{Color: colored(c.Flags(), stdout)}
	return &textStage{out: bufio.NewWriter(stdout), opts: opts, tables: r.at != ""}, nil
}
