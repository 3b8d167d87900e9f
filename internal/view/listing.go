package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
)

// ListedNamespace is an IPC namespace and what the kernel's lists say is in it.
type ListedNamespace struct {
	Namespace event.Namespace
	Processes int
	Pins      []string // what keeps it besides processes

	Containers []string // that processes in it are in
	Err        string   // why it could not be looked into; "" when it could
	Note       string   // what is missing from it, and why
	Limits     []Limit
	Objects    []ListedObject
	Filtered   bool // Objects may not be all
}

// ListedObject is an object as the kernel's list has it.
type ListedObject struct {
	*event.Object
	Orphan      string // "yes", "maybe", or "" for no
	CreatorComm string // "" when not known
}

// Limit is how much of what the kernel allows a namespace is used.
type Limit struct {
	Name      string // "SEMMNI"
	Used, Max uint64
	Unit      string // "bytes" are shown as such; "" for things that are counted
	AtLeast   bool   // more may be used than can be seen
}

// WarnAt is the part of a limit, in percent, from which on it is warned of.
const WarnAt = 80

// Unlimited is what the kernel's default limits of memory exceed by far.
const Unlimited = 1 << 62

// Listing writes every namespace with its objects, in one table.
func Listing(w io.Writer, namespaces []ListedNamespace, opts Options) error {
	opts = opts.Complete()
	header, lines, err := listedGrid(namespaces, opts)
	if err != nil {
		return err
	}
	var b strings.Builder
	if len(namespaces) == 0 {
		b.WriteString("no IPC namespaces\n")
	}
	before := 0
	for i, n := range namespaces {
		block := listedBlock(n, header, lines[:len(n.Objects)], opts)
		lines = lines[len(n.Objects):]
		if i > 0 && max(before, len(block)) > 1 {
			b.WriteByte('\n')
		}
		before = len(block)
		for _, r := range block {
			b.WriteString(r.Render(opts.Color) + "\n")
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func listedBlock(n ListedNamespace, header string, objects []string, opts Options) []Row {
	block := []Row{{listedTitle(n), Bold}}
	if n.Err != "" {
		block = append(block, Row{"could not look into it: " + Safe(n.Err, Whole), Failure})
	}
	if n.Note != "" {
		block = append(block, Row{Text: Safe(n.Note, Whole)})
	}
	block = append(block, limitRows(n.Limits, opts)...)
	if len(objects) > 0 {
		block = append(block, Row{header, Faint})
	}
	for _, line := range objects {
		block = append(block, Row{Text: line})
	}
	return block
}

func listedTitle(n ListedNamespace) string {
	parts := []string{"IPC namespace " + n.Namespace.String()}
	if n.Namespace.Label != "" {
		parts = append(parts, Safe(n.Namespace.Label, 2*MaxLabel))
	}
	parts = append(parts, Count(n.Processes, "process"))
	if shared := sharedBy(n.Namespace.Initial, n.Containers); shared != "" {
		parts = append(parts, shared)
	}
	if len(n.Pins) > 0 {
		parts = append(parts, "kept by "+pinsText(n.Pins))
	}
	if len(n.Objects) == 0 && n.Err == "" && !n.Filtered {
		parts = append(parts, "no objects")
	}
	return strings.Join(parts, " · ")
}

// sharedBy says which containers share a namespace, "" where they do not: in the initial
// one, with the host.
func sharedBy(initial bool, containers []string) string {
	switch {
	case initial && len(containers) > 0:
		return "shared by the host and " + sharedText(containers)
	case len(containers) > 1:
		return "shared by " + sharedText(containers)
	}
	return ""
}

// maxShared is how many containers are named: a host can have hundreds in one.
const maxShared = 4

func sharedText(containers []string) string {
	shown := make([]string, min(len(containers), maxShared))
	for i := range shown {
		shown[i] = Safe(containers[i], MaxLabel)
	}
	text := strings.Join(shown, ", ")
	if more := len(containers) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// maxPins is how many are named: runtimes of containers can hold dozens.
const maxPins = 2

func pinsText(pins []string) string {
	text := strings.Join(allSafe(pins[:min(len(pins), maxPins)]), ", ")
	if more := len(pins) - maxPins; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// limitRows are the limits that are nearly reached, and if all of them are asked
// for, the others.
func limitRows(limits []Limit, opts Options) []Row {
	var near, other []string
	for _, l := range limits {
		if l.Percent() >= WarnAt {
			near = append(near, l.Text())
		} else {
			other = append(other, l.Text())
		}
	}
	rows := wrapped("⚠ ", near, Failure, opts.Width)
	if opts.Limits {
		rows = append(rows, wrapped("limits: ", other, Normal, opts.Width)...)
	}
	return rows
}

// wrapped joins parts to as many rows as it takes to fit, 0 for one.
func wrapped(first string, parts []string, s Style, columns int) []Row {
	const between = " · "
	var rows []Row
	for _, part := range parts {
		last := len(rows) - 1
		switch {
		case last < 0:
			rows = append(rows, Row{first + part, s})
		case columns > 0 && Width(rows[last].Text)+Width(between+part) > columns:
			rows = append(rows, Row{strings.Repeat(" ", Width(first)) + part, s})
		default:
			rows[last].Text += between + part
		}
	}
	return rows
}

// used in percent. Of a limit of nothing all is used.
func (l Limit) Percent() float64 {
	if l.Max == 0 {
		return 100
	}
	return float64(l.Used) / float64(l.Max) * 100
}

func (l Limit) Text() string {
	least := ""
	if l.AtLeast {
		least = "≥"
	}
	amount := func(n uint64) string {
		if l.Unit == "bytes" {
			return Bytes(n)
		}
		return strconv.FormatUint(n, 10)
	}
	unit := ""
	if l.Unit != "" && l.Unit != "bytes" {
		unit = " " + Safe(l.Unit, MaxWord)
	}
	name := Safe(l.Name, MaxWord)
	if l.Max >= Unlimited {
		return fmt.Sprintf("%s %s%s%s (no limit)", name, least, amount(l.Used), unit)
	}
	return fmt.Sprintf("%s %s%s/%s%s (%s%.0f %%)", name, least, amount(l.Used), amount(l.Max), unit, least, l.Percent())
}
