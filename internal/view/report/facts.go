package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/view"
)

// facts is what the page says of a trace in words, also without its script.
type facts struct {
	Title    string
	Lead     []string
	Figures  []figure
	Gaps     []string
	Warnings []string // what is missing, and what the page leaves out
	Account  []string // produced = delivered + lost
	Left     []leftRow
	LeftMore int
	Limits   []limitRow
	Shared   []sharedRow
	Lanes    []laneRow
	LaneMore int
}

// figure is a number on top of the page.
type figure struct {
	Number, Noun, Note string
	Bad                bool
}

type leftRow struct {
	Object, Key, Namespace, Maker, Made string
	Index                               int // of the object in the data
}

type limitRow struct {
	Name, Certainty, Errno, Namespace, There, By, When string
	Count                                              uint64
	Lane                                               int
}

type laneRow struct {
	Name, Parent, Born, Ended string
	Created, Failed, Removed  uint64
	There                     int
}

// mostRows is how many rows the tables have that are there without the script.
const mostRows = 50

func (t *Trace) facts(lanes []*lane) *facts {
	f := &facts{Title: t.title(), Lead: t.lead(), Warnings: t.warnings(), Account: t.account()}
	for _, gap := range t.start.Gaps {
		f.Gaps = append(f.Gaps, safe(gap))
	}
	f.Left, f.LeftMore = t.leftRows()
	f.Limits = t.limitRows()
	f.Shared = t.sharedRows()
	f.Lanes, f.LaneMore = t.laneRows(lanes)
	f.Figures = t.figures(lanes)
	return f
}

func safe(s string) string { return view.Safe(s, longest) }

func (t *Trace) title() string {
	if t.start.Host == "" {
		return "IPC objects by namespace"
	}
	return "IPC on " + safe(t.start.Host)
}

const dateTime = "2006-01-02 15:04:05.000"

func (t *Trace) lead() []string {
	from, to := t.origin.Add(t.from).UTC(), t.origin.Add(t.to).UTC()
	lead := []string{fmt.Sprintf("%s to %s UTC (%s)", from.Format(dateTime), to.Format(dateTime), duration(t.to-t.from))}
	if t.start.Tier != "" {
		lead = append(lead, safe("Linux "+t.start.Kernel+" "+t.start.Arch+" on "+t.start.Host), safe(t.start.Tier+" hooks"), safe(t.start.Tool))
	}
	for _, filter := range t.start.Filters {
		lead = append(lead, "recorded with "+safe(filter))
	}
	return lead
}

// duration is to three digits or so.
func duration(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

func (t *Trace) clock(at time.Duration) string {
	return t.origin.Add(at).UTC().Format("15:04:05.000000")
}

func (t *Trace) warnings() []string {
	var w []string
	add := func(when bool, format string, args ...any) {
		if when {
			w = append(w, fmt.Sprintf(format, args...))
		}
	}
	add(t.headless, "The trace began before: what was made then is told as «there before».")
	add(t.missing > 0, "At least %d lines of the log are missing.", t.missing)
	add(t.stop == nil, "There is no trace.stop: who recorded was killed, or still records, or --until cut it off.")
	add(t.start.Unreadable > 0, "The namespaces of %d processes could not be read when it began.", t.start.Unreadable)
	omitted := t.kept.omitted()
	add(omitted > 0, "%d of %d events are counted here, and not told one by one: those between the first %d and the last %d. --since and --until show a part in full.",
		omitted, t.kept.total, len(t.kept.first), len(t.kept.last))
	add(t.omitted > 0, "%d of %d objects have no line of their own: they are gone, or there are too many.", t.omitted, t.objects)
	add(len(t.beyond) > 0, "At least %d namespaces are not on this page, nor are %d events in them: it has room for %d. --ns and --since choose others.",
		len(t.beyond), t.unseen.beyond, t.limits.Namespaces)
	add(t.unseen.unplaced > 0, "%d events are not on this page: it is not known of which namespace they are.", t.unseen.unplaced)
	add(t.unseen.unheard > 0, "%d events are not on this page: this program does not know their types.", t.unseen.unheard)
	add(int(t.lost.Places) > len(t.losses), "Of %d losses %d have a place of their own, the last of them stands for those after it.", t.lost.Places, len(t.losses))
	return w
}

// account is the sum that must come out.
func (t *Trace) account() []string {
	var a []string
	if s := t.stop; s != nil {
		a = append(a, fmt.Sprintf("%d produced by the kernel = %d delivered + %d lost", s.Produced, s.Delivered, s.Lost))
		if s.Delivered+s.Lost != s.Produced {
			a = append(a, "That does not add up: the log is not to be trusted.")
		}
		for _, n := range []struct {
			count uint64
			what  string
		}{
			{s.Filtered, "left out by filters of the recording"}, {s.Dropped, "lost on the way to the log"},
			{s.Skipped, "more at most were not seen: so often the kernel skipped a hook"}, {s.Found, "found out by looking"},
		} {
			if n.count > 0 {
				a = append(a, fmt.Sprintf("%d %s", n.count, n.what))
			}
		}
	} else if t.lost.Places > 0 {
		a = append(a, fmt.Sprintf("%d lost in the kernel, %d on the way to the log, at most %d more not seen", t.lost.Kernel, t.lost.Output, t.lost.AtMost))
	}
	return append(a, fmt.Sprintf("%d events are on this page", t.events))
}

func (t *Trace) figures(lanes []*lane) []figure {
	born, ended := 0, 0
	for _, l := range lanes {
		if _, seen := t.birth(l); seen {
			born++
		}
		if l.Ended() {
			ended++
		}
	}
	var left, still, before, cleared int
	for _, o := range t.lives {
		switch {
		case o.left():
			left++
		case !o.gone:
			still++
		case o.Cause == event.CauseNamespace:
			cleared++
		}
		if o.Existing {
			before++
		}
	}
	lost, failed := t.lost.Kernel+t.lost.Output, t.known.Totals().Failed
	return []figure{
		{grouped(len(lanes)), noun(len(lanes), "namespace"), fmt.Sprintf("%d born, %d ended", born, ended), false},
		{grouped(t.objects), noun(t.objects, "object"), existingNote(before, still), false},
		{grouped(left), "left behind", fmt.Sprintf("%d more went with their namespaces", cleared), left > 0},
		{grouped(failed), "failed", limitNote(len(t.reached)), failed > 0},
		{grouped(lost), "lost", t.lossNote(), lost+t.lost.AtMost > 0},
	}
}

func existingNote(before, still int) string {
	if before == 0 {
		return "none there before"
	}
	return fmt.Sprintf("%d there before, %d of them still", before, still)
}

// lossNote says how certain it is that no more was lost.
func (t *Trace) lossNote() string {
	switch {
	case t.stop != nil && t.stop.Delivered+t.stop.Lost != t.stop.Produced:
		return "what the log says does not add up"
	case t.stop == nil:
		return "the end is not there: perhaps more"
	case t.lost.AtMost > 0:
		return fmt.Sprintf("at most %d more not seen", t.lost.AtMost)
	}
	return "delivered + lost = produced"
}

func limitNote(n int) string {
	if n == 0 {
		return "no limit reached"
	}
	return fmt.Sprintf("%d %s reached", n, noun(n, "limit"))
}

// grouped is a number with its thousands apart.
func grouped[N int | uint64](n N) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func noun(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func (t *Trace) leftRows() (rows []leftRow, more int) {
	for i, o := range t.lives {
		if !o.left() {
			continue
		}
		if len(rows) == mostRows {
			more++
			continue
		}
		made := t.clock(o.born)[:len("15:04:05.000")]
		if o.Got {
			made = "by " + made
		}
		rows = append(rows, leftRow{
			Object: o.name(), Key: safe(o.key()), Namespace: laneText(o.lane),
			Maker: processText(o.MadeBy()), Made: made, Index: i,
		})
	}
	return rows, more
}

// name is "shm 7, 64 KiB".
func (o *life) name() string {
	if size := o.size(); size != "" {
		return o.called() + ", " + safe(size)
	}
	return o.called()
}

func laneText(l *lane) string {
	if l == nil {
		return "not known"
	}
	return strings.TrimSpace(l.String() + " " + view.Safe(l.Label, 40))
}

func processText(p *event.Process) string {
	if p == nil {
		return "not known"
	}
	return fmt.Sprintf("%s[%d]", view.Safe(p.Comm, 32), p.PID)
}

func (t *Trace) limitRows() []limitRow {
	all := make([]*limit, 0, len(t.reached))
	for _, l := range t.reached {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b *limit) int { return cmp.Compare(a.number, b.number) })
	var rows []limitRow
	for _, l := range all[:min(len(all), mostRows)] {
		rows = append(rows, limitRow{
			Name: l.name, Certainty: l.certainty, Errno: safe(l.errno), Namespace: laneText(l.lane),
			There: fmt.Sprint(l.there), By: processText(l.by), When: t.clock(l.first)[:len("15:04:05.000")], Count: l.count, Lane: l.lane.index,
		})
	}
	return rows
}

func (t *Trace) laneRows(lanes []*lane) (rows []laneRow, more int) {
	shown := lanes[:min(len(lanes), mostRows)]
	for _, l := range shown {
		row := laneRow{
			Name: laneText(l), Parent: "–", Born: "there before", Ended: "–",
			Created: l.Created + l.Got, Failed: l.Failed, Removed: l.removed, There: l.Len(),
		}
		if l.parent != nil {
			row.Parent = laneText(l.parent)
		}
		if born, seen := t.birth(l); seen {
			row.Born = t.clock(born)
		}
		if l.Ended() {
			row.Ended = t.clock(t.at(l.Freed))
		}
		rows = append(rows, row)
	}
	return rows, len(lanes) - len(shown)
}

// verdictText is the first line on the page.
func (v *Verdict) text() (word, class string) {
	switch r := v.Report; {
	case r == nil:
		return "not checked", "none"
	case r.Whole():
		return "Whole: as it was written", "whole"
	case unsealed(r):
		return "Not sealed: nothing vouches for this log", "unsealed"
	}
	return "NOT WHOLE: this log is not as it was written", "broken"
}

// unsealed says whether there is nothing wrong but that nobody ever sealed it: record does.
func unsealed(r *journal.Report) bool {
	other := func(f journal.Finding) bool { return f.Fault != journal.NoLog && f.Fault != journal.Unsealed }
	return r.Seals == 0 && r.Logs == 0 && !slices.ContainsFunc(r.Findings, other)
}

// Unsealed says whether the log was never sealed, which is another thing than that its
// seals do not fit.
func (v *Verdict) Unsealed() bool { return v.Report != nil && unsealed(v.Report) }
