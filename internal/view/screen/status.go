package screen

import (
	"fmt"
	"strings"

	"github.com/ipctrace/ipctrace/internal/view"
)

// title is the first line: what there is, and what has become of it.
func (m *model) title(p *picture) line {
	if !p.begun {
		return styled("ipctrace", view.Bold)
	}
	ended := ""
	if p.totals.Freed > 0 {
		ended = fmt.Sprintf(" (%d ended)", p.totals.Freed)
	}
	return line{
		{Text: "ipctrace", Style: view.Bold},
		{Text: fmt.Sprintf(" · %s%s, %s · %s", view.Count(p.live, "IPC namespace"), ended, view.Count(p.objects, "object"), view.ObjectTotals(p.totals))},
	}
}

// status is the last line: what the session is, and what keys do; or the prompt.
func (m *model) status(p *picture) line {
	if m.prompt != nil {
		return m.promptLine()
	}
	var l line
	add := func(text string, s view.Style) {
		if len(l) > 0 {
			l = append(l, view.Row{Text: " · "})
		}
		l = append(l, view.Row{Text: text, Style: s})
	}
	if m.frozen != nil {
		add(fmt.Sprintf("PAUSED, %s since", view.Count(m.memory.total()-m.frozen.memory.total(), "event")), view.Alarm)
	}
	if m.filter != nil {
		add("filter: "+view.Safe(m.words, 40), view.Alarm)
	}
	if p.playback != nil && p.playback.Note != "" {
		add(view.Safe(p.playback.Note, m.columns), view.Alarm)
	}
	if m.ending {
		add("ending …", view.Alarm)
	}
	if p.begun {
		m.session(p, add)
	}
	keys := "? help · q quit"
	if room := m.columns - l.width() - view.Width(keys); room > 2 {
		l = append(l, view.Row{Text: strings.Repeat(" ", room) + keys, Style: view.Faint})
	} else {
		add(keys, view.Faint)
	}
	return l
}

// session says what the hooks are, how fast it goes, and what was lost.
func (m *model) session(p *picture, add func(string, view.Style)) {
	look := view.Normal
	if p.totals.Lost+p.totals.Skipped > 0 {
		look = view.Alarm
	}
	add(view.Losses(p.totals.Lost, p.totals.Skipped), look)
	add(rateText(p.events.all.rate(p.now))+" events/s", view.Normal)
	if m.follow {
		add("follow", view.Normal)
	}
	add(view.Safe(p.tier, view.MaxWord), view.Normal)
	if p.playback == nil {
		add(view.Age(p.now.Sub(p.started))+" elapsed", view.Normal)
	}
}

func (m *model) promptLine() line {
	const mark = "filter: "
	if m.prompt.failed != "" {
		return line{{Text: mark + view.Safe(m.prompt.text, 30) + "  "}, {Text: m.prompt.failed, Style: view.Failure}}
	}
	text := view.Safe(m.prompt.text, view.Whole)
	for room := m.columns - len(mark) - 1; text != "" && view.Width(text) > room; { // its end is what matters
		text = strings.TrimPrefix(text, string([]rune(text)[:1]))
	}
	l := line{{Text: mark, Style: view.Bold}, {Text: text}, {Text: " ", Style: chosen}}
	if m.prompt.text == "" {
		l = append(l, view.Row{Text: " kind=msg,shm ns=host comm=NAME uid=0 event=fail no-host … · empty: all", Style: view.Faint})
	}
	return l
}
