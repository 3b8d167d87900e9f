package view

import (
	"fmt"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

func NamespaceTitle(n *inventory.Namespace, opts Options) string {
	return "IPC namespace " + titleParts(n, opts) + Tally(n) + lastFailure(n)
}

// containersOf are the labels of those seen calling.
func containersOf(n *inventory.Namespace, name func(*event.Container) string) []string {
	labels := make([]string, len(n.Containers))
	for i, c := range n.Containers {
		labels[i] = name(c)
	}
	return labels
}

func titleParts(n *inventory.Namespace, opts Options) string {
	parts := n.String() + " · "
	if n.Label != "" {
		parts += Safe(n.Label, MaxLabel) + " · "
	}
	if born := Born(n, opts); born != "" {
		parts += born + " · "
	}
	if n.Processes == 0 && n.Existing {
		return parts
	}
	if shared := sharedBy(n.Initial, containersOf(n, opts.Container)); shared != "" {
		parts += shared + " · "
	}
	processes := Count(n.Processes, "process")
	if n.Processes >= inventory.MaxProcesses {
		processes = fmt.Sprintf("%d+ processes", n.Processes)
	}
	return parts + processes + " seen calling · "
}

// Born is how the namespace came to be, as far as that is known.
func Born(n *inventory.Namespace, opts Options) string {
	switch {
	case n.Existing:
		return "there before"
	case n.Born.IsZero():
		return ""
	}
	text := "born " + n.Born.In(opts.Location).Format(ShortClock)
	if n.Maker != nil {
		text += " by " + Caller(n.Maker)
	}
	if n.From != nil {
		text += " from " + n.From.String()
	}
	return text
}

func Tally(n *inventory.Namespace) string {
	if n.Existing && n.Created+n.Opened+n.Got+n.Failed == 0 {
		text := nonZero(amount{n.Marked, "marked"}, amount{n.Removed, "removed"}, amount{n.Joined, "joined"})
		return "nothing made since" + text
	}
	return tally(n.Created, n.Opened, n.Got, n.Failed) +
		nonZero(amount{n.Marked, "marked"}, amount{n.Removed, "removed"}, amount{n.Joined, "joined"})
}

// RemovedText is how many objects are gone, and why: "3 (2 rmid, 1 namespace)".
func RemovedText(n *inventory.Namespace) string {
	causes := ""
	for _, c := range []event.Cause{
		event.CauseRMID, event.CauseDetach, event.CauseExit, event.CauseUnlink, event.CauseNamespace, "",
	} {
		causes += nonZero(amount{n.RemovedBy(c), CauseText(c)})
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
	return " (last " + Safe(n.LastFailure, MaxWord) + ")"
}
