package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// column of lines. Its width is what its usual contents need: a longer one pushes
// those behind it to the right, until there is room again.
type column struct {
	name  string
	width int
}

var lineColumns = []column{
	{"TIME", 15},
	{"EVENT", 16},
	{"NAMESPACE", 11 + MaxLabel},
	{"KIND", 4},
	{"ID", 7},
	{"KEY", 10},
	{"OWNER", 8},
	{"MODE", 4},
	{"SIZE", 8},
	{"PID", 11},
	{"COMM", 16},
}

const (
	clock      = "15:04:05.000000"
	ShortClock = "15:04:05"
)

// Lines writes an event a line, aligned, for pipes and logs.
type Lines struct {
	w    io.Writer
	opts Options
}

// NewLines writes to w, each line in one piece.
func NewLines(w io.Writer, opts Options) *Lines {
	return &Lines{w: w, opts: opts.Complete()}
}

// Header writes the names of the columns.
func (l *Lines) Header() error { return l.write(header(lineColumns)) }

// Write writes an event.
func (l *Lines) Write(e *event.Event) error { return l.write(lineRow(e, l.opts)) }

func (l *Lines) write(r Row) error {
	_, err := io.WriteString(l.w, r.Render(l.opts.Color)+"\n")
	return err
}

// header of these columns.
func header(columns []column) Row {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return Row{align(columns, names...), Bold}
}

// align puts cells where their columns begin, or as near as what stands before
// them lets it.
func align(columns []column, cells ...string) string {
	var b strings.Builder
	at, start := 0, 0
	for i, cell := range cells {
		if i > 0 {
			space := max(1, start-at)
			b.WriteString(strings.Repeat(" ", space))
			at += space
		}
		b.WriteString(cell)
		at += Width(cell)
		start += columns[i].width + 1
	}
	return b.String()
}

// lineRow is the line of an event. The options are complete.
func lineRow(e *event.Event, opts Options) Row {
	at := e.Time.In(opts.Location).Format(clock)
	switch e.Event {
	case event.TraceLost:
		return Row{align(lineColumns, at, string(e.Event), lostText(e.Lost, opts)), Alarm}
	case event.TraceStart:
		return Row{align(lineColumns, at, string(e.Event), startText(e.Start)), Normal}
	case event.TraceStop:
		return Row{align(lineColumns, at, string(e.Event), stopText(e.Stop)), Normal}
	}
	cells := []string{at, orNone(Safe(string(e.Event), MaxWord)), None}
	if e.NS != nil {
		cells[2] = NamespaceText(e.NS)
	}
	cells = append(cells, objectCells(e, opts)...)
	cells = append(cells, processCells(e, opts)...)
	return Row{align(lineColumns, cells...) + noteText(e, opts), eventStyle(e)}
}

func eventStyle(e *event.Event) Style {
	switch e.Event {
	case event.ObjectFail:
		return Failure
	case event.TraceLost:
		return Alarm
	}
	return Normal
}

// objectCells are KIND to SIZE.
func objectCells(e *event.Event, opts Options) []string {
	o := e.Object
	if o == nil {
		return []string{None, idText(e), None, ownerText(e, opts), None, None}
	}
	return []string{
		orNone(Safe(o.Kind, MaxWord)), idText(e), keyTold(o, MaxLabel),
		ownerText(e, opts), modeTold(o), ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize),
	}
}

// idText is the object's id or, when there is none, why.
func idText(e *event.Event) string {
	switch {
	case e.Errno != "":
		return Safe(e.Errno, MaxWord)
	case e.Object != nil && e.Object.ID != nil:
		return strconv.FormatInt(int64(*e.Object.ID), 10)
	}
	return None
}

// ownerText is the owner of the object when the event says, else the caller.
func ownerText(e *event.Event, opts Options) string {
	switch {
	case e.Object != nil && e.Object.UID != nil:
		return opts.Users.Name(*e.Object.UID)
	case e.Process != nil && e.Event != event.ObjectMark && e.Event != event.ObjectRemove:
		return opts.Users.Name(e.Process.UID)
	}
	return None
}

// processCells are PID and COMM, with the ABI where it is not the usual one.
func processCells(e *event.Event, opts Options) []string {
	if e.Process == nil {
		return []string{None, nobodyText(e)}
	}
	return []string{pidText(e.Process), orNone(Safe(e.Process.Comm, maxComm)) + abiText(e, opts)}
}

// pidText is "62293", and in a pid namespace of its own "62293/1".
func pidText(p *event.Process) string {
	pid := strconv.FormatUint(uint64(p.PID), 10)
	if p.NSPID != 0 && p.NSPID != p.PID {
		pid += "/" + strconv.FormatUint(uint64(p.NSPID), 10)
	}
	return pid
}

func abiText(e *event.Event, opts Options) string {
	if opts.Native == "" || e.ABI == "" || e.ABI == opts.Native {
		return ""
	}
	return " [" + Safe(e.ABI, MaxWord) + "]"
}

func lostText(l *event.Lost, opts Options) string {
	if l == nil {
		return "events lost"
	}
	at := func(t time.Time) string { return t.In(opts.Location).Format(clock) }
	most := ""
	if l.AtMost {
		most = "at most "
	}
	return fmt.Sprintf("%s%s lost between %s and %s", most, Count(l.Count, "event"), at(l.From), at(l.To))
}

func startText(s *event.Start) string {
	if s == nil {
		return None
	}
	return hostText(s) + ", " + Count(uint64(max(0, s.Namespaces)), "IPC namespace")
}

// hostText says where a trace was made, and how.
func hostText(s *event.Start) string {
	return fmt.Sprintf("%s hooks, Linux %s %s on %s",
		Safe(s.Tier, MaxWord), Safe(s.Kernel, Whole), Safe(s.Arch, MaxWord), Safe(s.Host, Whole))
}

func stopText(s *event.Stop) string {
	if s == nil {
		return None
	}
	found := ""
	if s.Found > 0 {
		found = fmt.Sprintf(", %d found out", s.Found)
	}
	cgroups := ""
	if s.CgroupsLost > 0 {
		cgroups = fmt.Sprintf("; %s not told of: containers may lack", Count(s.CgroupsLost, "new cgroup"))
	}
	return fmt.Sprintf("%s: %s, %d written%s, %d filtered, %s%s",
		Safe(s.Reason, MaxWord), Count(s.Produced, "event"), s.Written, found, s.Filtered, Losses(s.Lost, s.Skipped), cgroups)
}
