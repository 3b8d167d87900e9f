package report

import "time"

// tick is a time on the axis.
type tick struct {
	at   time.Duration
	text string
}

// ticks are at round times, about eight of them.
func ticks(from time.Time, span time.Duration) []tick {
	steps := []time.Duration{1, 2, 5}
	step, unit := time.Duration(1), time.Duration(1)
	for i := 0; span/step > 8; i++ {
		if i%3 == 0 && i > 0 {
			unit *= 10
		}
		if unit >= time.Second {
			break
		}
		step = steps[i%3] * unit
	}
	for _, round := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400} {
		if span/step > 8 {
			step = max(step, round*time.Second)
		}
	}
	for span/step > 8 {
		step *= 2
	}
	form := "15:04:05"
	if step < time.Second {
		form = "15:04:05.000000"[:len("15:04:05.")+digitsOf(step)]
	} else if step >= 12*time.Hour {
		form = "2006-01-02 15:04"
	}
	var all []tick
	for at := from.UTC().Truncate(step); !at.After(from.Add(span)); at = at.Add(step) {
		if !at.Before(from) {
			all = append(all, tick{at.Sub(from), at.Format(form)})
		}
	}
	return all
}

// digitsOf a second a step needs, from 1 to 6.
func digitsOf(step time.Duration) int {
	digits := 1
	for unit := 100 * time.Millisecond; step%unit != 0 && digits < 6; unit /= 10 {
		digits++
	}
	return digits
}
