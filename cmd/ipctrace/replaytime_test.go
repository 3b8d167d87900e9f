package main

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"
	"time"
	_ "time/tzdata" // not each machine has it

	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/internal/view/screen"
)

func TestReplayMoment(t *testing.T) {
	loc := time.FixedZone("", 2*60*60)
	begin := time.Date(2026, 7, 14, 23, 30, 0, 0, time.UTC) // the 15th there
	for text, want := range map[string]string{
		"2026-07-14T04:33:17Z":           "2026-07-14T04:33:17Z",
		"2026-07-14T04:33:17.5Z":         "2026-07-14T04:33:17.5Z",
		"2026-07-14T04:33:17.000000123Z": "2026-07-14T04:33:17.000000123Z",
		"2026-07-14T04:33:17-07:00":      "2026-07-14T11:33:17Z",
		"2026-07-14 04:33:17":            "2026-07-14T02:33:17Z",
		"2026-07-14 04:33:17.25":         "2026-07-14T02:33:17.25Z",
		"2026-07-14T04:33:17":            "2026-07-14T02:33:17Z",
		"2026-07-14T04:33:17.25":         "2026-07-14T02:33:17.25Z",
		"04:33":                          "2026-07-15T02:33:00Z",
		"04:33:17":                       "2026-07-15T02:33:17Z",
		"04:33:17.25":                    "2026-07-15T02:33:17.25Z",
		"00:00":                          "2026-07-14T22:00:00Z",
	} {
		m, err := parseMoment(text, loc)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := m.on(begin).UTC().Format(time.RFC3339Nano); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "now", "4:33pm", "04", "2026-07-14", "2026-02-30 00:00:00", "25:00", "2026-07-14 04:33:17 Z", "1783999997", "-5m"} {
		if m, err := parseMoment(text, loc); err == nil {
			t.Errorf("%q is %v", text, m)
		}
	}
}

// TestReplayTwice: where clocks are set back they show a time twice.
func TestReplayTwice(t *testing.T) {
	for _, test := range []struct{ zone, text, begin, first, last string }{
		{"Europe/Berlin", "02:30", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
		{"Europe/Berlin", "2026-10-25 02:00:00", "2026-10-01T00:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
		{"Europe/Berlin", "03:00", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"},
		{"Europe/Berlin", "01:59:59", "2026-10-25T00:00:00Z", "2026-10-24T23:59:59Z", "2026-10-24T23:59:59Z"},
		{"Europe/Berlin", "2026-10-25T02:30:00+02:00", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"},
		{"Europe/Berlin", "03:30", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"},
		{"Australia/Lord_Howe", "01:45", "2026-04-04T14:00:00Z", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"}, // by half an hour
	} {
		loc, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		begin, err1 := time.Parse(time.RFC3339, test.begin)
		m, err2 := parseMoment(test.text, loc)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		first := m.on(begin).UTC().Format(time.RFC3339)
		m.last = true
		if last := m.on(begin).UTC().Format(time.RFC3339); first != test.first || last != test.last {
			t.Errorf("%q in %s is %s and %s, want %s and %s", test.text, test.zone, first, last, test.first, test.last)
		}
	}
}

func TestReplaySpeed(t *testing.T) {
	for text, want := range map[string]float64{"1x": 1, "10x": 10, "0.5x": 0.5, "1e3x": 1000, "max": 0} {
		if got, err := parseSpeed(text); err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "10", "0x", "-1x", "NaNx", "Infx", "+Infx", "1e999x", "1 x", "fast"} {
		if got, err := parseSpeed(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func clockOf(p *pace) time.Time {
	at, _ := p.state()
	return at
}

// TestReplayReach: keys go on from where the log is on the way to, and not from where it
// is for a moment; what is still ahead needs no other beginning.
func TestReplayReach(t *testing.T) {
	begin := time.Date(2026, 7, 14, 4, 33, 17, 0, time.UTC)
	second := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	begun := 0
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	shown := screen.Open(nil, null, func(func(*screen.Scene)) {}, screen.Controls{Quit: func() {}}, view.Options{})
	defer shown.Close()
	b := &playback{
		screen: shown,
		files:  []journal.File{{Name: sessionLog}}, pace: &pace{paused: true, clock: second(80), next: second(80), passed: 80},
		shown: &player{first: begin}, to: second(100), restart: func() { begun++ }, wake: make(chan struct{}, 1),
	}
	reaches := func(does string, want target, begins int) {
		t.Helper()
		if got, _ := b.goal(); got != want || begun != begins {
			t.Errorf("%s: on the way to %v, begun %d times; want %v and %d", does, got, begun, want, begins)
		}
	}
	b.Seek(-0.05)
	reaches("back", target{at: second(75)}, 1)
	b.Seek(-0.05)
	reaches("back again", target{at: second(70)}, 1)
	b.begin(new(player), func() { begun++ })
	if len(b.wake) > 0 {
		t.Error("it would be played once more")
	}
	reaches("begun", target{at: second(70)}, 1)
	b.pace.through(second(20), time.Now())
	b.Seek(-0.05)
	reaches("back on the way", target{at: second(65)}, 1)
	b.Step(true)
	reaches("a step on the way", target{at: second(65)}, 1)
	b.Seek(0.1)
	reaches("on", target{at: second(75)}, 1)
	b.Seek(-0.6)
	reaches("farther back than it is", target{at: second(15)}, 2)
	b.rewound = nil
	b.pace = &pace{paused: true, clock: second(80), next: second(80), passed: 80}
	for range 3 {
		b.Step(true)
	}
	reaches("three events back", target{second(80), 77}, 3)
	b.Step(false)
	reaches("one on", target{second(80), 78}, 3)
}

// TestReplayPace: pauses are those of the log, a clock that was set back makes none,
// and the clock of the log goes on in between and not beyond.
func TestReplayPace(t *testing.T) {
	begin := time.Date(2026, 7, 14, 4, 33, 17, 0, time.UTC)
	p := &pace{speed: 100}
	if !clockOf(p).IsZero() {
		t.Errorf("before the first event it is %v", clockOf(p))
	}
	started := time.Now()
	for _, second := range []int{0, 10, 3, 8} { // 100 ms, none, 50 ms
		at := begin.Add(time.Duration(second) * time.Second)
		if err := p.wait(t.Context(), at, false); err != nil || !clockOf(p).Equal(at) {
			t.Errorf("%v, %v; want %v", clockOf(p), err, at)
		}
	}
	if took := time.Since(started); took < 150*time.Millisecond {
		t.Errorf("took %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	from := clockOf(p)
	if p.wait(ctx, begin.Add(time.Hour), false) == nil {
		t.Error("no pause")
	}
	if passed := clockOf(p).Sub(from); passed < 5*time.Second || passed >= time.Hour {
		t.Errorf("in a pause %v passed", passed)
	}
	if d := (&pace{speed: 1e-9}).here(math.MaxInt64); d != math.MaxInt64 {
		t.Errorf("the longest pause is %v", d)
	}
}
