package view

import (
	"fmt"
	"io"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// Totals writes the closing lines.
func Totals(w io.Writer, t inventory.Totals) error {
	_, err := io.WriteString(w, totalsText(t)+"\n")
	return err
}

func totalsText(t inventory.Totals) string {
	text := fmt.Sprintf("%s: %s; %s",
		count(t.Events, "event"), tally(t.Created, t.Opened, t.Got, t.Failed), losses(t.Lost, t.Skipped))
	if t.ForgottenObjects+t.ForgottenNamespaces > 0 {
		text += fmt.Sprintf("\nno longer kept, as there were too many: %s, %s",
			count(t.ForgottenObjects, "object"), count(t.ForgottenNamespaces, "namespace"))
	}
	return text
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
