package view

import (
	"fmt"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
)

// endedBlock is a line for each of the namespaces that ended last, and one for all
// of them: often there are hundreds, one like the other.
func endedBlock(ended []*inventory.Namespace) []row {
	var created, removed uint64
	for _, n := range ended {
		created += n.Created
		removed += n.Removed
	}
	block := []row{{fmt.Sprintf("%s ended, in all %d created, %d removed", count(len(ended), "IPC namespace"), created, removed), bold}}
	if before := len(ended) - tableGone; before > 0 {
		block = append(block, row{text: fmt.Sprintf("… %d before these", before)})
		ended = ended[before:]
	}
	for _, n := range ended {
		block = append(block, row{endedText(n), faint})
	}
	return block
}

// endedText is a namespace that ended, in a line.
func endedText(n *inventory.Namespace) string {
	text := n.String() + " · "
	if n.Label != "" {
		text += Safe(n.Label, maxLabel) + " · "
	}
	text += fmt.Sprintf("%d created, removed: %s", n.Created, removedText(n))
	if late := Late(n.Observed); late != "" {
		text += " · " + late
	}
	return text
}

// fadingNamespaces are those that ended a moment ago, the newest last.
func fadingNamespaces(ended []*inventory.Namespace, now time.Time) []*inventory.Namespace {
	for len(ended) > 0 && now.Sub(ended[0].Freed) >= FadeTime {
		ended = ended[1:]
	}
	return ended
}

// endedRows are the newest of the namespaces that ended a moment ago, behind an
// empty row, in at most room rows.
func endedRows(ended []*inventory.Namespace, now time.Time, room int) []row {
	if len(ended) == 0 || room < 2 {
		return nil
	}
	rows := []row{{}}
	if shown := room - 1; len(ended) > shown {
		hidden := len(ended) - shown + 1
		rows = append(rows, row{fmt.Sprintf("… %s ended a moment ago", count(hidden, "more namespace")), faint})
		ended = ended[hidden:]
	}
	for _, n := range ended {
		rows = append(rows, row{"ended " + ageText(now.Sub(n.Freed)) + " ago · " + endedText(n), faint})
	}
	return rows
}
