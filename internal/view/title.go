package view

import (
	"fmt"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

func namespaceTitle(n *inventory.Namespace, opts Options) string {
	return "IPC namespace " + titleParts(n, bornText(n, opts), " seen calling", opts.nameOf) + namespaceTally(n) + lastFailure(n)
}

// namespaceTitleShort has the same facts but for failures, when there are none,
// and for who made the namespace.
func namespaceTitleShort(n *inventory.Namespace, opts Options) string {
	before := ""
	if n.Existing {
		before = "before"
	}
	return titleParts(n, before, "", opts.nameOf) + strings.Replace(namespaceTally(n), ", 0 failed", "", 1)
}

// containersOf are the labels of those seen calling.
func containersOf(n *inventory.Namespace, name func(*event.Container) string) []string {
	labels := make([]string, len(n.Containers))
	for i, c := range n.Containers {
		labels[i] = name(c)
	}
	return labels
}

func titleParts(n *inventory.Namespace, born, calling string, name func(*event.Container) string) string {
	parts := n.String() + " · "
	if n.Label != "" {
		parts += Safe(n.Label, maxLabel) + " · "
	}
	if born != "" {
		parts += born + " · "
	}
	if n.Processes == 0 && n.Existing {
		return parts
	}
	if shared := sharedBy(n.Initial, containersOf(n, name)); shared != "" {
		parts += shared + " · "
	}
	processes := count(n.Processes, "process")
	if n.Processes >= inventory.MaxProcesses {
		processes = fmt.Sprintf("%d+ processes", n.Processes)
	}
	return parts + processes + calling + " · "
}

// bornText is how the namespace came to be, as far as that is known.
func bornText(n *inventory.Namespace, opts Options) string {
	switch {
	case n.Existing:
		return "there before"
	case n.Born.IsZero():
		return ""
	}
	text := "born " + n.Born.In(opts.Location).Format(shortClock)
	if n.Maker != nil {
		text += " by " + callerText(n.Maker)
	}
	if n.From != nil {
		text += " from " + n.From.String()
	}
	return text
}

func namespaceTally(n *inventory.Namespace) string {
	if n.Existing && n.Created+n.Opened+n.Got+n.Failed == 0 {
		text := nonZero(amount{n.Marked, "marked"}, amount{n.Removed, "removed"}, amount{n.Joined, "joined"})
		return "nothing made since" + text
	}
	return tally(n.Created, n.Opened, n.Got, n.Failed) +
		nonZero(amount{n.Marked, "marked"}, amount{n.Removed, "removed"}, amount{n.Joined, "joined"})
}

// removedText is how many objects are gone, and why: "3 (2 rmid, 1 namespace)".
func removedText(n *inventory.Namespace) string {
	causes := ""
	for _, c := range []event.Cause{
		event.CauseRMID, event.CauseDetach, event.CauseExit, event.CauseUnlink, event.CauseNamespace, "",
	} {
		causes += nonZero(amount{n.RemovedBy(c), causeText(c)})
	}
	if causes == "" {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", n.Removed, strings.TrimPrefix(causes, ", "))
}

func lastFailure(n *inventory.Namespace) string {
	if n.LastFailure == "" {
		return ""
	}
	return " (last " + Safe(n.LastFailure, maxWord) + ")"
}
