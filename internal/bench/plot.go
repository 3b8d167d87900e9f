package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// A plot is lines over a logarithmic axis, as SVG.
type plot struct {
	title, x, y string
	lines       []line
}

type line struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// add leaves out what is not known.
func (l *line) add(x, y float64) {
	if !math.IsNaN(x) && !math.IsNaN(y) && x > 0 {
		l.points = append(l.points, point{x, y})
	}
}

// plot keeps one to be written.
func (r *report) plot(name string, p *plot) {
	if r.drawn == nil {
		r.drawn = map[string]*plot{}
	}
	r.drawn[name] = p
}

func (r *report) plots() map[string]*plot { return r.drawn }

// Where on the page the axes are.
const (
	plotWidth, plotHeight = 760, 420
	left, right           = 80, 520
	top, bottom           = 40, 370
)

// Colours that those can tell apart who see few (Okabe and Ito).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

func (p *plot) svg() string {
	var w strings.Builder
	fmt.Fprintf(&w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&w, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	text(&w, (left+right)/2, 20, "middle", p.title)
	text(&w, (left+right)/2, plotHeight-10, "middle", p.x)
	fmt.Fprintf(&w, `<text transform="translate(18 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+bottom)/2, escape(p.y))
	a := p.axes()
	a.write(&w)
	for i, l := range p.lines {
		l.write(&w, a, colours[i%len(colours)], i)
	}
	w.WriteString("</svg>\n")
	return w.String()
}

// axes map numbers to places: x by its logarithm, y from 0.
type axes struct{ fromX, toX, toY float64 }

func (p *plot) axes() axes {
	a := axes{fromX: math.Inf(1), toX: math.Inf(-1)}
	for _, l := range p.lines {
		for _, at := range l.points {
			a.fromX, a.toX, a.toY = min(a.fromX, at.x), max(a.toX, at.x), max(a.toY, at.y)
		}
	}
	if a.fromX > a.toX {
		a.fromX, a.toX = 1, 10
	}
	a.fromX, a.toX = math.Pow(10, math.Floor(math.Log10(a.fromX))), math.Pow(10, math.Ceil(math.Log10(a.toX)))
	if a.fromX == a.toX {
		a.toX *= 10
	}
	a.toY = max(a.toY*1.1, 1)
	return a
}

func (a axes) place(at point) (x, y float64) {
	across := (math.Log10(at.x) - math.Log10(a.fromX)) / (math.Log10(a.toX) - math.Log10(a.fromX))
	return left + across*(right-left), bottom - max(at.y, 0)/a.toY*(bottom-top)
}

func (a axes) write(w *strings.Builder) {
	for x := a.fromX; x <= a.toX*1.01; x *= 10 {
		at, _ := a.place(point{x, 0})
		fmt.Fprintf(w, `<path d="M%.1f %d V%d" stroke="#ddd"/>`+"\n", at, top, bottom)
		text(w, at, bottom+16, "middle", number(x))
	}
	for y := 0.0; y <= a.toY; y += step(a.toY) {
		_, at := a.place(point{a.fromX, y})
		fmt.Fprintf(w, `<path d="M%d %.1f H%d" stroke="#ddd"/>`+"\n", left, at, right)
		text(w, left-6, at+4, "end", number(y))
	}
	fmt.Fprintf(w, `<path d="M%d %d V%d H%d" fill="none" stroke="black"/>`+"\n", left, top, bottom, right)
}

// step between marks: 1, 2 or 5 times a power of ten, so that there are about five.
func step(to float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(to/5)))
	for _, times := range []float64{1, 2, 5} {
		if to/(times*power) <= 6 {
			return times * power
		}
	}
	return 10 * power
}

func (l *line) write(w *strings.Builder, a axes, colour string, i int) {
	var path strings.Builder
	for n, at := range l.points {
		x, y := a.place(at)
		fmt.Fprintf(&path, "%c%.1f %.1f ", "ML"[min(n, 1)], x, y)
		fmt.Fprintf(w, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, colour)
	}
	fmt.Fprintf(w, `<path d="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.TrimSpace(path.String()), colour)
	y := float64(top + 10 + 18*i)
	fmt.Fprintf(w, `<path d="M%d %.1f h14" stroke="%s" stroke-width="3"/>`+"\n", right+12, y-4, colour)
	text(w, right+30, y, "start", l.name)
}

func text[N int | float64](w *strings.Builder, x N, y float64, anchor, s string) {
	fmt.Fprintf(w, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", float64(x), y, anchor, escape(s))
}

func escape(s string) string {
	var w strings.Builder
	_ = xml.EscapeText(&w, []byte(s)) // a Builder takes everything
	return w.String()
}
