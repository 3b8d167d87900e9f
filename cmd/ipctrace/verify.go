package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// verifier is ipctrace verify.
type verifier struct {
	key, head string
	json      bool
}

func newVerify() *cobra.Command {
	var v verifier
	command := &cobra.Command{
		Use:   "verify FILE…",
		Short: "Check whether a log is whole and as it was written",
		Long: `verify accounts for every byte of a log that "ipctrace record" has written: it says
whether the log is whole, and if not which line was altered, what is missing, and what
nothing vouches for. Name all files of a log to check that none is missing; they may be
compressed; - is stdin. That the newest part was not cut off only a seal can show that was
kept elsewhere: --head.

Exit status: 0 whole · 1 not whole, or interrupted · 2 wrong usage.`,
		Example: `  ipctrace verify trace.jsonl
  ipctrace verify trace.jsonl*                 # with the older files of the log
  ipctrace verify --json trace.jsonl | jq .whole`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("no file: ipctrace verify FILE…")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return v.run(c.OutOrStdout(), c, args) },
	}
	f := command.Flags()
	v.addCheck(f)
	f.BoolVar(&v.json, "json", false, "the report as JSON")
	return command
}

func (v *verifier) addCheck(f *pflag.FlagSet) {
	f.StringVar(&v.key, "key", "", "seals must be signed with this key: its public `FILE`, or its 64 hexadecimal digits")
	f.StringVar(&v.head, "head", "", "a seal with this `HASH` must be in it, or one of this JSON line that --seal-to was given")
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (v *verifier) run(w io.Writer, c *cobra.Command, args []string) error {
	check, err := v.check(c)
	if err != nil {
		return err
	}
	report, err := verify(c.Context(), args, check)
	if err != nil {
		return err
	}
	write := v.text
	if v.json {
		write = func(w io.Writer, r *journal.Report) error { return writeJSON(w, jsonVerdict(r)) }
	}
	if err := write(w, report); err != nil {
		return err
	}
	if !report.Whole() {
		return errFinding
	}
	return nil
}

// errUnverified ends what was not done: there is no verdict.
var errUnverified = errors.New("interrupted: not verified")

// verify ends when it is told to, also while it waits for a pipe: a read cannot be
// broken off.
func verify(ctx context.Context, files []string, check journal.Check) (*journal.Report, error) {
	done := make(chan *journal.Report, 1)
	go func() { done <- journal.Verify(files, check) }()
	select {
	case report := <-done:
		return report, nil
	case <-ctx.Done():
		return nil, errUnverified
	}
}

func (v *verifier) check(c *cobra.Command) (check journal.Check, err error) {
	for _, name := range []string{"key", "head"} {
		if c.Flags().Changed(name) && c.Flags().Lookup(name).Value.String() == "" {
			return check, usagef("--%s: no value", name)
		}
	}
	if v.key != "" {
		if check.Key, err = journal.PublicKey(v.key); err != nil {
			return check, usagef("--key: %w", err)
		}
	}
	check.Head = headOf(v.head)
	if check.Head != "" && !hashForm.MatchString(check.Head) {
		return check, usagef("--head %q: not the hash of a seal: 64 hexadecimal digits", v.head)
	}
	return check, nil
}

// headOf takes a hash, or the line of a seal.
func headOf(text string) string {
	var line struct {
		Seal struct {
			Hash string `json:"hash"`
		} `json:"seal"`
	}
	if json.Unmarshal([]byte(text), &line) == nil && line.Seal.Hash != "" {
		text = line.Seal.Hash
	}
	return strings.ToLower(strings.TrimSpace(text))
}

// text is the report for people: the verdict first.
func (v *verifier) text(w io.Writer, r *journal.Report) error {
	out := &strings.Builder{}
	verdict := "whole"
	if !r.Whole() {
		verdict = "NOT WHOLE"
	}
	fmt.Fprintf(out, "%s: %s, %s, %s, %s\n", verdict, plural(r.Files, "file"), plural(int(r.Lines), "line"),
		plural(r.Seals, "seal"), view.Bytes(uint64(r.Bytes)))
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%s: %s: %s\n", f.Fault, place(f), view.Safe(f.Text, view.Whole))
	}
	if r.More > 0 {
		fmt.Fprintf(out, "and %d findings more\n", r.More)
	}
	for _, fact := range v.facts(r) {
		fmt.Fprintf(out, "%s\n", fact)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func place(f journal.Finding) string {
	switch {
	case f.File == "":
		return "the log"
	case f.Line == 0:
		return view.Safe(f.File, view.Whole)
	}
	return fmt.Sprintf("%s, line %d (byte %d)", view.Safe(f.File, view.Whole), f.Line, f.Offset)
}

// facts are what is worth knowing of a log, whole or not.
func (v *verifier) facts(r *journal.Report) []string {
	if r.Seals == 0 {
		return nil
	}
	var facts []string
	add := func(format string, args ...any) { facts = append(facts, fmt.Sprintf(format, args...)) }
	add("%s in %s; %s", plural(int(r.Events), "event"), plural(r.Traces, "trace"), lacking(r.Lost))
	if r.Logs > 1 {
		add("these are %d logs, which know nothing of each other", r.Logs)
	}
	if r.Logs > 1 && r.Headless > 0 {
		add("of %s the beginning is not among these files", plural(r.Headless, "log"))
	}
	if r.Broken > 0 {
		add("%s without trace.stop before another: who recorded was killed or could not write, and what was lost then is not known",
			plural(r.Broken, "trace"))
	}
	if r.After != "" {
		add("it begins with part %d; what was before is not among these files, and ended with the seal %s", r.Part, view.Safe(r.After, view.Whole))
	}
	switch {
	case r.Signed == 0:
		add("signed by nobody")
	case v.key == "":
		add("%d of %d seals are signed, the last with the key %s; whose that is, only --key can tell", r.Signed, r.Seals, view.Safe(r.Key, view.Whole))
	}
	if r.Late > 0 {
		add("%s sealed late, by who continued the log, not by who wrote them", plural(int(r.Late), "line"))
	}
	if !r.Ended {
		add("it does not end with trace.stop: who recorded was killed, or still records")
	}
	if v.head != "" && r.Beyond > 0 {
		add("%s after the seal that was asked for", plural(int(r.Beyond), "line"))
	}
	add("last seal: %s", view.Safe(r.Head, view.Whole))
	return facts
}

// lacking is what a log says itself that is not in it.
func lacking(l journal.Loss) string {
	if l == (journal.Loss{}) {
		return "by its own account none is missing"
	}
	return fmt.Sprintf("by its own account %d were lost in the kernel, %d on the way to the file, and at most %d more not seen",
		l.Kernel, l.Output, l.AtMost)
}

type jsonReport struct {
	Whole    bool          `json:"whole"`
	Files    int           `json:"files"`
	Lines    uint64        `json:"lines"`
	Bytes    int64         `json:"bytes"`
	Events   uint64        `json:"events"`
	Logs     int           `json:"logs"`
	Traces   int           `json:"traces"`
	Broken   int           `json:"broken"`
	Seals    int           `json:"seals"`
	Signed   int           `json:"signed"`
	Key      string        `json:"key"` // of the last seal; "": not signed
	Late     uint64        `json:"late"`
	Part     uint32        `json:"part"`
	Headless int           `json:"headless"` // logs whose first part is not there
	After    string        `json:"after"`    // "": it is there from its beginning
	Head     string        `json:"head"`
	Beyond   uint64        `json:"beyond"`
	Ended    bool          `json:"ended"`
	Lost     jsonLogLosses `json:"lost"`
	Findings []jsonFinding `json:"findings"`
	More     int           `json:"more"`
}

type jsonLogLosses struct {
	Kernel uint64 `json:"kernel"`
	AtMost uint64 `json:"at_most"`
	Output uint64 `json:"output"`
}

type jsonFinding struct {
	Fault  string `json:"fault"`
	File   string `json:"file"` // "": the log as a whole
	Line   int    `json:"line"` // 0: the file as a whole
	Offset int64  `json:"offset"`
	Text   string `json:"text"`
}

func jsonVerdict(r *journal.Report) jsonReport {
	out := jsonReport{
		Whole: r.Whole(), Files: r.Files, Lines: r.Lines, Bytes: r.Bytes, Events: r.Events, Logs: r.Logs, Traces: r.Traces, Broken: r.Broken,
		Seals: r.Seals, Signed: r.Signed, Key: r.Key, Late: r.Late, Part: r.Part, Headless: r.Headless, After: r.After, Head: r.Head,
		Beyond: r.Beyond, Ended: r.Ended, Lost: jsonLogLosses(r.Lost), Findings: []jsonFinding{}, More: r.More,
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, jsonFinding{string(f.Fault), f.File, f.Line, f.Offset, f.Text})
	}
	return out
}
