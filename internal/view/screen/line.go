package screen

import (
	"strings"

	"github.com/ipctrace/ipctrace/internal/view"
)

// Looks that only the screen has. They are of the sixteen colours that every terminal
// has, and of those the ones that are readable on dark and on light.
const (
	shared view.Style = "1;35" // magenta: a key that is in other namespaces too
	fresh  view.Style = "32"   // green: made a moment ago
	chosen view.Style = "7"    // inverse: where the user is
)

// line is a row of the screen, in pieces of different looks.
type line []view.Row

func plain(text string) line { return line{{Text: text}} }

func styled(text string, s view.Style) line { return line{{Text: text, Style: s}} }

func (l line) width() (columns int) {
	for _, piece := range l {
		columns += view.Width(piece.Text)
	}
	return columns
}

// fit cuts it to so many columns, or fills it up to them.
func (l line) fit(columns int) line {
	var fitted line
	for _, piece := range l {
		w := view.Width(piece.Text)
		if w > columns {
			piece.Text = view.Fit(piece.Text, columns)
			w = view.Width(piece.Text)
		}
		fitted = append(fitted, piece)
		if columns -= w; columns <= 0 {
			return fitted
		}
	}
	return append(fitted, view.Row{Text: strings.Repeat(" ", columns)})
}

// over gives all of it one look.
func (l line) over(s view.Style) line {
	var b strings.Builder
	for _, piece := range l {
		b.WriteString(piece.Text)
	}
	return styled(b.String(), s)
}

func (l line) render(color bool) string {
	var b strings.Builder
	for _, piece := range l {
		b.WriteString(piece.Render(color))
	}
	return b.String()
}

// pad fills safe text up to so many columns; what is longer is cut.
func pad(text string, columns int) string {
	text = view.Fit(text, columns)
	return text + strings.Repeat(" ", columns-view.Width(text))
}

// padLeft likewise, to the right.
func padLeft(text string, columns int) string {
	text = view.Fit(text, columns)
	return strings.Repeat(" ", columns-view.Width(text)) + text
}
