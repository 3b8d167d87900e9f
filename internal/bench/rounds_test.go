package main

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func testBench(left time.Duration) *bench {
	return &bench{scale: quick, stderr: io.Discard, began: time.Now(), deadline: time.Now().Add(left)}
}

// TestInterleave: A B C A B C, and who fails is not tried again.
func TestInterleave(t *testing.T) {
	var order []string
	always := func(name string, ns float64) variant {
		return variant{name, func(context.Context) (numbers, error) {
			order = append(order, name)
			return numbers{"ns": ns}, nil
		}}
	}
	broken := errors.New("broken")
	fails := variant{"fails", func(context.Context) (numbers, error) {
		order = append(order, "fails")
		return nil, broken
	}}
	s := testBench(time.Hour).interleave(t.Context(), "test", 2, always(bare, 100), fails, always("traced", 150))
	if diff := cmp.Diff([]string{bare, "fails", "traced", bare, "traced"}, order); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{50, 50}, s.added("traced", "ns")); diff != "" {
		t.Error(diff)
	}
	s.add("near", 0, numbers{"ns": 150, "bare ns": 120})
	if diff := cmp.Diff([]float64{30}, s.added("near", "ns")); diff != "" {
		t.Error(diff)
	}
	if err := s.why("traced", "fails"); !errors.Is(err, broken) {
		t.Errorf("why: %v", err)
	}
	if err := s.why("traced"); err != nil {
		t.Errorf("why: %v", err)
	}
}

// TestInterleaveOutOfTime: what was not measured says so.
func TestInterleaveOutOfTime(t *testing.T) {
	v := variant{"late", func(context.Context) (numbers, error) { return numbers{"ns": 1}, nil }}
	s := testBench(-time.Second).interleave(t.Context(), "test", 2, v)
	if err := s.why("late"); !errors.Is(err, errTime) {
		t.Errorf("why: %v", err)
	}
}

// TestRoundsStayAligned: a number that a round lacks is not another round's.
func TestRoundsStayAligned(t *testing.T) {
	s := &series{values: map[string]map[string][]float64{}}
	s.add("v", 0, numbers{"a": 1})
	s.add("v", 2, numbers{"a": 3, "b": 4})
	if diff := cmp.Diff([]float64{1, nan, 3}, s.of("v", "a"), cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]float64{nan, nan, 4}, s.of("v", "b"), cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	if got := s.of("v", "c"); got != nil {
		t.Errorf("c: %v", got)
	}
}

// TestBenchmark: the slowest of those that match, and what comes near only where
// there are none.
func TestBenchmark(t *testing.T) {
	s := &series{values: map[string]map[string][]float64{}}
	s.add("internal/journal", 0, numbers{"BenchmarkWrite ns/op": 9})
	if got, err := s.benchmark("ns/op", paths, writes); err != nil || got[0] != 9 {
		t.Errorf("%v, %v; want what comes near", got, err)
	}
	s.add("tracer", 0, numbers{"BenchmarkPath/open/journal ns/op": 3, "BenchmarkPath/cycle/journal ns/op": 5, "BenchmarkPath/cycle/json ns/op": 7})
	s.add("tracer", 1, numbers{"BenchmarkPath/open/journal ns/op": 6, "BenchmarkPath/cycle/journal ns/op": 4})
	got, err := s.benchmark("ns/op", paths, writes)
	if diff := cmp.Diff([]float64{5, 6}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := s.benchmark("ns/op", applies); err == nil {
		t.Error("there is none, and no error")
	}
}
