package view

import (
	"io"
	"strings"
)

// Check is one thing that was looked into.
type Check struct {
	Name   string
	OK     bool
	Detail string
}

// Checks writes one line a check, with ✓ or ✗.
func Checks(w io.Writer, checks []Check, opts Options) error {
	var b strings.Builder
	for _, c := range checks {
		b.WriteString(checkRow(c).Render(opts.Color) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func checkRow(c Check) Row {
	text := Safe(c.Name, Whole)
	if c.Detail != "" {
		text += ": " + Safe(c.Detail, Whole)
	}
	if c.OK {
		return Row{"✓ " + text, Normal}
	}
	return Row{"✗ " + text, Failure}
}
