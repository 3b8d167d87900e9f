package main

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// moment is a TIME of the command line. One without a date is of the day on which
// the log begins.
type moment struct {
	at    time.Time
	daily bool
}

// parseMoment takes the forms of TIME; what has no zone is in loc.
func parseMoment(text string, loc *time.Location) (moment, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return moment{at: at}, nil
	}
	for _, form := range []string{time.DateTime, "2006-01-02T15:04:05"} {
		if at, err := time.ParseInLocation(form, text, loc); err == nil {
			return moment{at: at}, nil
		}
	}
	for _, form := range []string{"15:04", time.TimeOnly} {
		if at, err := time.ParseInLocation(form, text, loc); err == nil {
			return moment{at: at, daily: true}, nil
		}
	}
	return moment{}, usagef("%q is no time: 2006-01-02T15:04:05Z (RFC 3339), 2006-01-02 15:04:05 or 15:04:05 or 15:04 (local)", text)
}

// on is the moment in a log that begins at a time.
func (m moment) on(begin time.Time) time.Time {
	if !m.daily {
		return m.at
	}
	year, month, day := begin.In(m.at.Location()).Date()
	hour, minute, second := m.at.Clock()
	return time.Date(year, month, day, hour, minute, second, m.at.Nanosecond(), m.at.Location())
}

// span is from when to when a log is shown, both inclusive; nil: without an end.
type span struct{ since, until *time.Time }

func (s span) before(t time.Time) bool { return s.since != nil && t.Before(*s.since) }

func (s span) after(t time.Time) bool { return s.until != nil && t.After(*s.until) }

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
