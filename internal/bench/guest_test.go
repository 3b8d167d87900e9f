package main

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestParseRounds: what the guest prints is told apart from what else is on its
// console.
func TestParseRounds(t *testing.T) {
	const round = `{"Values":{"a":{"getppid":400.5},"b":{"getppid":1}},"Missing":{}}`
	for _, c := range []struct {
		name, output string
		want         []float64 // of a
		missing      bool      // b
		fails        bool
	}{
		{"nothing", "", nil, false, true},
		{"only noise", "  0s  guest: round 1 of 1\n[ 1.000000] {\nnull\n", nil, false, true},
		{"two, and noise", "  0s  guest\n" + round + "\n" + round + "\n", []float64{400.5, 400.5}, false, false},
		{"cut off", round + "\n" + round[:30], []float64{400.5}, false, false},
		{"b fails", `{"Values":{"a":{"getppid":2}},"Missing":{"b":"refused"}}` + "\n", []float64{2}, true, false},
		{"a has no first", `{"Values":{},"Missing":{}}` + "\n" + round, []float64{nan, 400.5}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := parseRounds(c.output)
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(c.want, s.of("a", "getppid"), cmpopts.EquateNaNs()); diff != "" {
				t.Error(diff)
			}
			if got := s.why("b") != nil; got != c.missing {
				t.Errorf("b is missing: %v", s.why("b"))
			}
		})
	}
}

// TestRoundThere and back.
func TestRoundThere(t *testing.T) {
	told := newSeries()
	told.add("a", 0, numbers{"getppid": 400.5, "msgget": 706.5})
	told.missing["b"] = errors.New("refused")
	line, err := json.Marshal(told.round())
	if err != nil {
		t.Fatal(err)
	}
	heard, err := parseRounds(string(line))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(told.values, heard.values); diff != "" {
		t.Error(diff)
	}
	if got := heard.missing["b"]; got == nil || got.Error() != "refused" {
		t.Errorf("b: %v", got)
	}
}

func TestVersion(t *testing.T) {
	for release, want := range map[string]string{"6.12.117+deb13-cloud-amd64": "6.12", "7.2": "7.2", "7": "7", "": ""} {
		if got := version(release); got != want {
			t.Errorf("version(%q) = %q, want %q", release, got, want)
		}
	}
}

// TestInGuest: the aim is of an unrelated call, and what cannot be run says so.
func TestInGuest(t *testing.T) {
	s := newSeries()
	s.add(bare, 0, numbers{"getppid": 400, "msgget": 700})
	s.add(emptyName, 0, numbers{"getppid": 500, "msgget": 800})
	s.add(fentryName, 0, numbers{"getppid": 400, "msgget": 1700})
	s.missing[syscallName] = errors.New("refused")
	r := &report{}
	r.inGuest("6.12.117+deb13-cloud-amd64", s)
	if a := r.aims[0]; a.figure.median != 1 || a.verdict() != "met" {
		t.Errorf("%+v", a)
	}
	want := [][]string{
		{bare, "400", "", "", "", "700", "", "", ""},
		{emptyName, "500", "100", "1.25", "1", "800", "100", "1.14", "1"},
		{syscallName, "cannot be run: refused"},
		{fentryName, "400", "0", "1", "0", "1,700", "1,000", "2.43", "10"},
	}
	if diff := cmp.Diff(want, r.tables[0].rows); diff != "" {
		t.Error(diff)
	}
}
