package main

import (
	"math"
	"slices"
)

// A figure is what a number came to in several rounds: the median, and the
// quartiles around it.
type figure struct {
	median, low, high float64
	n                 int // rounds
}

// summarize leaves out rounds that have no value (NaN).
func summarize(values []float64) figure {
	v := slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	slices.Sort(v)
	return figure{median: quantile(v, 0.5), low: quantile(v, 0.25), high: quantile(v, 0.75), n: len(v)}
}

// mean is NaN of none.
func mean(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// quantile of sorted values, between two of them in proportion; NaN of none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// each pairs the values of the same rounds. A round that lacks one of them has
// none.
func each(a, b []float64, f func(a, b float64) float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = f(a[i], b[i])
	}
	return out
}

func minus(a, b []float64) []float64 {
	return each(a, b, func(a, b float64) float64 { return a - b })
}

// over is a ÷ b. Where noise has made b nothing or less, there is no ratio.
func over(a, b []float64) []float64 {
	return each(a, b, func(a, b float64) float64 {
		if b <= 0 {
			return math.NaN()
		}
		return a / b
	})
}

func scaled(values []float64, by float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = v * by
	}
	return out
}

func percent(parts []float64) []float64 { return scaled(parts, 100) }
