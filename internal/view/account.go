package view

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/ledger"
)

// Leftover is an object that a command left behind, with what removes it.
type Leftover struct {
	*ledger.Object
	Command string // "ipcrm -q 5"; "": nothing that is known
	Allowed bool   // to be left behind
	Note    string // "removed"; or why it is not certain
}

// accountShown is how many rows a table has; --json has them all.
const accountShown = 50

// Account writes what a command did, and what it left behind.
func Account(w io.Writer, a *ledger.Account, left, inUse, doubt []Leftover, opts Options) error {
	opts = opts.Complete()
	var b strings.Builder
	blocks := []func(io.Writer) error{func(w io.Writer) error { return doings(w, a, opts) }}
	for _, list := range []struct {
		objects []Leftover
		title   string
		style   Style
	}{
		{left, "left behind: ", Failure},
		{inUse, "removed, and still attached by somebody: ", Normal},
		{doubt, "perhaps left behind: ", Failure},
		{leftovers(a.Died), "gone with the namespace: ", Normal},
	} {
		if len(list.objects) > 0 {
			title := Row{list.title + Count(len(list.objects), "object"), list.style}
			blocks = append(blocks, func(w io.Writer) error { return remains(w, title, list.objects, opts) })
		}
	}
	for i, block := range blocks {
		if i > 0 {
			b.WriteByte('\n')
		}
		if err := block(&b); err != nil {
			return err
		}
	}
	b.WriteString("\n" + verdict(a, len(left), len(doubt)) + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func leftovers(objects []*ledger.Object) []Leftover {
	all := make([]Leftover, len(objects))
	for i, o := range objects {
		all[i].Object = o
	}
	return all
}

// doings is a table of what was done, by namespace and kind.
func doings(w io.Writer, a *ledger.Account, opts Options) error {
	header := []string{"NAMESPACE", "KIND", "CREATED", "OPENED", "REMOVED", "FAILED"}
	var cells [][]string
	unclear := false
	for _, n := range a.Namespaces {
		n.Rows(func(kind string, c *ledger.Counts) { unclear = unclear || c.Got > 0 })
	}
	for _, n := range a.Namespaces {
		n.Rows(func(kind string, c *ledger.Counts) {
			row := []string{NamespaceText(&n.Namespace), kind, number(c.Created), number(c.Opened), number(c.Removed), failedText(c)}
			if unclear {
				row = slices.Insert(row, 4, number(c.Got))
			}
			cells = append(cells, row)
		})
	}
	if len(cells) == 0 {
		_, err := io.WriteString(w, "it used no System V IPC and no POSIX queues\n")
		return err
	}
	if unclear {
		header = slices.Insert(header, 4, "MADE OR FOUND")
	}
	shown := cells[:min(len(cells), accountShown)]
	if err := writeGrid(w, header, shown, opts, func(int) Style { return Normal }); err != nil {
		return err
	}
	return moreRows(w, len(cells)-len(shown))
}

func moreRows(w io.Writer, more int) error {
	if more == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "… and %d more: --json has them all\n", more)
	return err
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// failedText is "3: 2 EEXIST, 1 ENOSPC".
func failedText(c *ledger.Counts) string {
	if c.Failed == 0 {
		return "0"
	}
	names := make([]string, 0, len(c.Errnos))
	for name := range c.Errnos {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", c.Errnos[name], Safe(name, MaxWord))
	}
	return number(c.Failed) + ": " + strings.Join(names, ", ")
}

// remains is a table of objects.
func remains(w io.Writer, title Row, objects []Leftover, opts Options) error {
	if _, err := io.WriteString(w, title.Render(opts.Color)+"\n"); err != nil {
		return err
	}
	header := []string{"KIND", "ID", "KEY/NAME", "OWNER", "MODE", "SIZE", "USED", "MAKER", "MADE", "NAMESPACE", ""}
	shown := objects[:min(len(objects), accountShown)]
	cells := make([][]string, len(shown))
	for i, o := range shown {
		cells[i] = leftoverCells(o, opts)
	}
	if slices.ContainsFunc(shown, func(o Leftover) bool { return o.Command != "" }) {
		header[len(header)-1] = "REMOVE WITH"
	}
	if err := writeGrid(w, header, cells, opts, func(int) Style { return Normal }); err != nil {
		return err
	}
	return moreRows(w, len(objects)-len(shown))
}

func leftoverCells(o Leftover, opts Options) []string {
	id, owner := None, Unknown
	if o.Object.Object.ID != nil {
		id = strconv.Itoa(int(*o.Object.Object.ID))
	}
	if o.Object.Object.UID != nil {
		owner = opts.Users.Name(*o.Object.Object.UID)
	}
	obj := &o.Object.Object
	allowed := ""
	if o.Allowed {
		allowed = "allowed"
	}
	aside := []string{o.Command, noteAside(allowed), noteAside(o.Note)}
	last := strings.Join(slices.DeleteFunc(aside, func(s string) bool { return s == "" }), "  ")
	return []string{
		Safe(obj.Kind, MaxWord), id, KeyText(obj.Kind, obj.Key, obj.Name, MaxName), owner, modeTold(obj),
		ObjectSize(obj.Size, obj.NSems, obj.MaxMsg, obj.MsgSize), orNone(UsedText(obj.State)),
		doerText(o.Maker), o.Time.In(opts.Location).Format(ShortClock), NamespaceText(&o.NS), last,
	}
}

func noteAside(note string) string {
	if note == "" {
		return ""
	}
	return "(" + note + ")"
}

func doerText(p *event.Process) string {
	if p == nil {
		return Unknown
	}
	return Caller(p)
}

// verdict is the last line: how it came out.
func verdict(a *ledger.Account, left, doubt int) string {
	var parts []string
	add := func(n int, text string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(text, Count(n, "object")))
		}
	}
	if left+doubt == 0 {
		parts = append(parts, "nothing left behind")
	} else {
		add(left, "%s left behind")
		add(doubt, "%s perhaps left behind")
	}
	add(len(a.Died)+a.DiedMore, "%s gone with their namespaces")
	add(a.ByOthers, "%s removed by others")
	add(a.Unseen, "%s gone, nobody saw why")
	if a.Unplaced > 0 {
		parts = append(parts, Count(a.Unplaced, "event")+" of unknown namespaces")
	}
	return strings.Join(append(parts, Losses(a.Lost, a.Skipped)), "; ")
}
