package main

import (
	"context"
	"errors"
	"iter"
	"math"
	"strings"
)

// A variant is one of the things that are compared. It yields numbers by name.
type variant struct {
	name    string
	measure func(context.Context) (numbers, error)
}

type numbers map[string]float64

// series is what variants yielded, by variant, number and round, and why those
// that yielded nothing did not.
type series struct {
	values  map[string]map[string][]float64
	missing map[string]error
}

func newSeries() *series {
	return &series{values: map[string]map[string][]float64{}, missing: map[string]error{}}
}

var errTime = errors.New("no time was left")

// interleave measures all variants in each round. One that fails is not tried
// again. It ends early where time does.
func (b *bench) interleave(ctx context.Context, title string, rounds int, variants ...variant) *series {
	s := newSeries()
	for round := range rounds {
		b.say("%s: round %d of %d", title, round+1, rounds)
		for _, v := range variants {
			if s.missing[v.name] != nil {
				continue
			}
			if !b.time() || ctx.Err() != nil {
				s.late(variants)
				return s
			}
			found, err := v.measure(ctx)
			if err != nil && ctx.Err() != nil { // it was cut off
				s.late(variants)
				return s
			}
			if err != nil {
				b.say("%s: cannot be run: %v", v.name, err)
				s.missing[v.name] = err
				continue
			}
			s.add(v.name, round, found)
		}
	}
	return s
}

// late says why there is nothing of what time was not left for.
func (s *series) late(variants []variant) {
	for _, v := range variants {
		if s.values[v.name] == nil && s.missing[v.name] == nil {
			s.missing[v.name] = errTime
		}
	}
}

func (s *series) add(variant string, round int, found numbers) {
	if s.values[variant] == nil {
		s.values[variant] = map[string][]float64{}
	}
	for name, value := range found {
		values := s.values[variant][name]
		for len(values) < round {
			values = append(values, math.NaN())
		}
		s.values[variant][name] = append(values, value)
	}
}

// of is a number of a variant, by round.
func (s *series) of(variant, number string) []float64 { return s.values[variant][number] }

// added is a number of a variant beyond that of the bare call: as it was just before
// and after, where that was measured, else in the same round.
func (s *series) added(variant, number string) []float64 {
	if near := s.of(variant, bareOf+number); near != nil {
		return minus(s.of(variant, number), near)
	}
	return minus(s.of(variant, number), s.of(bare, number))
}

// bareOf is in front of a variant's numbers of the bare call.
const bareOf = "bare "

// bare is the variant with nothing attached.
const bare = "nothing attached"

// names are those of a variant's numbers that end with something, without it.
func (s *series) names(variant, end string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range s.values[variant] {
			if name, ok := strings.CutSuffix(name, end); ok && !yield(name) {
				return
			}
		}
	}
}
