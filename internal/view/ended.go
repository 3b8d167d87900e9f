package view

import (
	"fmt"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// endedBlock is a line for each of the namespaces that ended last, and one for all
// of them: often there are hundreds, one like the other.
func endedBlock(ended []*inventory.Namespace) []Row {
	var created, removed uint64
	for _, n := range ended {
		created += n.Created
		removed += n.Removed
	}
	block := []Row{{fmt.Sprintf("%s ended, in all %d created, %d removed", Count(len(ended), "IPC namespace"), created, removed), Bold}}
	if before := len(ended) - tableGone; before > 0 {
		block = append(block, Row{Text: fmt.Sprintf("… %d before these", before)})
		ended = ended[before:]
	}
	for _, n := range ended {
		block = append(block, Row{endedText(n), Faint})
	}
	return block
}

// endedText is a namespace that ended, in a line.
func endedText(n *inventory.Namespace) string {
	text := n.String() + " · "
	if n.Label != "" {
		text += Safe(n.Label, MaxLabel) + " · "
	}
	text += fmt.Sprintf("%d created, removed: %s", n.Created, RemovedText(n))
	if late := Late(n.Observed); late != "" {
		text += " · " + late
	}
	return text
}
