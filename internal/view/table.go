package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

var objectHeader = []string{"KIND", "ID", "KEY", "OWNER", "MODE", "SIZE", "MAKER", "AGE", "OPENS"}

// Where there is not room for all columns, that of makers is made narrower, as
// far as leastMaker: names can be cut, and be long.
const (
	makerColumn = 6
	leastMaker  = 14
)

const nothingSeen = "no System V IPC seen"

// Table writes everything the inventory knows, one block a namespace.
func Table(w io.Writer, inv *inventory.Inventory, now time.Time, opts Options) error {
	t := table{now: now, columns: Whole, opts: opts.orDefault()}
	all := choice{namespaces: inv.Namespaces()}
	for _, n := range all.namespaces {
		all.limits = append(all.limits, n.Len())
	}
	blocks, err := t.blocks(all)
	if err != nil {
		return err
	}
	if len(blocks) == 0 {
		blocks = [][]row{{{text: nothingSeen}}}
	}
	var b strings.Builder
	for i, block := range blocks {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, r := range block {
			b.WriteString(r.render(opts.Color) + "\n")
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
}

// choice of namespaces, and for each how many of its objects: the newest.
type choice struct {
	namespaces []*inventory.Namespace
	limits     []int
}

// blocks are the rows of each namespace. They are laid out as one table, so that
// columns are the same in all.
func (t table) blocks(c choice) ([][]row, error) {
	cells := t.cells(c, Whole)
	widths := gridWidths(objectHeader, cells)
	if over := gridWidth(widths) - t.columns; over > 0 {
		cells = t.cells(c, max(leastMaker, widths[makerColumn]-over))
	}
	lines, err := grid(objectHeader, cells)
	if err != nil {
		return nil, err
	}
	header, lines := lines[0], lines[1:]
	blocks := make([][]row, len(c.namespaces))
	for i, n := range c.namespaces {
		shown := min(c.limits[i], n.Len())
		blocks[i] = namespaceBlock(n, header, lines[:shown])
		lines = lines[shown:]
	}
	return blocks, nil
}

func (t table) cells(c choice, maxMaker int) [][]string {
	var cells [][]string
	for i, n := range c.namespaces {
		for _, o := range n.Newest(c.limits[i]) {
			cells = append(cells, t.objectCells(o, maxMaker))
		}
	}
	return cells
}

func namespaceBlock(n *inventory.Namespace, header string, objects []string) []row {
	block := []row{{namespaceTitle(n), bold}}
	if n.Len() == 0 {
		return append(block, row{text: noObjects(n)})
	}
	block = append(block, row{text: header})
	for _, line := range objects {
		block = append(block, row{text: line})
	}
	if more := n.Len() - len(objects); more > 0 {
		block = append(block, row{text: fmt.Sprintf("… and %d more", more)})
	}
	return block
}

func noObjects(n *inventory.Namespace) string {
	if n.Created+n.Opened+n.Got > 0 {
		return "no objects kept: there were too many"
	}
	return "no objects seen"
}

func (t table) objectCells(o *inventory.Object, maxMaker int) []string {
	owner, mode, size := unknown, unknown, unknown
	age := ageText(t.now.Sub(o.First))
	if !o.Known {
		age = "≥" + age // it may have been there before
	} else {
		mode = o.Mode.String()
		size = sizeText(o.Size, o.NSems)
		if o.UID != nil {
			owner = t.opts.Users.Name(*o.UID)
		}
	}
	return []string{
		Safe(o.Kind, maxWord), strconv.Itoa(int(o.ID)), o.Key.String(),
		owner, mode, size, makerText(o, maxMaker), age, strconv.FormatUint(o.Opens, 10),
	}
}

// makerText is "ipcmk[123]", in a container "0123456789ab/ipcmk[123]". Where that
// is too wide the process is what stays, and of its name a part.
func makerText(o *inventory.Object, max int) string {
	const idPrefix = 12 // what docker and its like show
	if o.Maker == nil {
		return userText(o, max)
	}
	text := callerText(o.Maker)
	if o.Container != nil && o.Container.ID != "" {
		id := o.Container.ID
		text = Safe(id[:min(len(id), idPrefix)], maxLabel) + "/" + text
	}
	if width(text) <= max {
		return text
	}
	return cutCaller(o.Maker, max)
}

// userText stands for a maker that nobody saw: who used the object last is a fact.
func userText(o *inventory.Object, max int) string {
	const used = unknown + " used by "
	if o.LastUser == nil || max < len(used)+leastMaker {
		return unknown
	}
	return used + cutCaller(o.LastUser, max-len(used))
}

// cutCaller cuts the name and never the number.
func cutCaller(p *event.Process, max int) string {
	pid := fmt.Sprintf("[%d]", p.PID)
	return Safe(p.Comm, max-len(pid)) + pid
}
