package view

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// Totals writes the closing lines.
func Totals(w io.Writer, t inventory.Totals) error {
	_, err := io.WriteString(w, totalsText(t)+"\n")
	return err
}

func totalsText(t inventory.Totals) string {
	text := fmt.Sprintf("%s: %s%s; %s",
		Count(t.Events+t.Found-t.ObjectsFound-t.NamespacesFound, "event"),
		tally(t.Created, t.Opened, t.Got, t.Failed),
		nonZero(amount{t.Marked, "marked"}, amount{t.Removed, "removed"},
			amount{t.Born, "born"}, amount{t.Joined, "joined"}, amount{t.Freed, "ended"}),
		Losses(t.Lost, t.Skipped))
	if t.ObjectsFound+t.NamespacesFound > 0 {
		text += fmt.Sprintf("\nthere before: %s, %s",
			Count(t.ObjectsFound, "object"), Count(t.NamespacesFound, "namespace"))
	}
	if t.Cleared > 0 {
		text += fmt.Sprintf("\ngone without an event of their own, besides: %s", Count(t.Cleared, "object"))
	}
	return text + forgottenText(t)
}

// ObjectTotals are those of objects, in a few words.
func ObjectTotals(t inventory.Totals) string {
	text := nonZero(amount{t.Created, "created"}, amount{t.Opened, "opened"}, amount{t.Got, "got"}, amount{t.Failed, "failed"},
		amount{t.Marked, "marked"}, amount{t.Removed + t.Cleared, "removed"})
	return cmp.Or(strings.TrimPrefix(text, ", "), "nothing has happened")
}

func forgottenText(t inventory.Totals) string {
	const why = "\nno longer kept, as there were too many: "
	text := ""
	if t.ForgottenObjects+t.ForgottenNamespaces > 0 {
		text = why + Count(t.ForgottenObjects, "object") + ", " + Count(t.ForgottenNamespaces, "namespace")
	}
	if t.ForgottenGone+t.ForgottenFreed > 0 {
		text += why + Count(t.ForgottenGone, "removed object") + ", " + Count(t.ForgottenFreed, "ended namespace")
	}
	return text
}

type amount struct {
	n    uint64
	word string
}

// nonZero are the amounts of which there is any, a comma before each.
func nonZero(amounts ...amount) string {
	var b strings.Builder
	for _, a := range amounts {
		if a.n > 0 {
			fmt.Fprintf(&b, ", %d %s", a.n, a.word)
		}
	}
	return b.String()
}

// Losses that are certain, and those that may be: not every hook that the kernel
// skipped was about to tell of an event.
func Losses(lost, skipped uint64) string {
	if skipped == 0 {
		return fmt.Sprintf("%d lost", lost)
	}
	return fmt.Sprintf("%d lost, at most %d more not seen", lost, skipped)
}

// tally of calls. Most hooks can tell created from opened, and none is "got".
func tally(created, opened, got, failed uint64) string {
	gotText := ""
	if got > 0 {
		gotText = fmt.Sprintf("%d got, ", got)
	}
	return fmt.Sprintf("%d created, %d opened, %s%d failed", created, opened, gotText, failed)
}
