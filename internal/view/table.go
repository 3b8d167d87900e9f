package view

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

var objectHeader = []string{"KIND", "ID", "KEY", "STATE", "OWNER", "MODE", "SIZE", "MAKER", "AGE", "OPENS"}

// cuts are how wide names may be. Where there is not room for all columns, that
// of makers is made narrower, as far as leastMaker, then that of keys: the names
// in both can be cut, and be long.
type cuts struct{ maker, name int }

const (
	keyColumn   = 2
	makerColumn = 7
	leastMaker  = 14
	leastName   = 10 // as wide as a key
)

const nothingSeen = "no System V IPC seen"

// tableGone is how many of the objects gone last a table shows of a namespace, and
// how many of the namespaces that ended last.
const tableGone = 10

// tableBefore is how many it shows of the objects that were there before and with
// which nothing happened since.
const tableBefore = 10

// idle is how many objects a table leaves out at the beginning of a namespace.
func idle(n *inventory.Namespace) int {
	leading := slices.IndexFunc(n.Objects(), func(o *inventory.Object) bool {
		return !o.Existing || o.Opens > 0 || !o.Marked.IsZero()
	})
	if leading < 0 {
		leading = n.Len()
	}
	return max(0, leading-tableBefore)
}

// Table writes everything the inventory knows: one block for each namespace that
// is there, with the objects in it and those gone last, and a line for those that
// ended.
func Table(w io.Writer, inv *inventory.Inventory, now time.Time, opts Options) error {
	t := table{now: now, columns: Whole, opts: opts.Complete()}
	live, ended, quiet := sorted(inv.Namespaces())
	var all choice
	for _, n := range live {
		c := contents{Namespace: n, gone: n.NewestGone(tableGone), rest: " that were there before: ipctrace ls has them all"}
		all.of, all.limits = append(all.of, c), append(all.limits, c.len()-idle(n))
	}
	blocks, err := t.blocks(all)
	if err != nil {
		return err
	}
	for i, c := range all.of {
		if c.Removed > 0 {
			blocks[i] = append(blocks[i], Row{"removed: " + RemovedText(c.Namespace), Normal})
		}
	}
	if quiet > 0 {
		blocks = append(blocks, []Row{{Text: Count(quiet, "more IPC namespace") + ", there before: empty, and nothing happened in them"}})
	}
	if len(ended) > 0 {
		blocks = append(blocks, endedBlock(ended))
	}
	if len(blocks) == 0 {
		blocks = [][]Row{{{Text: nothingSeen}}}
	}
	var b strings.Builder
	for i, block := range blocks {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, r := range block {
			b.WriteString(r.Render(opts.Color) + "\n")
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

// table of objects by namespace.
type table struct {
	now     time.Time
	columns int // that there is room for
	opts    Options
	aside   *Aside // nil: there is none
}

// Objects lays objects out as [Table] does, a row each and one for the header, in so
// many columns if that is possible. With an aside, which is safe, the last column has
// what it says of each.
func Objects(objects []*inventory.Object, now time.Time, columns int, aside *Aside, opts Options) (header Row, rows []Row, err error) {
	t := table{now: now, columns: columns, opts: opts.Complete(), aside: aside}
	lines, err := t.grid(func(cut cuts) [][]string {
		cells := make([][]string, len(objects))
		for i, o := range objects {
			cells[i] = t.objectCells(o, cut)
		}
		return cells
	})
	if err != nil {
		return header, nil, err
	}
	return Row{lines[0], Bold}, t.rows(objects, lines[1:]), nil
}

// Aside is a column with what else there is to say of an object.
type Aside struct {
	Title string
	Of    func(*inventory.Object) string
}

// choice of namespaces, and for each how many of its objects: the newest.
type choice struct {
	of     []contents
	limits []int
}

// blocks are the rows of each namespace. They are laid out as one table, so that
// columns are the same in all.
func (t table) blocks(c choice) ([][]Row, error) {
	lines, err := t.grid(func(cut cuts) [][]string { return t.cells(c, cut) })
	if err != nil {
		return nil, err
	}
	header, lines := lines[0], lines[1:]
	blocks := make([][]Row, len(c.of))
	for i, n := range c.of {
		objects := n.newest(c.limits[i])
		blocks[i] = t.namespaceBlock(n, header, objects, lines[:len(objects)])
		lines = lines[len(objects):]
	}
	return blocks, nil
}

// grid lays cells out, cut as far as it takes for all columns to fit.
func (t table) grid(cells func(cuts) [][]string) ([]string, error) {
	header := objectHeader
	if t.aside != nil {
		header = append(slices.Clone(header), t.aside.Title)
	}
	cut := cuts{Whole, MaxName}
	all := cells(cut)
	widths := gridWidths(header, all)
	if over := gridWidth(widths) - t.columns; over > 0 {
		cut.maker = max(leastMaker, widths[makerColumn]-over)
		over -= max(0, widths[makerColumn]-cut.maker)
		cut.name = max(leastName, widths[keyColumn]-max(0, over))
		all = cells(cut)
	}
	return grid(header, all)
}

func (t table) cells(c choice, cut cuts) [][]string {
	var cells [][]string
	for i, n := range c.of {
		for _, o := range n.newest(c.limits[i]) {
			cells = append(cells, t.objectCells(o, cut))
		}
	}
	return cells
}

func (t table) namespaceBlock(n contents, header string, objects []*inventory.Object, lines []string) []Row {
	block := []Row{{NamespaceTitle(n.Namespace, t.opts), Bold}}
	if n.len() == 0 {
		return append(block, Row{Text: noObjects(n.Namespace)})
	}
	block = append(append(block, Row{Text: header}), t.rows(objects, lines)...)
	if more := n.len() - len(objects); more > 0 {
		block = append(block, Row{Text: fmt.Sprintf("… and %d more%s", more, n.rest)})
	}
	return block
}

// rows of objects: what is gone is faint.
func (t table) rows(objects []*inventory.Object, lines []string) []Row {
	rows := make([]Row, len(lines))
	for i, line := range lines {
		rows[i].Text = line
		if !objects[i].Removed.IsZero() {
			rows[i].Style = Faint
		}
	}
	return rows
}

func noObjects(n *inventory.Namespace) string {
	switch {
	case n.Removed > 0:
		return "no objects left"
	case n.Created+n.Opened+n.Got > 0:
		return "no objects kept: there were too many"
	}
	return "no objects seen"
}

func (t table) objectCells(o *inventory.Object, cut cuts) []string {
	owner, mode, size := Unknown, Unknown, Unknown
	if o.Known {
		mode = o.Mode.String()
		size = ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize)
		if o.UID != nil {
			owner = t.opts.Users.Name(*o.UID)
		}
	}
	id := None
	if o.Kind != kindMQ {
		id = strconv.Itoa(int(o.ID))
	}
	cells := []string{
		Safe(o.Kind, MaxWord), id, KeyText(o.Kind, o.Key, o.Name, cut.name), t.stateText(o), owner, mode, size,
		t.makerText(o, cut.maker), t.ageText(o), strconv.FormatUint(o.Opens, 10),
	}
	if t.aside != nil {
		cells = append(cells, t.aside.Of(o))
	}
	return cells
}

// stateText is what is known of an object's life, in a word or two.
func (t table) stateText(o *inventory.Object) string {
	switch {
	case !o.Removed.IsZero() && o.Cause == "":
		return "gone"
	case !o.Removed.IsZero():
		return "gone: " + CauseText(o.Cause)
	case !o.Marked.IsZero():
		return "marked"
	case o.Existing:
		return "before"
	case o.Container != nil && o.Maker != nil && t.opts.Left != nil && t.opts.Left(o.Maker):
		return "container gone"
	case o.Maker != nil:
		return "new"
	}
	return Unknown
}

// ageText of an object whose making was not seen is the least it can be: the
// kernel's list tells when it was made or changed. Of one that is gone it is how
// long ago.
func (t table) ageText(o *inventory.Object) string {
	switch {
	case !o.Removed.IsZero():
		return Age(t.now.Sub(o.Removed)) + " ago"
	case o.Maker != nil:
		return Age(t.now.Sub(o.First))
	case o.State != nil && !o.State.CTime.IsZero() && o.State.CTime.Before(o.First):
		return "≥" + Age(t.now.Sub(o.State.CTime))
	}
	return "≥" + Age(t.now.Sub(o.First))
}

// makerText is "ipcmk[123]", in a container "docker:db/ipcmk[123]". Where that is too
// wide the process is what stays, and of its name a part.
func (t table) makerText(o *inventory.Object, max int) string {
	if o.Maker == nil {
		return userText(o, max)
	}
	text := Caller(o.Maker)
	if o.Container != nil && o.Container.ID != "" {
		text = Safe(t.opts.Container(o.Container), MaxLabel) + "/" + text
	}
	if Width(text) <= max {
		return text
	}
	return cutCaller(o.Maker, max)
}

// userText stands for a maker that nobody saw: who used the object last is a fact.
func userText(o *inventory.Object, max int) string {
	const used = Unknown + " used by "
	if o.LastUser == nil || max < len(used)+leastMaker {
		return Unknown
	}
	return used + cutCaller(o.LastUser, max-len(used))
}

// cutCaller cuts the name and never the number.
func cutCaller(p *event.Process, max int) string {
	pid := fmt.Sprintf("[%d]", p.PID)
	return Safe(p.Comm, max-len(pid)) + pid
}
