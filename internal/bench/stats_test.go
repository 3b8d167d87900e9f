package main

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var nan = math.NaN()

func TestSummarize(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   figure
	}{
		{"none", nil, figure{nan, nan, nan, 0}},
		{"only rounds without a value", []float64{nan, nan}, figure{nan, nan, nan, 0}},
		{"one", []float64{7}, figure{7, 7, 7, 1}},
		{"between two", []float64{4, 2}, figure{3, 2.5, 3.5, 2}},
		{"a round without a value", []float64{5, nan, 1, 3}, figure{3, 2, 4, 3}},
		{"an outlier", []float64{1, 2, 3, 4, 1000}, figure{3, 2, 4, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			given := append([]float64{}, c.values...)
			got := summarize(c.values)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(figure{}), cmpopts.EquateNaNs()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(given, append([]float64{}, c.values...), cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("it changed what it was given: %s", diff)
			}
		})
	}
}

// TestRatios: of the same rounds, and none where one is missing or noise.
func TestRatios(t *testing.T) {
	equal := func(name string, got, want []float64) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	equal("minus", minus([]float64{5, 6, 7}, []float64{1, nan, 2}), []float64{4, nan, 5})
	equal("over", over([]float64{6, 6, 6, nan}, []float64{3, 0, -1, 1}), []float64{2, nan, nan, nan})
	equal("over, of fewer rounds", over([]float64{6, 8}, []float64{3}), []float64{2})
	equal("over, of none", over(nil, []float64{3}), nil)
	equal("percent", percent([]float64{0.5, 0}), []float64{50, 0})
	equal("mean", []float64{mean([]float64{1, 2, 6}), mean(nil)}, []float64{3, nan})
}
