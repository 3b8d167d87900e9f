package screen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

// objectDetails is all that is known of an object. It goes on while that is open.
type objectDetails struct {
	scroller
	in identity
	of objectKey
}

func (d *objectDetails) lines(m *model, p *picture, rows int) []line {
	var text []line
	title := "OBJECT"
	m.see(func(s *Scene) {
		n, o := d.find(s)
		if o == nil {
			text = indented("no longer kept: there were too many since")
			return
		}
		title = view.Safe(strings.ToUpper(o.Kind), 8) + " " + nameOf(o) + " in " + view.NamespaceText(&n.Namespace)
		text = m.describe(n, o, s.Now)
	})
	return d.window(title, text, rows)
}

func (d *objectDetails) find(s *Scene) (*inventory.Namespace, *inventory.Object) {
	n := s.Inventory.Find(&event.Namespace{Inode: d.in.inode, Gen: d.in.gen, ID: d.in.id})
	if n == nil {
		return nil, nil
	}
	for _, objects := range [][]*inventory.Object{n.Objects(), n.Gone()} {
		for _, o := range objects {
			if objectKeyOf(o) == d.of {
				return n, o
			}
		}
	}
	return n, nil
}

func nameOf(o *inventory.Object) string {
	if o.Name != "" {
		return view.Safe(o.Name, view.MaxName)
	}
	return strconv.Itoa(int(o.ID))
}

// describe is what an object is, and its history.
func (m *model) describe(n *inventory.Namespace, o *inventory.Object, now time.Time) []line {
	text := indented(m.facts(o)...)
	if others := m.sharing.others(o, &n.Namespace); len(others) > 0 {
		text = append(text, styled("  ≠ the same key leads to another object in "+othersText(others), shared))
	}
	text = append(text, nil, styled("  HISTORY", view.Faint))
	return append(text, m.history(o, now)...)
}

func (m *model) facts(o *inventory.Object) []string {
	key := "key " + view.KeyText(o.Kind, o.Key, o.Name, view.Whole)
	if o.Kind == "mq" {
		key = "name " + view.KeyText(o.Kind, o.Key, o.Name, view.Whole)
	} else if o.Key == 0 {
		key += " (IPC_PRIVATE: no call can find it by its key)"
	}
	texts := []string{key}
	if !o.Known {
		texts = append(texts, "owner, mode and size are not known: its making was not seen")
	} else {
		owner := view.Unknown
		if o.UID != nil && o.GID != nil {
			owner = fmt.Sprintf("%s (%d:%d)", m.opts.Users.Name(*o.UID), *o.UID, *o.GID)
		}
		texts = append(texts, fmt.Sprintf("owner %s · mode %s · %s", owner, o.Mode, view.ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize)))
	}
	if o.State != nil {
		texts = append(texts, m.stateTexts(o.State)...)
	}
	return texts
}

// stateTexts are what the kernel's list said when it was last looked at.
func (m *model) stateTexts(s *event.State) []string {
	var parts []string
	if used := view.UsedText(s); used != "" {
		parts = append(parts, used)
	}
	for _, pid := range []struct {
		name string
		pid  *uint32
	}{{"made by pid", s.CPID}, {"last attached or detached by pid", s.LPID}, {"last sent by pid", s.LSPID}, {"last received by pid", s.LRPID}} {
		if pid.pid != nil && *pid.pid != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", pid.name, *pid.pid))
		}
	}
	if !s.CTime.IsZero() {
		parts = append(parts, "made or changed "+m.dateText(s.CTime, time.DateTime))
	}
	if len(parts) == 0 {
		return nil
	}
	return wrap("as the kernel's list had it last: "+strings.Join(parts, " · "), m.columns-2)
}

func (m *model) dateText(t time.Time, form string) string { return t.In(m.opts.Location).Format(form) }

// stamp is a moment, with its date where that is not today's.
func (m *model) stamp(t, now time.Time) string {
	const clock = "15:04:05.000000"
	if day := m.dateText(t, time.DateOnly); day != m.dateText(now, time.DateOnly) {
		return day + " " + m.dateText(t, clock)
	}
	return m.dateText(t, clock)
}

// history is who made it, used it, marked it and removed it, and when.
func (m *model) history(o *inventory.Object, now time.Time) (lines []line) {
	add := func(at time.Time, what string, s view.Style, p *event.Process, c *event.Container) {
		text := fmt.Sprintf("%s  %-8s %s", m.stamp(at, now), what, m.who(p, c))
		for _, part := range wrap(text, m.columns-2) {
			lines = append(lines, styled("  "+part, s))
		}
	}
	switch {
	case o.Maker != nil:
		add(o.First, "created", fresh, o.Maker, o.Container)
	case o.Existing:
		lines = append(lines, plain("  there before: who made it was not seen"))
	default:
		lines = append(lines, plain("  first seen "+m.stamp(o.First, now)+"; whether it was made then, the hooks could not tell"))
	}
	if more := o.Opens - uint64(len(o.Uses)); more > 0 {
		lines = append(lines, styled(fmt.Sprintf("  … %d calls opened it, or got it, before these", more), view.Faint))
	}
	for _, u := range o.Uses {
		what := "opened"
		if u.Event == event.ObjectGet {
			what = "got"
		}
		add(u.Time, what, view.Normal, u.Process, u.Container)
	}
	if !o.Marked.IsZero() {
		add(o.Marked, "marked", view.Normal, o.Marker, nil)
	}
	if o.Removed.IsZero() {
		return append(lines, plain("  it is there, "+view.Age(now.Sub(o.First))+" since it was first seen"))
	}
	cause := view.CauseText(o.Cause)
	if late := view.Late(o.Observed); late != "" {
		cause += ", " + late
	}
	if o.Remover == nil && o.Observed == event.ObservedHook {
		lines = append(lines, styled("  "+m.stamp(o.Removed, now)+"  removed  by the kernel itself", view.Failure))
	} else {
		add(o.Removed, "removed", view.Failure, o.Remover, nil)
	}
	return append(lines, plain("  cause: "+cause))
}

// who is a process, as it was when it called.
func (m *model) who(p *event.Process, c *event.Container) string {
	if p == nil {
		return "by nobody that is known"
	}
	parts := []string{"by " + view.Caller(p)}
	if p.ParentComm != "" || p.PPID != 0 {
		parts = append(parts, fmt.Sprintf("of %s[%d]", view.Safe(p.ParentComm, view.MaxLabel), p.PPID))
	}
	parts = append(parts, "uid "+m.opts.Users.Name(p.UID))
	if c != nil && c.ID != "" {
		parts = append(parts, "container "+view.Safe(m.opts.Container(c), 64))
	}
	if p.Cgroup != "" {
		parts = append(parts, "cgroup "+view.Safe(p.Cgroup, 128))
	}
	return strings.Join(parts, " · ")
}

// spaceDetails is all that is known of a namespace.
type spaceDetails struct {
	scroller
	of identity
}

func (d *spaceDetails) lines(m *model, p *picture, rows int) []line {
	var text []line
	title := "NAMESPACE"
	m.see(func(s *Scene) {
		n := s.Inventory.Find(&event.Namespace{Inode: d.of.inode, Gen: d.of.gen, ID: d.of.id})
		if n == nil {
			text = indented("no longer kept: there were too many since")
			return
		}
		crowd, known := s.Crowds[n.Inode]
		title = "IPC NAMESPACE " + view.NamespaceText(&n.Namespace)
		text = m.describeSpace(n, s.Now)
		if known && !n.Ended() {
			text = append(text, indented("processes in it: "+strconv.Itoa(crowd.Processes))...)
			text = append(text, limitLines(crowd.Limits)...)
		}
	})
	return d.window(title, text, rows)
}

func (m *model) describeSpace(n *inventory.Namespace, now time.Time) []line {
	var texts []string
	add := func(format string, args ...any) {
		texts = append(texts, wrap(fmt.Sprintf(format, args...), m.columns-2)...)
	}
	add("inode number %d, generation %d of it in this trace", n.Inode, n.Gen)
	if n.ID != 0 {
		add("the kernel's id: %d", n.ID)
	}
	if born := view.Born(n, m.opts); born != "" {
		add("%s", born)
	}
	if n.Joined > 0 && n.Joiner != nil {
		add("joined %d times, last by %s", n.Joined, view.Caller(n.Joiner))
	}
	add("%s: %s", view.Count(n.Len(), "object"), view.Tally(n))
	if n.Removed > 0 {
		add("gone: %s", view.RemovedText(n))
	}
	if n.LastFailure != "" {
		add("last failure: %s", view.Safe(n.LastFailure, view.MaxWord))
	}
	add("callers seen: %d", n.Processes)
	for _, c := range n.Containers {
		add("container: %s", view.Safe(m.opts.Container(c), 64))
	}
	if n.Ended() {
		late := view.Late(n.Observed)
		if late != "" {
			late = ", " + late
		}
		add("ended %s, %s ago%s", m.stamp(n.Freed, now), view.Age(now.Sub(n.Freed)), late)
	}
	return indented(texts...)
}

func limitLines(limits []view.Limit) []line {
	lines := []line{nil, styled("  LIMITS", view.Faint)}
	for _, l := range limits {
		cell := limitCell(l)
		text := fmt.Sprintf("  %s  %s", cell.Text, l.Text())
		if l.Max >= view.Unlimited {
			text = "  " + pad(view.Safe(l.Name, limitName), limitWidth) + "  " + l.Text()
		}
		lines = append(lines, styled(text, cell.Style))
	}
	return lines
}

// eventDetails is an event as it stands in a log.
type eventDetails struct {
	scroller
	of *event.Event
}

func (d *eventDetails) lines(m *model, _ *picture, rows int) []line {
	var pretty bytes.Buffer
	e := *d.of
	e.V = event.Version
	if err := json.Indent(&pretty, e.AppendJSON(nil), "", "  "); err != nil {
		return d.window("EVENT", indented(view.Safe(err.Error(), view.Whole)), rows)
	}
	var text []line
	for l := range strings.Lines(pretty.String()) {
		bare := strings.TrimLeft(strings.TrimSuffix(l, "\n"), " ")
		indent := len(strings.TrimSuffix(l, "\n")) - len(bare)
		text = append(text, plain("  "+strings.Repeat(" ", indent)+view.Safe(bare, view.Whole)))
	}
	return d.window("EVENT, as a log has it", text, rows)
}
