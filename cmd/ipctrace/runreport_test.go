package main

import (
	"errors"
	"testing"

	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/view"
)

// TestVerdictOfLeaks: --fail-on-leak=N counts what is left and what may be, but not
// what is allowed. Where it is not known what there is, every N may be reached.
func TestVerdictOfLeaks(t *testing.T) {
	var (
		some    = view.Leftover{}
		allowed = view.Leftover{Allowed: true}
	)
	for _, test := range []struct {
		name        string
		left, doubt []view.Leftover
		unplaced    int
		passes      int // the first N that is no finding
	}{
		{"nothing", nil, nil, 0, 1},
		{"two left", []view.Leftover{some, some}, nil, 0, 3},
		{"two in doubt", nil, []view.Leftover{some, some}, 0, 3},
		{"one of each", []view.Leftover{some}, []view.Leftover{some}, 0, 3},
		{"one left, one allowed", []view.Leftover{allowed, some}, nil, 0, 2},
		{"two in doubt, one of them allowed", nil, []view.Leftover{some, allowed}, 0, 2},
		{"both allowed", []view.Leftover{allowed}, []view.Leftover{allowed}, 0, 1},
		{"in a namespace that is not known", nil, nil, 1, 4},
	} {
		for n := 1; n <= 3; n++ {
			r := runner{failOnLeak: n}
			report := &runReport{account: &ledger.Account{Unplaced: test.unplaced}, command: &command{}, left: test.left, doubt: test.doubt}
			err := r.verdict(report, nil)
			if want := n < test.passes; errors.Is(err, errFinding) != want || err != nil && !want {
				t.Errorf("%s, N=%d: %v", test.name, n, err)
			}
		}
	}
}
