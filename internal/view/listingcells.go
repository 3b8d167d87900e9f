package view

import (
	"strconv"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
)

// narrow says how much of a listing is left out for want of room; each step
// includes those before. What it is and how big it is always stays.
type narrow int

const (
	allOfIt    narrow = iota
	noLast            // who used it last
	shortCTime        // neither year nor seconds
	noMode
	noComm    // of the creator: the number stays
	shortName // of a POSIX queue
	noCTime
)

// listedColumns are those of a listing, and from which step on each is left out.
var listedColumns = []struct {
	name    string
	without narrow // allOfIt: never
	text    func(listedObject) string
}{
	{"KIND", allOfIt, func(o listedObject) string { return orNone(Safe(o.Kind, MaxWord)) }},
	{"ID", allOfIt, listedObject.idText},
	{"KEY/NAME", allOfIt, listedObject.keyText},
	{"OWNER", allOfIt, listedObject.ownerText},
	{"MODE", noMode, func(o listedObject) string { return o.Mode.String() }},
	{"SIZE", allOfIt, func(o listedObject) string { return ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize) }},
	{"USED", allOfIt, func(o listedObject) string { return orNone(UsedText(o.state)) }},
	{"CPID", allOfIt, listedObject.creatorText},
	{"LPID", noLast, listedObject.lastText},
	{"CTIME", noCTime, listedObject.ctimeText},
	{"STATE", allOfIt, listedObject.stateText},
}

// listedGrid lays out the objects of all namespaces as one table, in the width
// that there is if leaving something out is enough for that.
func listedGrid(namespaces []ListedNamespace, opts Options) (header string, lines []string, err error) {
	names, cells := listedCells(namespaces, allOfIt, opts)
	for n := noLast; n <= noCTime && opts.Width > 0 && gridWidth(gridWidths(names, cells)) > opts.Width; n++ {
		names, cells = listedCells(namespaces, n, opts)
	}
	lines, err = grid(names, cells)
	if err != nil {
		return "", nil, err
	}
	return lines[0], lines[1:], nil
}

func listedCells(namespaces []ListedNamespace, n narrow, opts Options) (names []string, cells [][]string) {
	for _, c := range listedColumns {
		if c.without == allOfIt || n < c.without {
			names = append(names, c.name)
		}
	}
	for _, ns := range namespaces {
		for _, l := range ns.Objects {
			o := newListedObject(l, n, opts)
			texts := make([]string, 0, len(names))
			for _, c := range listedColumns {
				if c.without == allOfIt || n < c.without {
					texts = append(texts, c.text(o))
				}
			}
			cells = append(cells, texts)
		}
	}
	return names, cells
}

// listedObject is one to be laid out.
type listedObject struct {
	*event.Object
	state       *event.State
	orphan      string
	creatorComm string
	narrow      narrow
	opts        Options
}

func newListedObject(l ListedObject, n narrow, opts Options) listedObject {
	o := listedObject{l.Object, nil, l.Orphan, l.CreatorComm, n, opts}
	if o.Object == nil {
		o.Object = new(event.Object)
	}
	if o.state = o.State; o.state == nil {
		o.state = new(event.State)
	}
	return o
}

func (o listedObject) idText() string {
	if o.ID == nil {
		return None
	}
	return strconv.Itoa(int(*o.ID))
}

func (o listedObject) keyText() string {
	most := MaxName
	if o.narrow >= shortName {
		most = leastName
	}
	return KeyText(o.Kind, o.Key, o.Name, most)
}

func (o listedObject) ownerText() string {
	if o.UID == nil {
		return None
	}
	return o.opts.Users.Name(*o.UID)
}

func (o listedObject) ctimeText() string {
	layout := "2006-01-02 15:04:05"
	if o.narrow >= shortCTime {
		layout = "01-02 15:04"
	}
	if o.state.CTime.IsZero() {
		return None
	}
	return o.state.CTime.In(o.opts.Location).Format(layout)
}

// creatorText is "ipcmk[123]", or the number alone.
func (o listedObject) creatorText() string {
	switch {
	case o.state.CPID == nil || *o.state.CPID == 0:
		return None
	case o.creatorComm == "" || o.narrow >= noComm:
		return pidOf(o.state.CPID)
	}
	return Safe(o.creatorComm, maxComm) + "[" + pidOf(o.state.CPID) + "]"
}

// lastText is who attached or detached last, or who sent and who received last.
func (o listedObject) lastText() string {
	s := o.state
	switch {
	case s.LPID != nil:
		return pidOf(s.LPID)
	case s.LSPID == nil && s.LRPID == nil:
		return None
	}
	return pidOf(s.LSPID) + "→" + pidOf(s.LRPID)
}

// pidOf is the number of a process; 0 is the kernel's for one that never was, or
// that is not in this pid namespace.
func pidOf(pid *uint32) string {
	if pid == nil || *pid == 0 {
		return None
	}
	return strconv.FormatUint(uint64(*pid), 10)
}

func (o listedObject) stateText() string {
	var words []string
	if o.state.Dest {
		words = append(words, "dest")
	}
	switch o.orphan {
	case "", "no":
	case "yes":
		words = append(words, "orphan")
	case "maybe":
		words = append(words, "orphan?")
	default:
		words = append(words, "orphan: "+Safe(o.orphan, MaxWord))
	}
	return orNone(strings.Join(words, ", "))
}
