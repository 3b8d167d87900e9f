package view

import (
	"fmt"
	"strings"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

func namespaceTitle(n *inventory.Namespace) string {
	return "IPC namespace " + titleParts(n, " seen calling") + tally(n.Created, n.Opened, n.Got, n.Failed) + lastFailure(n)
}

// namespaceTitleShort has the same facts but for failures, when there are none.
func namespaceTitleShort(n *inventory.Namespace) string {
	counts := tally(n.Created, n.Opened, n.Got, n.Failed)
	return titleParts(n, "") + strings.TrimSuffix(counts, ", 0 failed")
}

func titleParts(n *inventory.Namespace, calling string) string {
	parts := n.String() + " · "
	if n.Label != "" {
		parts += Safe(n.Label, maxLabel) + " · "
	}
	processes := count(n.Processes, "process")
	if n.Processes >= inventory.MaxProcesses {
		processes = fmt.Sprintf("%d+ processes", n.Processes)
	}
	return parts + processes + calling + " · "
}

func lastFailure(n *inventory.Namespace) string {
	if n.LastFailure == "" {
		return ""
	}
	return " (last " + Safe(n.LastFailure, maxWord) + ")"
}
