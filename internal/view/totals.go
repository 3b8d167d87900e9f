package view

import (
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
	text := fmt.Sprintf("%s: %s; %s",
		count(t.Events+t.Found-t.ObjectsFound-t.NamespacesFound, "event"),
		tally(t.Created, t.Opened, t.Got, t.Failed)+
			nonZero(amount{t.Marked, "marked"}, amount{t.Removed, "removed"},
				amount{t.Born, "born"}, amount{t.Joined, "joined"}, amount{t.Freed, "ended"}),
		losses(t.Lost, t.Skipped))
	if t.ObjectsFound+t.NamespacesFound > 0 {
		text += fmt.Sprintf("\nthere before: %s, %s",
			count(t.ObjectsFound, "object"), count(t.NamespacesFound, "namespace"))
	}
	if t.Cleared > 0 {
		text += fmt.Sprintf("\ngone with their namespaces, besides: %s", count(t.Cleared, "object"))
	}
	return text + forgottenText(t)
}

func forgottenText(t inventory.Totals) string {
	const why = "\nno longer kept, as there were too many: "
	text := ""
	if t.ForgottenObjects+t.ForgottenNamespaces > 0 {
		text = why + count(t.ForgottenObjects, "object") + ", " + count(t.ForgottenNamespaces, "namespace")
	}
	if t.ForgottenGone+t.ForgottenFreed > 0 {
		text += why + count(t.ForgottenGone, "removed object") + ", " + count(t.ForgottenFreed, "ended namespace")
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

// losses that are certain, and those that may be: not every hook that the kernel
// skipped was about to tell of an event.
func losses(lost, skipped uint64) string {
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
