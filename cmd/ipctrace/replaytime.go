package main

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// moment is a TIME of the command line.
type moment struct {
	at    time.Time
	local bool // as the clocks of a place show it: without a zone
	daily bool // without a date: of the day on which the log begins
	last  bool // where clocks are set back and show it twice: the second time
}

// parseMoment takes the forms of TIME; what has no zone is in loc.
func parseMoment(text string, loc *time.Location) (moment, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return moment{at: at}, nil
	}
	for _, form := range []string{time.DateTime, "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(form, text, loc); err == nil {
			return moment{at: at, local: true}, nil
		}
	}
	for _, form := range []string{"15:04", time.TimeOnly} {
		if at, err := time.ParseInLocation(form, text, loc); err == nil {
			return moment{at: at, local: true, daily: true}, nil
		}
	}
	return moment{}, usagef("%q is no time: 2006-01-02T15:04:05Z (RFC 3339), 2006-01-02 15:04:05 or 15:04:05 or 15:04 (local)", text)
}

// on is the moment in a log that begins at a time.
func (m moment) on(begin time.Time) time.Time {
	at := m.at
	if m.daily {
		year, month, day := begin.In(at.Location()).Date()
		hour, minute, second := at.Clock()
		at = time.Date(year, month, day, hour, minute, second, at.Nanosecond(), at.Location())
	}
	if m.local {
		return oneOf(at, m.last)
	}
	return at
}

// oneOf is the first or the last moment at which clocks show what they show at a
// time: time.Date does not say which of them it gives.
func oneOf(at time.Time, last bool) time.Time {
	const day = 24 * time.Hour
	_, zone := at.Zone()
	for _, near := range []time.Time{at.Add(-day), at.Add(day)} {
		_, other := near.Zone()
		again := at.Add(time.Duration(zone-other) * time.Second)
		if _, there := again.Zone(); there == other && again.After(at) == last {
			return again
		}
	}
	return at
}

// span is from when to when a log is shown, both inclusive; nil: without an end.
type span struct{ since, until *time.Time }

func (s span) before(t time.Time) bool { return s.since != nil && t.Before(*s.since) }

func (s span) after(t time.Time) bool { return s.until != nil && t.After(*s.until) }

func (s span) has(t time.Time) bool { return !s.before(t) && !s.after(t) }

// parseSpeed takes how many times as fast as it was a log is to be played; 0 is
// without pauses.
func parseSpeed(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	number, times := strings.CutSuffix(text, "x")
	speed, err := strconv.ParseFloat(number, 64)
	if !times || err != nil || !(speed > 0) || math.IsInf(speed, 0) {
		return 0, usagef("--speed %q: 1x, 10x, 0.5x or max", text)
	}
	return speed, nil
}
