package view

import (
	"io"
	"strconv"
	"strings"
)

// NamespaceRow is an IPC namespace and who is in it.
type NamespaceRow struct {
	Namespace string
	Label     string
	Processes int
	Threads   int
	Oldest    string
	Pins      []string // what keeps it besides processes

	Containers []string // that processes in it are in
}

// Namespaces writes a table of namespaces.
func Namespaces(w io.Writer, rows []NamespaceRow, opts Options) error {
	cells := make([][]string, len(rows))
	for i, r := range rows {
		pins := make([]string, len(r.Pins))
		for j, pin := range r.Pins {
			pins[j] = Safe(pin, Whole)
		}
		cells[i] = []string{
			Safe(r.Namespace, Whole), orNone(Safe(r.Label, 2*MaxLabel)),
			strconv.Itoa(r.Processes), strconv.Itoa(r.Threads),
			orNone(Safe(r.Oldest, Whole)), orNone(sharedText(r.Containers)), orNone(strings.Join(pins, ", ")),
		}
	}
	return writeGrid(w, []string{"NAMESPACE", "LABEL", "PROCESSES", "THREADS", "OLDEST", "CONTAINERS", "PINS"}, cells, opts,
		func(int) Style { return Normal })
}

// LinkRow is one kind of namespace, and the link to it each process has.
type LinkRow struct {
	Name   string
	Values []string
	Same   bool
}

// Links writes a table of namespace links, one column for each of the processes
// that headers name, and marks the rows in which they differ.
func Links(w io.Writer, headers []string, rows []LinkRow, opts Options) error {
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = append([]string{Safe(r.Name, Whole)}, allSafe(r.Values)...)
		for len(cells[i]) <= len(headers) {
			cells[i] = append(cells[i], None)
		}
		mark := "≠ differs"
		if r.Same {
			mark = "= same"
		}
		cells[i] = append(cells[i], mark)
	}
	header := append(append([]string{"LINK"}, allSafe(headers)...), "")
	return writeGrid(w, header, cells, opts, func(i int) Style {
		if rows[i].Same {
			return Normal
		}
		return Bold
	})
}

func allSafe(texts []string) []string {
	safe := make([]string, len(texts))
	for i, text := range texts {
		safe[i] = Safe(text, Whole)
	}
	return safe
}
