package view

import (
	"bytes"
	"testing"
)

func TestChecks(t *testing.T) {
	checks := []Check{
		{Name: "links", OK: true, Detail: "A and B differ in ipc alone"},
		{Name: "queue", Detail: "id 0 is seen in A:\n\x1b[2J"},
		{Name: "no detail", OK: true},
	}
	opts := plainOptions()
	got := rendered(t, func(w *bytes.Buffer) error { return Checks(w, checks, opts) })
	check(t, string(got), "✓ links: A and B differ in ipc alone\n✗ queue: id 0 is seen in A:\\n\\x1b[2J\n✓ no detail\n")
	opts.Color = true
	got = rendered(t, func(w *bytes.Buffer) error { return Checks(w, checks[1:2], opts) })
	check(t, string(got), "\x1b[31m✗ queue: id 0 is seen in A:\\n\\x1b[2J\x1b[0m\n")
}
