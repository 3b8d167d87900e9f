package screen

import (
	"fmt"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/view"
)

// Playback is where a log is that is played.
type Playback struct {
	From, To time.Time // of all of it; To is zero as long as nobody knows
	At       time.Time
	Speed    float64 // times as fast as it was; 0: without pauses
	Paused   bool
	Ended    bool
	Seeking  bool   // on the way to At
	Note     string // why a key did nothing
}

// Player plays a log. None of its methods waits until it is done.
type Player interface {
	Pause()             // or goes on; at the end, from the beginning
	Seek(part float64)  // goes on by a part of the log, or back
	Step(backward bool) // goes to the next event, or to the one before
	Faster(slower bool) // twice as fast, or half as fast
	Plain()             // as fast as it was
}

func (p *Playback) clone() *Playback {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// part of the log that is over, from 0 to 1; -1: nobody knows.
func (p *Playback) part() float64 {
	whole := p.To.Sub(p.From)
	if p.To.IsZero() || whole <= 0 {
		return -1
	}
	return min(1, max(0, float64(p.At.Sub(p.From))/float64(whole)))
}

// bar is the line of time of a log.
func (m *model) bar(p *picture) line {
	b := p.playback
	end := "?"
	if !b.To.IsZero() {
		end = m.timeText(b.To)
	}
	left := fmt.Sprintf(" %s %s  %s ", stateText(b), pad(speedText(b.Speed), 5), m.timeText(b.At))
	right := " " + end + " "
	room := m.columns - view.Width(left) - view.Width(right)
	if room < 5 {
		return plain(left)
	}
	done := 0
	if part := b.part(); part >= 0 {
		done = int(part * float64(room-1))
	}
	return line{{Text: left}, {Text: strings.Repeat("━", done) + "●", Style: view.Bold}, {Text: strings.Repeat("─", room-1-done), Style: view.Faint}, {Text: right}}
}

func (m *model) timeText(t time.Time) string {
	if t.IsZero() {
		return "--:--:--"
	}
	return t.In(m.opts.Location).Format(view.ShortClock)
}

func stateText(b *Playback) string {
	switch {
	case b.Seeking:
		return "»"
	case b.Ended:
		return "■"
	case b.Paused:
		return "‖"
	}
	return "▶"
}

func speedText(speed float64) string {
	if speed == 0 {
		return "max"
	}
	return fmt.Sprintf("%gx", speed)
}
