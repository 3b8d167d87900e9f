package screen

import (
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/view"
)

// overlay lies over the panes until it is closed.
type overlay interface {
	lines(m *model, p *picture, rows int) []line
	scroll(by int)
}

// scroller is where in a text the user is.
type scroller struct{ top int }

func (s *scroller) scroll(by int) { s.top = max(0, s.top+by) }

// window is what is seen of a text, with a title.
func (s *scroller) window(title string, text []line, rows int) []line {
	rows = max(0, rows-1) // the title's is one
	s.top = max(0, min(s.top, len(text)-rows))
	more := ""
	if len(text) > rows {
		more = " · ↑↓ for more"
	}
	return slices.Concat([]line{styled("▌"+title+" · esc closes"+more, view.Bold)}, text[s.top:min(len(text), s.top+rows)])
}

// help is what the keys do.
type help struct{ scroller }

var helpText = []string{
	"↑ ↓ j k      move · PgUp PgDn, g G: a page, to an end     enter     open the namespace, or what is chosen",
	"← → h l      the namespace before, after                  esc       back",
	"tab          the next part of the screen                  d         details: all that is known of it",
	"/            show only …, in the words of the flags:      s S       another order, backwards",
	"             kind=msg,shm ns=host comm=NAME event=fail    a         also what is quiet, or gone for longer",
	"             uid=0 pid=1 container=ID no-host             f         follow: go where something happens",
	"p            pause the screen: recording goes on          q Ctrl-C  end; then comes the table",
}

var helpShort = []string{
	"↑ ↓ j k PgUp PgDn g G  move",
	"← → h l    the namespace before, after",
	"tab        the next part of the screen",
	"enter      open the namespace, or what is chosen",
	"esc        back",
	"d          details: all that is known of it",
	"/          show only …, in the words of the flags:",
	"           kind=msg,shm ns=host comm=NAME uid=0",
	"           pid=1 event=fail container=ID no-host",
	"s S        another order, backwards",
	"a          also what is quiet, or gone for longer",
	"f          follow: go where something happens",
	"p          pause the screen: recording goes on",
	"q Ctrl-C   end; then comes the table",
}

var helpPlayer = []string{
	"space p    pause, go on; at the end, begin again",
	"← →        back, on: a twentieth of the log",
	", .        the event before, the next event",
	"+ - 0      faster, slower, as it was",
}

var helpSigns = []string{
	"≠          its key is in other namespaces too, of other objects",
	"PIDS       where nobody looks who is in it: who was seen calling",
	"EV/S ▁▂▃   events in each of the last seconds; ▁ is one,",
	"           a level is about six times the one below",
}

func (h *help) lines(m *model, p *picture, rows int) []line {
	var text []line
	add := func(lines []string) {
		for _, l := range lines {
			text = append(text, plain("  "+l))
		}
	}
	wide := m.columns > 2+view.Width(helpText[3])+20 && p.playback == nil
	if wide {
		add(helpText)
	} else {
		keys := helpShort
		if p.playback != nil {
			keys = slices.Clone(keys)
			keys[1], keys[12] = "h l        the namespace before, after", ""
			keys = slices.Concat(helpPlayer, slices.DeleteFunc(keys, func(s string) bool { return s == "" }))
		}
		add(keys)
	}
	text = append(text, nil)
	add(helpSigns)
	return h.window("KEYS", text, rows)
}

// indented are lines under another one.
func indented(texts ...string) []line {
	lines := make([]line, len(texts))
	for i, text := range texts {
		lines[i] = plain("  " + text)
	}
	return lines
}

// wrap breaks safe text into lines of so many columns, at spaces. A word that is longer
// is cut where it is shown.
func wrap(text string, columns int) []string {
	const indent = "    "
	var lines []string
	for view.Width(text) > columns {
		cut := view.Fit(text, columns)
		at := strings.LastIndexByte(strings.TrimSuffix(cut, "…"), ' ')
		if at <= len(indent) {
			break
		}
		lines = append(lines, text[:at])
		text = indent + text[at+1:]
	}
	return append(lines, text)
}
