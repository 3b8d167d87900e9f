package report

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Sizes of the drawing, in CSS pixels.
const (
	svgWidth   = 1200
	svgGutter  = 220 // names of namespaces
	svgPlot    = svgWidth - svgGutter - 20
	svgHead    = 34
	svgStrip   = 20 // of a lane, above its objects: what happened
	svgRow     = 15
	svgRows    = 8  // of objects, at most
	svgLeast   = 35 // of a lane: its name and its label
	svgLanes   = 100
	svgClosest = 5 // marks that are nearer than this are one
)

// drawing is the timeline as SVG, without a script.
type drawing struct {
	strings.Builder
	trace  *Trace
	lanes  []*lane
	events map[*lane][]record
	height int
}

// svg is the timeline of a trace, and how tall it is. Alone, it brings its own style.
func (t *Trace) svg(lanes []*lane, alone bool, verdict string) (text string, tall int) {
	d := &drawing{trace: t, lanes: lanes[:min(len(lanes), svgLanes)], events: map[*lane][]record{}}
	kept, _ := t.kept.all()
	for _, r := range kept {
		d.events[r.lane] = append(d.events[r.lane], r)
	}
	rows := make([][][]*life, len(d.lanes))
	spare := make([]int, len(d.lanes))
	height := svgHead
	for i, l := range d.lanes {
		rows[i], spare[i] = d.pack(l.lives)
		height += laneHeight(len(rows[i]), spare[i])
	}
	if len(lanes) > svgLanes {
		height += svgStrip
	}
	d.height = height + 14
	d.head(alone, verdict)
	y := svgHead
	for i, l := range d.lanes {
		d.lane(l, rows[i], spare[i], y)
		y += laneHeight(len(rows[i]), spare[i])
	}
	if more := len(lanes) - svgLanes; more > 0 {
		d.textAt(8, y+14, "note", fmt.Sprintf("and %d namespaces more, which are not drawn", more))
	}
	d.losses()
	d.WriteString("</svg>\n")
	return d.String(), d.height
}

func laneHeight(rows, spare int) int {
	height := svgStrip + rows*svgRow + 8
	if spare > 0 {
		height += svgRow
	}
	return max(height, svgLeast)
}

// head begins the drawing: what it is of, its style and its axis.
func (d *drawing) head(alone bool, verdict string) {
	fmt.Fprintf(d, `<svg class="timeline" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img"`, svgWidth, d.height)
	if alone {
		fmt.Fprintf(d, ` width="%d" height="%d"`, svgWidth, d.height)
	}
	title, about := d.trace.title(), d.about(verdict)
	fmt.Fprintf(d, ` aria-label="%s"><title>%s</title><desc>%s</desc>`, escape(title+". "+about), escape(title), escape(about))
	if alone {
		fmt.Fprintf(d, "<style>%s</style>", colours+timelineStyle)
	}
	fmt.Fprintf(d, `<defs><pattern id="hatch-%d" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="hatch" d="M0 0V6"/></pattern></defs>`, d.trace.number)
	fmt.Fprintf(d, `<rect class="paper" width="%d" height="%d"/>`, svgWidth, d.height)
	if verdict != "" {
		d.textAt(8, 12, "name", title+" · "+d.trace.lead()[0]+" · "+verdict)
	}
	for _, tick := range ticks(d.trace.origin.Add(d.trace.from), d.trace.to-d.trace.from) {
		x := d.x(d.trace.from + tick.at)
		fmt.Fprintf(d, `<path class="grid" d="M%.1f %dV%d"/>`, x, svgHead-6, d.height)
		if x > svgWidth-70 {
			continue
		}
		fmt.Fprintf(d, `<text class="tick" x="%.1f" y="%d">%s</text>`, x+3, svgHead-10, tick.text)
	}
}

// about is the drawing in words.
func (d *drawing) about(verdict string) string {
	t := d.trace
	words := []string{strings.Join(t.lead()[:1], "")}
	if verdict != "" {
		words = append(words, verdict)
	}
	words = append(words, fmt.Sprintf("%d %s, %d %s, %d failed calls, %d events lost", len(t.order), noun(len(t.order), "IPC namespace"),
		t.objects, noun(t.objects, "object"), t.known.Totals().Failed, t.lost.Kernel+t.lost.Output))
	return strings.Join(words, ". ")
}

func escape(s string) string { return html.EscapeString(s) }

func (d *drawing) textAt(x, y int, class, text string) {
	fmt.Fprintf(d, `<text class="%s" x="%d" y="%d">%s</text>`, class, x, y, escape(text))
}

// x is where a time is, within what is shown.
func (d *drawing) x(at time.Duration) float64 {
	span := max(d.trace.to-d.trace.from, 1)
	share := float64(at-d.trace.from) / float64(span)
	return svgGutter + svgPlot*min(max(share, 0), 1)
}

// until is where an object ends.
func (d *drawing) until(o *life) float64 {
	if !o.gone {
		return svgGutter + svgPlot
	}
	return max(d.x(o.end), d.x(o.born)+3)
}

// pack puts objects into as few rows as have room for them, and says how many have none.
func (d *drawing) pack(lives []*life) (rows [][]*life, spare int) {
	sorted := slices.SortedStableFunc(slices.Values(lives), func(a, b *life) int { return cmp.Compare(a.born, b.born) })
	var ends []float64
	for _, o := range sorted {
		if o.gone && o.end < d.trace.from || o.born > d.trace.to {
			continue
		}
		row := slices.IndexFunc(ends, func(end float64) bool { return end+2 <= d.x(o.born) })
		switch {
		case row >= 0:
		case len(rows) < svgRows:
			row = len(rows)
			rows, ends = append(rows, nil), append(ends, 0)
		default:
			spare++
			continue
		}
		rows[row] = append(rows[row], o)
		ends[row] = d.until(o)
	}
	return rows, spare
}

func (d *drawing) lane(l *lane, rows [][]*life, spare, y int) {
	height := laneHeight(len(rows), spare)
	from, to := d.x(d.trace.from), d.x(d.trace.to)
	born, seen := d.trace.birth(l)
	if seen {
		from = d.x(born)
	}
	if l.Ended() {
		to = d.x(d.trace.at(l.Freed))
	}
	fmt.Fprintf(d, `<g><path class="rule" d="M0 %dH%d"/>`, y, svgWidth)
	fmt.Fprintf(d, `<rect class="alive" x="%.1f" y="%d" width="%.1f" height="%d"/>`, from, y+1, max(to-from, 1), height-2)
	indent := 8 + 14*min(l.depth, 6)
	if l.depth > 0 {
		fmt.Fprintf(d, `<path class="branch" d="M%d %dv10h7"/>`, indent-9, y+1)
	}
	d.textAt(indent, y+15, "name", l.String())
	d.textAt(indent, y+28, "label", cutTo(safe(l.Label), 26))
	if seen {
		fmt.Fprintf(d, `<path class="birth" d="M%.1f %dV%d"/>`, from, y+1, y+height-1)
	}
	if l.Ended() {
		fmt.Fprintf(d, `<path class="death" d="M%.1f %dV%d"/>`, to, y+1, y+height-1)
	}
	d.marks(l, y)
	for i, row := range rows {
		for _, o := range row {
			d.object(o, y+svgStrip+i*svgRow)
		}
	}
	if spare > 0 {
		d.textAt(svgGutter+4, y+svgStrip+len(rows)*svgRow+11, "note", fmt.Sprintf("and %d objects more at the same times", spare))
	}
	d.WriteString("</g>\n")
}

// cutTo cuts to so many characters.
func cutTo(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// marks are what happened in a namespace: failures, and those who came in.
func (d *drawing) marks(l *lane, y int) {
	last := map[event.Type]float64{}
	events := slices.SortedStableFunc(slices.Values(d.events[l]), func(a, b record) int { return cmp.Compare(weight(a), weight(b)) })
	for _, r := range events {
		if r.at < d.trace.from || r.at > d.trace.to {
			continue
		}
		x := d.x(r.at)
		if before, ok := last[r.typ]; ok && x-before < svgClosest {
			continue
		}
		last[r.typ] = x
		switch r.typ {
		case event.ObjectFail:
			fmt.Fprintf(d, `<path class="fail" d="M%.1f %dl7 7m0 -7l-7 7"><title>%s</title></path>`, x-3.5, y+6, escape(safe("failed: "+r.word)))
		case event.NamespaceJoin:
			fmt.Fprintf(d, `<path class="join" d="M%.1f %dv8m-3 -3l3 3l3 -3"/>`, x, y+5)
		case event.ObjectOpen, event.ObjectGet:
			fmt.Fprintf(d, `<circle class="open" cx="%.1f" cy="%d" r="2.2"/>`, x, y+10)
		}
	}
}

// weight puts failures on top of what else happened.
func weight(r record) int {
	if r.typ == event.ObjectFail {
		return 1
	}
	return 0
}

// object is a bar: open to the left where it was there before, an arrow where it is left,
// a stroke where somebody removed it.
func (d *drawing) object(o *life, y int) {
	x, end := d.x(o.born), d.until(o)
	kind := kindClass(o.Kind)
	h := svgRow - 3
	fmt.Fprintf(d, `<g class="%s"><title>%s</title>`, kind, escape(d.objectTitle(o)))
	switch {
	case !o.gone:
		fmt.Fprintf(d, `<path class="bar" d="M%.1f %dH%.1fl6 %.1fl-6 %.1fH%.1fz"/>`, x, y, end-6, float64(h)/2, float64(h)/2, x)
	default:
		fmt.Fprintf(d, `<rect class="bar" x="%.1f" y="%d" width="%.1f" height="%d"/>`, x, y, end-x, h)
	}
	if o.Existing {
		fmt.Fprintf(d, `<path class="before" d="M%.1f %dv%d"/>`, x, y, h)
	}
	if !o.Marked.IsZero() {
		marked := d.x(d.trace.at(o.Marked))
		fmt.Fprintf(d, `<rect class="marked" x="%.1f" y="%d" width="%.1f" height="%d"/>`, marked, y, max(end-marked, 0), h)
	}
	if o.gone && o.Cause != event.CauseNamespace {
		fmt.Fprintf(d, `<path class="end" d="M%.1f %dv%d"/>`, end, y-1, h+2)
	}
	if name := strings.TrimSpace(safe(o.Kind+" "+o.id()) + " " + safe(o.key())); end-x > 40 {
		fmt.Fprintf(d, `<text class="inside" x="%.1f" y="%d">%s</text>`, x+5, y+9, escape(cutTo(name, int((end-x-8)/6.2))))
	}
	d.WriteString("</g>")
}

func (d *drawing) objectTitle(o *life) string {
	text := safe(o.Kind+" "+o.id()+" "+o.key()) + ", made by " + processText(o.MadeBy())
	switch {
	case !o.gone:
		return text + ", still there at the end"
	case o.Cause == "":
		return text + ", gone, cause not known"
	}
	return text + ", gone: " + safe(string(o.Cause))
}

func kindClass(kind string) string {
	switch kind {
	case "msg", "shm", "sem", kindMQ:
		return "kind-" + kind
	}
	return "kind-other"
}

// losses are shaded over all lanes.
func (d *drawing) losses() {
	for _, l := range d.trace.losses {
		x := d.x(l.from)
		fmt.Fprintf(d, `<rect class="loss" fill="url(#hatch-%d)" x="%.1f" y="%d" width="%.1f" height="%d"><title>%s</title></rect>`,
			d.trace.number, x, svgHead, max(d.x(l.to)-x, 2), d.height-svgHead, escape(lossText(l)))
		if d.x(l.to)-x > 90 {
			d.textAt(int(x)+4, d.height-3, "lost", cutTo(lossText(l), int((d.x(l.to)-x)/6)))
		}
	}
}

func lossText(l loss) string {
	switch {
	case l.Stage == event.StageOutput:
		return fmt.Sprintf("%d events lost on the way to the log", l.Count)
	case l.AtMost:
		return fmt.Sprintf("at most %d events not seen", l.Count)
	}
	return fmt.Sprintf("%d events lost", l.Count)
}

// SVG writes the timeline alone; those of several traces one below the other.
func (l *Log) SVG(w io.Writer) error {
	if len(l.traces) == 0 {
		return errEmpty
	}
	verdict, _ := l.Verdict.text()
	if len(l.traces) == 1 {
		text, _ := l.traces[0].svg(l.traces[0].arrange(), true, verdict)
		_, err := io.WriteString(w, text)
		return err
	}
	var body strings.Builder
	height := 0
	for _, t := range l.traces {
		text, own := t.svg(t.arrange(), false, verdict)
		fmt.Fprintf(&body, `<svg y="%d" width="%d" height="%d">%s</svg>`, height, svgWidth, own, text)
		height += own + 20
	}
	title := fmt.Sprintf("IPC objects by namespace, %d traces", len(l.traces)+l.more)
	if l.more > 0 {
		title += fmt.Sprintf(", the first %d of them", len(l.traces))
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img"><title>%s</title><desc>%s</desc><style>%s</style>%s</svg>`+"\n",
		svgWidth, height, svgWidth, height, escape(title), escape(verdict), colours+timelineStyle, body.String())
	return err
}
