package view

// Style is how a whole row looks, as the parameter of the terminal's SGR.
type Style string

const (
	Normal  Style = ""
	Bold    Style = "1"
	Faint   Style = "2"
	Failure Style = "31" // red
	Alarm   Style = "7"  // inverse
)

// Row is a line of safe text. Its colour is put on last, so that cutting and
// aligning have plain text to do with.
type Row struct {
	Text  string
	Style Style
}

func (r Row) Render(color bool) string {
	if !color || r.Style == Normal || r.Text == "" {
		return r.Text
	}
	return "\x1b[" + string(r.Style) + "m" + r.Text + "\x1b[0m"
}
