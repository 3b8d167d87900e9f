package view

// style is how a whole row looks, as the parameter of the terminal's SGR.
type style string

const (
	normal  style = ""
	bold    style = "1"
	faint   style = "2"
	failure style = "31" // red
	alarm   style = "7"  // inverse
)

// row is a line of safe text. Its colour is put on last, so that cutting and
// aligning have plain text to do with.
type row struct {
	text  string
	style style
}

func (r row) render(color bool) string {
	if !color || r.style == normal || r.text == "" {
		return r.text
	}
	return "\x1b[" + string(r.style) + "m" + r.text + "\x1b[0m"
}
