package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/ipctrace/ipctrace/internal/view"
)

// What the page is put together of. All of it stands in the page itself.
var (
	//go:embed page.html
	pageText string
	//go:embed colours.css
	colours string
	//go:embed timeline.css
	timelineStyle string
	//go:embed page.css
	pageStyle string
	//go:embed script
	scripts embed.FS
)

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// errEmpty: there is nothing to be shown.
var errEmpty = errors.New("no trace to show")

// scriptFiles in the order in which they stand on the page.
var scriptFiles = []string{"data.js", "filter.js", "table.js", "scene.js", "timeline.js", "describe.js", "page.js"}

// page is what the template shows.
type page struct {
	Title    string
	Policy   string
	Style    template.HTML // the element
	Script   template.HTML // likewise
	Class    string
	Verdict  string
	Checked  string
	Head     string // hash of the last seal; "": there is none
	Key      string // that it is signed with; "": with none
	Asked    bool   // for this key
	Findings []string
	More     int
	Facts    []string
	Grown    uint64
	Filters  []string
	Notes    []string
	Traces   []section
	Beyond   int // traces that are not on it
}

// section is one trace on the page.
type section struct {
	Number int
	*facts
	Drawing template.HTML
	Data    template.HTML // the element that has the trace for the script
}

// HTML writes the page.
func (l *Log) HTML(w io.Writer) error {
	if len(l.traces) == 0 {
		return errEmpty
	}
	style := colours + timelineStyle + pageStyle
	script, err := script()
	if err != nil {
		return err
	}
	p := page{
		Policy: policy(style, script), Style: element("style", style), Script: element("script", script),
		Filters: safeAll(l.Filters), Notes: safeAll(l.Notes), Beyond: l.more, Facts: l.Verdict.Facts, Grown: l.Verdict.Grown,
	}
	p.Verdict, p.Class = l.Verdict.text()
	p.judge(&l.Verdict)
	for i, t := range l.traces {
		s, err := t.section(i)
		if err != nil {
			return err
		}
		p.Traces = append(p.Traces, s)
	}
	p.Title = p.Traces[0].Title
	return pageTemplate.Execute(w, &p)
}

func (t *Trace) section(number int) (section, error) {
	lanes := t.arrange()
	text, err := t.encode(lanes)
	if err != nil {
		return section{}, err
	}
	drawing, _ := t.svg(lanes, false, "")
	return section{
		Number: number, facts: t.facts(lanes), Drawing: template.HTML(drawing),
		Data: template.HTML(`<script type="application/json" class="data">` + string(text) + `</script>`),
	}, nil
}

// judge tells what was found of the seals.
func (p *page) judge(v *Verdict) {
	r := v.Report
	if r == nil {
		return
	}
	p.Head, p.Key, p.Asked = safe(r.Head), safe(r.Key), v.Asked
	p.Checked = fmt.Sprintf("%d %s, %d %s, %d %s, %s", r.Files, noun(r.Files, "file"), r.Lines, noun(int(r.Lines), "line"),
		r.Seals, noun(r.Seals, "seal"), view.Bytes(uint64(r.Bytes)))
	for _, f := range r.Findings {
		where := "the log"
		if f.File != "" {
			where = safe(f.File)
		}
		if f.Line > 0 {
			where += fmt.Sprintf(", line %d (byte %d)", f.Line, f.Offset)
		}
		p.Findings = append(p.Findings, fmt.Sprintf("%s: %s: %s", f.Fault, where, safe(f.Text)))
	}
	p.More = r.More
}

func safeAll(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = safe(text)
	}
	return all
}

// script is that of the page, in one piece.
func script() (string, error) {
	var b strings.Builder
	b.WriteString("'use strict';\n(() => {\n")
	for _, name := range scriptFiles {
		text, err := scripts.ReadFile("script/" + name)
		if err != nil {
			return "", err
		}
		b.Write(text)
	}
	b.WriteString("})();\n")
	return b.String(), nil
}

// element has a text of this package, which does not end it.
func element(name, text string) template.HTML {
	return template.HTML("<" + name + ">" + text + "</" + name + ">")
}

// policy lets the page run its own script and style, and load nothing.
func policy(style, script string) string {
	return fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; img-src data:; base-uri 'none'; form-action 'none'",
		hash(script), hash(style))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
