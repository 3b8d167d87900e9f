package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// grid lays safe cells out in columns without lines between them and returns the
// header and the rows, one line each. The library would otherwise rewrite what
// it is given: capitals and spaces in headers, wrapped and trimmed cells, hidden
// columns.
func grid(header []string, rows [][]string) ([]string, error) {
	cells := tw.CellConfig{
		Formatting: tw.CellFormatting{AutoWrap: tw.WrapNone, AutoFormat: tw.Off},
		Alignment:  tw.CellAlignment{Global: tw.AlignLeft},
		Padding:    tw.CellPadding{Global: tw.Padding{Right: gap, Overwrite: true}},
	}
	var b strings.Builder
	t := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithConfig(tablewriter.Config{
			Header: cells,
			Row:    cells,
			Behavior: tw.Behavior{
				AutoHide: tw.Off, TrimSpace: tw.Off, TrimLine: tw.Off, TrimTab: tw.Off,
			},
		}),
		tablewriter.WithEastAsian(tw.Off), // measured as width does
	)
	t.Header(header)
	if err := t.Bulk(rows); err != nil {
		return nil, fmt.Errorf("lay out table: %w", err)
	}
	if err := t.Render(); err != nil {
		return nil, fmt.Errorf("lay out table: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 1+len(rows) {
		return nil, fmt.Errorf("lay out table: %d lines for %d rows", len(lines), len(rows))
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines, nil
}

// gap between columns.
const gap = "  "

// gridWidths are those of the columns.
func gridWidths(header []string, rows [][]string) []int {
	widths := make([]int, len(header))
	for i, name := range header {
		widths[i] = Width(name)
		for _, cells := range rows {
			widths[i] = max(widths[i], Width(cells[i]))
		}
	}
	return widths
}

// gridWidth is that of the whole.
func gridWidth(widths []int) int {
	sum := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

// writeGrid writes a grid of safe cells, its rows in the style each has.
func writeGrid(w io.Writer, header []string, cells [][]string, opts Options, styleOf func(int) Style) error {
	lines, err := grid(header, cells)
	if err != nil {
		return err
	}
	var b strings.Builder
	for i, line := range lines {
		r := Row{line, Bold}
		if i > 0 {
			r.Style = styleOf(i - 1)
		}
		b.WriteString(r.Render(opts.Color) + "\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
