package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/view/report"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// reporter is ipctrace report.
type reporter struct {
	filters
	verifier     verifier
	since, until string
	output       string
	svg          bool
}

func newReport() *cobra.Command {
	var r reporter
	command := &cobra.Command{
		Use:   "report FILE… -o report.html",
		Short: "Make one page of a log: timeline, tables, leaks, limits, the verdict of its seals",
		Long: `report makes one self-contained HTML page of logs, as "ipctrace record" and "ipctrace
live -o json" write them. It needs no privileges, and the page loads nothing from
elsewhere. On it: what the seals say (as "ipctrace verify" does), what was left behind,
which limits were reached, a timeline with a lane for each IPC namespace, and tables of
namespaces, objects and events that one can filter and sort.

With --svg it is the timeline alone, as a drawing without a script.

Without -o the page goes to stdout, if that is no terminal. A FILE is replaced when the
page is complete, not before. Name all files of a log; they may be compressed with gzip or
zstd; - is stdin. TIME is as in "ipctrace replay --help".

A page is bounded: of more than 120,000 events it has the first and the last, and counts
of the others. What it leaves out is said on it.

Exit status: 0 done · 1 the log is not whole, not sealed, or could not be read to its end:
the page is there, and says so; or no page could be made · 2 wrong usage.`,
		Example: `  ipctrace report trace.jsonl -o report.html
  ipctrace report trace.jsonl --kind shm -o shm.html     # of segments alone
  ipctrace report --svg trace.jsonl -o timeline.svg      # the drawing, for a document`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no file: ipctrace report FILE… -o report.html")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return r.run(c, args) },
	}
	r.add(command.Flags())
	return command
}

func (r *reporter) add(f *pflag.FlagSet) {
	r.addPlaces(f, "INODE|INODE.GEN|host")
	r.addCalls(f)
	f.StringVar(&r.since, "since", "", "events from this `TIME` on")
	f.StringVar(&r.until, "until", "", "events up to this `TIME`")
	f.StringVarP(&r.output, "output", "o", "", "write the page to this `FILE`; -: stdout")
	f.BoolVar(&r.svg, "svg", false, "the timeline alone, as an SVG drawing")
	r.verifier.addCheck(f)
}

func (r *reporter) run(c *cobra.Command, names []string) error {
	stdout := c.OutOrStdout()
	if file, ok := stdout.(*os.File); ok && (r.output == "" || r.output == "-") && anyTerminal(file) {
		return usagef("the page is not for a terminal: -o report.html")
	}
	if c.Flags().Changed("output") && r.output == "" {
		return refused("output", ": no value")
	}
	p, err := (&replay{filters: r.filters, since: r.since, until: r.until}).player(c.Flags())
	if err != nil {
		return err
	}
	check, err := r.verifier.check(c)
	if err != nil {
		return err
	}
	if err := readable(names); err != nil {
		return err
	}
	if err := r.spares(names); err != nil {
		return err
	}
	files, err := readTwice(c.Context(), names)
	if err != nil {
		return err
	}
	defer files.close()
	return r.make(c, p, files, check)
}

// spares refuses to write the page over the log.
func (r *reporter) spares(names []string) error {
	page, err := os.Stat(r.output)
	if err != nil || !page.Mode().IsRegular() {
		return nil
	}
	for _, name := range names {
		if log, err := os.Stat(name); err == nil && os.SameFile(page, log) {
			return refused("output", " %s: that is the log itself", r.output)
		}
	}
	return nil
}

// make reads the files twice: what the seals say, and what happened.
func (r *reporter) make(c *cobra.Command, p *player, files twice, check journal.Check) error {
	ctx := c.Context()
	verdict, err := verify(ctx, files.paths(), check)
	if err != nil {
		return err
	}
	for i := range verdict.Findings {
		verdict.Findings[i].File = files.name(verdict.Findings[i].File)
	}
	log := report.New(report.Limits{})
	stage := &reportStage{log: log, traces: map[*past]*report.Trace{}, player: p}
	p.stage = stage
	var faults faults
	if err := p.show(ctx, journal.Files(files.paths()), &faults); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errUnreported
	}
	for i, note := range faults.notes {
		faults.notes[i] = files.name(note)
	}
	faults.tell(c.ErrOrStderr())
	if err := p.nothing(); err != nil {
		return err
	}
	log.Verdict = report.Verdict{Report: verdict, Asked: check.Key != nil, Facts: r.verifier.facts(verdict)}
	if p.lines > verdict.Lines {
		log.Verdict.Grown = p.lines - verdict.Lines
	}
	log.Filters, log.Notes = r.words(), faults.all()
	if err := r.write(c.OutOrStdout(), log); err != nil {
		return err
	}
	return r.status(c.ErrOrStderr(), verdict, log, &faults)
}

// errUnreported ends what was not done: there is no page.
var errUnreported = errors.New("interrupted: no page was made")

// words are the flags that chose what is on the page.
func (r *reporter) words() []string {
	words := r.filters.words()
	for _, limit := range []struct{ flag, value string }{{"--since", r.since}, {"--until", r.until}} {
		if limit.value != "" {
			words = append(words, limit.flag+"="+limit.value)
		}
	}
	return words
}

// status says on stderr what makes the exit status 1.
func (r *reporter) status(stderr io.Writer, verdict *journal.Report, log *report.Log, faults *faults) error {
	switch {
	case verdict.Whole() && faults.unreadable+faults.gaps == 0:
		return nil
	case log.Verdict.Unsealed():
		fmt.Fprintln(stderr, "ipctrace: not sealed: nothing vouches for this log, and the page says so")
	case !verdict.Whole():
		fmt.Fprintln(stderr, "ipctrace: NOT WHOLE, and the page says so:")
		if err := r.verifier.text(stderr, verdict); err != nil {
			return err
		}
	}
	return errFinding
}

func (r *reporter) write(stdout io.Writer, log *report.Log) error {
	write := log.HTML
	if r.svg {
		write = log.SVG
	}
	if r.output == "" || r.output == "-" {
		return write(stdout)
	}
	return replaceFile(r.output, write)
}

// reportStage puts what is played on a page.
type reportStage struct {
	log    *report.Log
	player *player
	traces map[*past]*report.Trace
}

func (s *reportStage) begin(t *past) error {
	s.traces[t] = s.log.Begin(t.start, t.headless, t.from)
	return nil
}

func (s *reportStage) tell(t *past, e *event.Event, _ []byte) error {
	s.traces[t].Add(e)
	return nil
}

func (s *reportStage) remember(t *past, e *event.Event) { s.traces[t].Note(e) }

func (s *reportStage) end(t *past, now time.Time) error {
	from := t.from
	if since := s.player.span.since; since != nil && since.After(from) {
		from = *since
	}
	s.traces[t].End(from, now, t.missing)
	return nil
}

func (s *reportStage) flush() error { return nil }
func (s *reportStage) close() error { return nil }
