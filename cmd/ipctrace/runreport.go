package main

import (
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/tracer"
)

// runReport is what run has to say in the end.
type runReport struct {
	account            *ledger.Account
	command            *command
	tier               string
	gaps               []string
	unfollowed         uint64 // processes
	running            int    // processes of the command that still do
	left, inUse, doubt []view.Leftover
}

const (
	noteRemoved = "removed"
	noteMarked  = "removed: it goes when nobody has it attached"
	noteRunning = "not removed: processes of the command still run"
)

// mayHaveLeft says whether so many objects may be left behind: for certain, or
// perhaps. What was lost is no matter where all that is there is accounted for.
func (r *runReport) mayHaveLeft(n int) bool {
	return notAllowed(r.left)+notAllowed(r.doubt) >= n || r.account.Unplaced > 0
}

// notAllowed counts those that --leaks-allow does not name.
func notAllowed(objects []view.Leftover) (n int) {
	for _, o := range objects {
		if !o.Allowed {
			n++
		}
	}
	return n
}

func (r *runReport) write(w io.Writer, asJSON bool, opts view.Options) error {
	if asJSON {
		return writeJSON(w, r.json())
	}
	if _, err := fmt.Fprintf(w, "\n%s\n", r.title()); err != nil {
		return err
	}
	if err := view.Account(w, r.account, r.left, r.inUse, r.doubt, opts); err != nil {
		return err
	}
	if r.unfollowed > 0 {
		_, err := fmt.Fprintf(w, "not followed, as too many lived at once: %s, with their descendants\n", plural(int(r.unfollowed), "process"))
		return err
	}
	return nil
}

// title is "ipcmk[123] ended with 0 after 0.1 s".
func (r *runReport) title() string {
	c := r.command
	name := fmt.Sprintf("%s[%d]", view.Safe(path.Base(c.args[0]), 32), c.process.Pid)
	rest := ""
	if r.running > 0 {
		rest = "; " + plural(r.running, "process") + " of it still running"
	}
	switch {
	case !c.ended:
		return name + " still runs"
	case c.result.Signaled():
		return fmt.Sprintf("%s was ended by signal %d after %s%s", name, c.result.Signal(), c.took.Round(time.Millisecond), rest)
	}
	return fmt.Sprintf("%s ended with %d after %s%s", name, c.result.ExitStatus(), c.took.Round(time.Millisecond), rest)
}

// allowance is a pattern of what may be left behind.
type allowance struct{ kind, pattern string }

func parseAllowance(s string) (allowance, error) {
	var a allowance
	if kind, rest, ok := strings.Cut(s, ":"); ok {
		if _, err := parseKind(kind); err != nil {
			return a, err
		}
		a.kind, s = kind, rest
	}
	if _, err := path.Match(s, ""); err != nil || s == "" {
		return a, fmt.Errorf("%q is not a pattern: use * ? [] in a key (0x0052e2*) or a name (/job?)", s)
	}
	a.pattern = s
	return a, nil
}

// allowed says whether an object may be left behind.
func (r *runner) allowed(o *ledger.Object) bool {
	obj := &o.Object
	name := obj.Key.String()
	if obj.Kind == tracer.MQ.String() {
		name = strings.TrimPrefix(obj.Name, "/")
	}
	return slices.ContainsFunc(r.allow, func(s string) bool {
		a, _ := parseAllowance(s) // checked before
		ok, _ := path.Match(strings.TrimPrefix(a.pattern, "/"), name)
		return ok && (a.kind == "" || a.kind == obj.Kind)
	})
}

// statusError ends the program with the status of a command, of which nothing is
// to be said; nil for 0.
func statusError(status int) error {
	if status == 0 {
		return nil
	}
	return commandStatus(status)
}

// commandStatus is an error of few words: what went with it has been said.
type commandStatus int

func (commandStatus) Error() string { return "" }
