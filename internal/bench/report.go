package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// report is what is told of a run.
type report struct {
	bench  *bench
	took   time.Duration
	aims   []aim
	tables []table
	drawn  map[string]*plot
}

// An aim is a figure that is to be at most, or at least, so much.
type aim struct {
	what    string
	limit   float64
	least   bool
	unit    string
	figure  figure
	missing error // why there is no figure
}

func (r *report) atMost(what string, limit float64, unit string, values []float64, missing error) {
	r.aims = append(r.aims, aim{what: what, limit: limit, unit: unit, figure: summarize(values), missing: missing})
}

func (r *report) atLeast(what string, limit float64, unit string, values []float64, missing error) {
	r.aims = append(r.aims, aim{what: what, limit: limit, least: true, unit: unit, figure: summarize(values), missing: missing})
}

// failed is for a part of which nothing is known.
func (r *report) failed(what string, err error) {
	r.aims = append(r.aims, aim{what: what, limit: math.NaN(), missing: err, figure: figure{median: math.NaN()}})
}

// why is the first reason for which one of the variants was not measured.
func (s *series) why(names ...string) error {
	for _, name := range names {
		if err := s.missing[name]; err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (a *aim) verdict() string {
	switch {
	case math.IsNaN(a.figure.median) && a.missing != nil:
		return "n/a: " + shortened(a.missing.Error())
	case math.IsNaN(a.figure.median):
		return "n/a: " + errNoise.Error()
	case a.least == (a.figure.median >= a.limit) || a.figure.median == a.limit:
		return "met"
	}
	return "**not met**"
}

// shortened leaves room for the other columns: the table of the part has it whole.
func shortened(s string) string {
	const enough = 120
	if r := []rune(s); len(r) > enough {
		return string(r[:enough]) + "…"
	}
	return s
}

var errNoise = errors.New("the machine was too busy")

func (a *aim) want() string {
	if math.IsNaN(a.limit) {
		return "–"
	}
	sign := "≤ "
	if a.least {
		sign = "≥ "
	}
	return sign + withUnit(number(a.limit), a.unit)
}

func (r *report) markdown() string {
	var w strings.Builder
	m := r.bench.machine
	fmt.Fprintf(&w, "%s, %d CPUs (%s), Linux %s, %s. Others used %.0f %% of the CPUs before it began, %.0f %% while it ran.\n",
		m.when.Format("2006-01-02 15:04 MST"), m.cpus, m.model, m.kernel, m.arch, 100*m.before, 100*m.during)
	fmt.Fprintf(&w, "%d rounds, in %.0f s. %s.\n\n", r.bench.rounds, r.took.Seconds(), r.bench.peers)
	aims := table{header: []string{"aim", "", "figure", "quartiles", "rounds", ""}}
	for _, a := range r.aims {
		if math.IsNaN(a.figure.median) {
			aims.add(a.what, a.want(), "–", "–", "0", a.verdict())
			continue
		}
		f := a.figure
		aims.add(a.what, a.want(), withUnit(number(f.median), a.unit), number(f.low)+" – "+number(f.high), strconv.Itoa(f.n), a.verdict())
	}
	aims.write(&w)
	for _, t := range r.tables {
		t.write(&w)
	}
	return w.String()
}

// String names the peers, and those that are not there.
func (p peers) String() string {
	var words []string
	for _, t := range []peerTool{p.bpftrace, p.perf, p.strace} {
		if t.err != nil {
			words = append(words, t.err.Error())
		} else {
			words = append(words, t.version)
		}
	}
	return "Beside it: " + strings.Join(words, "; ")
}

// A table of Markdown.
type table struct {
	title  string
	header []string
	rows   [][]string
	note   string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) write(w *strings.Builder) {
	if len(t.rows) == 0 {
		return
	}
	if t.title != "" {
		fmt.Fprintf(w, "\n### %s\n\n", t.title)
	}
	if t.note != "" {
		fmt.Fprintf(w, "%s\n\n", t.note)
	}
	writeRow(w, t.header, len(t.header))
	w.WriteString("|" + strings.Repeat("---|", len(t.header)) + "\n")
	for _, row := range t.rows {
		writeRow(w, row, len(t.header))
	}
}

// writeRow keeps the text of others from being more cells, or more rows.
func writeRow(w *strings.Builder, cells []string, n int) {
	for i := range n {
		cell := ""
		if i < len(cells) {
			cell = cells[i]
		}
		w.WriteString("| " + strings.NewReplacer("|", `\|`, "\n", " ").Replace(cell) + " ")
	}
	w.WriteString("|\n")
}

// show is the median of values and, where there are several that differ, the
// quartiles.
func show(values []float64, unit string) string {
	f := summarize(values)
	if f.n == 0 {
		return "–"
	}
	text := withUnit(number(f.median), unit)
	if low, high := number(f.low), number(f.high); low != high {
		text += " (" + low + " – " + high + ")"
	}
	return text
}

func withUnit(n, unit string) string {
	if unit == "" {
		return n
	}
	return n + " " + unit
}

// number has about three digits that count; from 1,000 on it is whole.
func number(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case v == math.Trunc(v) && size < 1000, size >= 100 && size < 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case size < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(math.Abs(v), 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if v < 0 {
		return "-" + digits
	}
	return digits
}
