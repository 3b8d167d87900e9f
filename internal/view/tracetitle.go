package view

import (
	"io"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// TraceTitle writes of what trace is what follows: where and how it was made, as
// far as s says, and of when it is; headless: it began before.
func TraceTitle(w io.Writer, s *event.Start, headless bool, from, to time.Time, opts Options) error {
	var parts []string
	if s.Tier != "" {
		parts = append(parts, hostText(s))
	}
	if headless {
		parts = append(parts, "without its beginning")
	}
	at := func(t time.Time) string { return t.In(opts.Complete().Location).Format(time.DateTime) }
	parts = append(parts, at(from)+" to "+at(to))
	title := Row{"trace · " + strings.Join(parts, " · "), Bold}
	_, err := io.WriteString(w, title.Render(opts.Color)+"\n")
	return err
}
