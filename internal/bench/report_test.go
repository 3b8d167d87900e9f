package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.4: "0.40", 1.046: "1.05", 12.34: "12.3", 123.4: "123", 999: "999",
		1000: "1,000", 12345.6: "12,346", 10_000_000: "10,000,000", -1: "-1", -2345: "-2,345", nan: "–",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		values []float64
		unit   string
		want   string
	}{
		{nil, "ns", "–"},
		{[]float64{nan}, "ns", "–"},
		{[]float64{5}, "%", "5 %"},
		{[]float64{1, 2, 3}, "ns", "2 ns (1.50 – 2.50)"},
		{[]float64{2.0001, 2.0002, 2.0003}, "", "2.00"},
	} {
		if got := show(c.values, c.unit); got != c.want {
			t.Errorf("show(%v) = %q, want %q", c.values, got, c.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	r := &report{}
	r.atMost("under", 2, "", []float64{1}, nil)
	r.atMost("on it", 2, "", []float64{2}, nil)
	r.atMost("over", 2, "", []float64{3}, nil)
	r.atLeast("enough", 2, "", []float64{3}, nil)
	r.atLeast("exactly enough", 2, "", []float64{2}, nil)
	r.atLeast("too little", 2, "", []float64{1}, nil)
	r.atMost("missing", 2, "", nil, errors.New("no such tool"))
	r.atMost("noise", 2, "", []float64{nan}, nil)
	r.atMost("a part of the rounds", 2, "", []float64{nan, 1}, errors.New("it failed later"))
	r.failed("all of it", errors.New("no namespaces"))
	want := []string{
		"met", "met", "**not met**", "met", "met", "**not met**",
		"n/a: no such tool", "n/a: the machine was too busy", "met", "n/a: no namespaces",
	}
	var got []string
	for _, a := range r.aims {
		got = append(got, a.verdict())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMarkdown(t *testing.T) {
	r := &report{
		took: 61 * time.Second,
		bench: &bench{
			scale: quick,
			machine: machine{
				kernel: "6.18.1", arch: "x86_64", model: "A CPU", cpus: 2, before: 0.25, during: 0.125,
				when: time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC),
			},
			peers: peers{
				bpftrace: peerTool{err: errors.New("there is no bpftrace: install it")},
				perf:     peerTool{version: "perf version 6.1"}, strace: peerTool{version: "strace -- version 6.1"},
			},
		},
	}
	r.atMost("Added: ÷ hook", 3.5, "", []float64{3, 4, 5}, nil)
	r.atLeast("Events", 2_000_000, "", nil, errors.New("a | b\nc"))
	r.tables = append(r.tables, table{title: "Cost", header: []string{"", "ns"}, note: "A note.", rows: [][]string{{"bare", "330"}, {"short"}}})
	const want = `2026-11-24 13:00 UTC, 2 CPUs (A CPU), Linux 6.18.1, x86_64. Others used 25 % of the CPUs before it began, 12 % while it ran.
3 rounds, in 61 s. Beside it: there is no bpftrace: install it; perf version 6.1; strace -- version 6.1.

| aim |  | figure | quartiles | rounds |  |
|---|---|---|---|---|---|
| Added: ÷ hook | ≤ 3.50 | 4 | 3.50 – 4.50 | 3 | **not met** |
| Events | ≥ 2,000,000 | – | – | 0 | n/a: a \| b c |

### Cost

A note.

|  | ns |
|---|---|
| bare | 330 |
| short |  |
`
	if diff := cmp.Diff(want, r.markdown()); diff != "" {
		t.Error(diff)
	}
}

// TestSVG: it is XML, whatever the names are, and every point is inside.
func TestSVG(t *testing.T) {
	p := &plot{title: "a < b & c", x: "calls", y: "ns"}
	l := line{name: `"quoted" <tool>`}
	for _, at := range []point{{1000, 120}, {nan, 1}, {5, nan}, {0, 3}, {500_000, -4}, {100_000, 900}} {
		l.add(at.x, at.y)
	}
	if len(l.points) != 3 {
		t.Errorf("%d points, want 3: the others are not known", len(l.points))
	}
	p.lines = []line{l, {name: "empty"}}
	drawing := p.svg()
	circles := 0
	for d := xml.NewDecoder(strings.NewReader(drawing)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, drawing)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 3 {
		t.Errorf("%d circles, want 3", circles)
	}
	a := p.axes()
	for _, at := range l.points {
		if x, y := a.place(at); x < left || x > right || y < top || y > bottom {
			t.Errorf("%v is at %.0f, %.0f: outside", at, x, y)
		}
	}
}

// TestEmptyPlot does not run forever for want of a scale.
func TestEmptyPlot(t *testing.T) {
	if drawing := (&plot{lines: []line{{name: "nothing"}}}).svg(); !strings.HasSuffix(drawing, "</svg>\n") {
		t.Error(drawing)
	}
}

func TestStep(t *testing.T) {
	for to, want := range map[float64]float64{1: 0.2, 6: 1, 10: 2, 29: 5, 100: 20, 1000: 200, 45_000: 10_000} {
		if got := step(to); got != want {
			t.Errorf("step(%v) = %v, want %v", to, got, want)
		}
	}
}
