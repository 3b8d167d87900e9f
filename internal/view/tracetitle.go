package view

import (
	"fmt"
	"io"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// TraceTitle writes of what trace is what follows: where and how it was made, as
// far as s says, and of when it is.
func TraceTitle(w io.Writer, s *event.Start, from, to time.Time, opts Options) error {
	where := "without its beginning"
	if s.Tier != "" {
		where = hostText(s)
	}
	at := func(t time.Time) string { return t.In(opts.orDefault().Location).Format(time.DateTime) }
	title := row{fmt.Sprintf("trace · %s · %s to %s", where, at(from), at(to)), bold}
	_, err := io.WriteString(w, title.render(opts.Color)+"\n")
	return err
}
