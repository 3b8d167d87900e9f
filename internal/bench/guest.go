package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// counted is the scale in the guest, whose clocks count instructions: few calls tell
// what many would. Its time is not this machine's, which ends it from outside.
var counted = scale{limit: time.Hour, rounds: 9, calls: 2000}

// guestCalls are those that are counted: an unrelated one, and a traced one.
var guestCalls = []string{"getppid", "msgget"}

// A guestRound is a line that the guest prints: what the variants yielded, by name,
// and why the others did not.
type guestRound struct {
	Values  map[string]numbers
	Missing map[string]string
}

// guest is the role in the guest.
func guest(stdout, stderr io.Writer) error {
	empty, err := loadEmptyHook()
	if err != nil {
		return err
	}
	defer empty.Close()
	b := &bench{scale: counted, stderr: stderr, began: time.Now(), ipctrace: "bin/ipctrace", empty: empty}
	b.deadline = b.began.Add(b.limit)
	ctx := context.Background()
	p, err := startProducer(ctx, setup{CPU: -1, Namespaces: 1}, nil)
	if err != nil {
		return err
	}
	defer p.Close()
	// Each is printed at once: what is cut off has told what it had.
	out := json.NewEncoder(stdout)
	for range b.rounds {
		s := b.interleave(ctx, "guest", 1, b.tiers(func() (numbers, error) { return b.count(p) })...)
		if err := out.Encode(s.round()); err != nil {
			return err
		}
	}
	return nil
}

// count is how many instructions a call of each takes.
func (b *bench) count(p *producer) (numbers, error) {
	found := numbers{}
	for _, call := range guestCalls {
		// The one CPU does other things too: in less than half of so short batches.
		got, err := p.run(order{Call: call, Calls: b.calls, Batch: 10})
		if err != nil {
			return nil, err
		}
		found[call] = got.Median
	}
	return found, nil
}

// round is the first of a series, to be printed.
func (s *series) round() guestRound {
	r := guestRound{Values: map[string]numbers{}, Missing: map[string]string{}}
	for variant, values := range s.values {
		r.Values[variant] = numbers{}
		for name, v := range values {
			r.Values[variant][name] = v[0]
		}
	}
	for variant, why := range s.missing {
		r.Missing[variant] = why.Error()
	}
	return r
}

// parseRounds finds the rounds among all that the guest has printed. A line that
// was cut off is none.
func parseRounds(output string) (*series, error) {
	s := newSeries()
	rounds := 0
	for line := range strings.Lines(output) {
		var r guestRound
		if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &r) != nil {
			continue
		}
		for variant, found := range r.Values {
			s.add(variant, rounds, found)
		}
		for variant, why := range r.Missing {
			s.missing[variant] = errors.New(why)
		}
		rounds++
	}
	if rounds == 0 {
		return nil, errors.New("it has counted nothing")
	}
	return s, nil
}
