package report

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/view"
)

// data is a trace as the page's script reads it. Times are ns since Origin, −1 where
// there is none; texts are places in Texts, which are safe to show; other numbers are
// places in the list of that name, −1 for none. What there is much of stands in columns.
type data struct {
	Origin     string       `json:"origin"` // ns since 1970: a number too large for JavaScript's
	From       int64        `json:"from"`
	To         int64        `json:"to"`
	Texts      []string     `json:"texts"`
	Namespaces []dataLane   `json:"namespaces"`
	Objects    dataObjects  `json:"objects"`
	Events     dataEvents   `json:"events"`
	Processes  [][]int64    `json:"processes"`  // pid, tid, ns_pid, ppid, uid, gid, comm, parent_comm, cgroup
	Containers [][]int      `json:"containers"` // id, label, image
	Asked      [][]int      `json:"asked"`      // kind, id, key or name, size, mode, flags
	Losses     []dataLoss   `json:"losses"`
	Bins       dataBins     `json:"bins"`
	Omitted    *dataOmitted `json:"omitted,omitempty"`
}

type dataLane struct {
	Name      int    `json:"name"` // inode, or inode.gen
	Inode     string `json:"inode"`
	Label     int    `json:"label"`
	Parent    int    `json:"parent"`
	Depth     int    `json:"depth"`
	Host      bool   `json:"host,omitempty"`
	Born      int64  `json:"born"` // −1: it was there before
	Freed     int64  `json:"freed"`
	Late      int    `json:"late"`
	Maker     int    `json:"maker"`
	Container int    `json:"container"`
	Created   uint64 `json:"created"`
	Opened    uint64 `json:"opened"` // with those got
	Failed    uint64 `json:"failed"`
	Removed   uint64 `json:"removed"`
	Omitted   int    `json:"omitted,omitempty"`

	Bins *dataBins `json:"bins,omitempty"` // where events are omitted
}

type dataObjects struct {
	Namespace []int   `json:"ns"`
	Kind      []int   `json:"kind"`
	ID        []int   `json:"id"`
	Key       []int   `json:"key"` // or name
	Private   []int   `json:"private"`
	Size      []int   `json:"size"`
	Mode      []int   `json:"mode"`
	Owner     []int64 `json:"owner"`
	Born      []int64 `json:"born"`
	Before    []int   `json:"before"` // 0: seen made · 1: there before · 2: a call made or found it
	Marked    []int64 `json:"marked"`
	End       []int64 `json:"end"`
	Cause     []int   `json:"cause"`
	Late      []int   `json:"late"`
	Maker     []int   `json:"maker"`
	Container []int   `json:"container"`
	Remover   []int   `json:"remover"`
}

type dataEvents struct {
	At        []int64  `json:"at"`
	Seq       []uint64 `json:"seq"`
	Type      []int    `json:"type"`
	Namespace []int    `json:"ns"`
	From      []int    `json:"from"`
	Object    []int    `json:"object"`
	Asked     []int    `json:"asked"`
	Process   []int    `json:"process"`
	Container []int    `json:"container"`
	Word      []int    `json:"word"` // errno, or cause
	Call      []int    `json:"call"`
	Late      []int    `json:"late"`
}

type dataLoss struct {
	From   int64  `json:"from"`
	To     int64  `json:"to"`
	Count  uint64 `json:"count"`
	AtMost bool   `json:"most,omitempty"`
	Output bool   `json:"output,omitempty"`
}

type dataBins struct {
	Width  int64    `json:"width"`
	Events []uint32 `json:"events"`
	Failed []uint32 `json:"failed"`
}

// dataOmitted is what is not told one by one.
type dataOmitted struct {
	Events  uint64 `json:"events"`
	Behind  int64  `json:"behind"` // they are behind this time
	Before  int64  `json:"before"` // and before this one
	Objects int    `json:"objects"`
}

// longest text on the page, in columns. Paths of cgroups are the longest there are.
const longest = 512

// coder turns a trace into data.
type coder struct {
	trace      *Trace
	out        data
	texts      map[string]int
	processes  map[event.Process]int
	containers map[event.Container]int
	asked      map[[6]int]int
}

// encode is the trace as JSON: nothing in it ends a script element, as <, > and & are
// escaped.
func (t *Trace) encode(lanes []*lane) ([]byte, error) {
	c := coder{trace: t, texts: map[string]int{}, processes: map[event.Process]int{}, containers: map[event.Container]int{}, asked: map[[6]int]int{}}
	c.out.Origin = strconv.FormatInt(t.origin.UnixNano(), 10)
	c.out.From, c.out.To = int64(t.from), int64(t.to)
	c.text("")
	c.lanes(lanes)
	c.objects()
	c.events()
	for _, l := range t.losses {
		c.out.Losses = append(c.out.Losses, dataLoss{int64(l.from), int64(l.to), l.Count, l.AtMost, l.Stage == event.StageOutput})
	}
	c.out.Bins = dataBins{int64(t.bins.width), t.bins.events, t.bins.failed}
	return json.Marshal(&c.out)
}

func place[K comparable](known map[K]int, key K, add func()) int {
	i, ok := known[key]
	if !ok {
		i = len(known)
		known[key] = i
		add()
	}
	return i
}

func (c *coder) text(s string) int {
	safe := view.Safe(s, longest)
	return place(c.texts, safe, func() { c.out.Texts = append(c.out.Texts, safe) })
}

func (c *coder) process(p *event.Process) int {
	if p == nil {
		return -1
	}
	return place(c.processes, *p, func() {
		c.out.Processes = append(c.out.Processes, []int64{
			int64(p.PID), int64(p.TID), int64(p.NSPID), int64(p.PPID), int64(p.UID), int64(p.GID),
			int64(c.text(p.Comm)), int64(c.text(p.ParentComm)), int64(c.text(p.Cgroup)),
		})
	})
}

func (c *coder) container(k *event.Container) int {
	if k == nil {
		return -1
	}
	return place(c.containers, *k, func() {
		c.out.Containers = append(c.out.Containers, []int{c.text(k.ID), c.text(k.Label()), c.text(k.Image)})
	})
}

// ask is what a call asked for.
func (c *coder) ask(o *event.Object) int {
	if o == nil {
		return -1
	}
	asked := [6]int{c.text(o.Kind), c.text(idText(o)), c.text(keyText(o)), c.text(view.ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize)), c.text(modeText(o)), c.text(flagsText(o))}
	return place(c.asked, asked, func() { c.out.Asked = append(c.out.Asked, asked[:]) })
}

func laneIndex(l *lane) int {
	if l == nil {
		return -1
	}
	return l.index
}

func (c *coder) lanes(lanes []*lane) {
	omitted := c.trace.kept.omitted() > 0
	for _, l := range lanes {
		d := dataLane{
			Name: c.text(l.String()), Inode: strconv.FormatUint(l.Inode, 10), Label: c.text(l.Label), Parent: laneIndex(l.parent),
			Depth: l.depth, Host: l.Initial, Born: -1, Freed: -1, Late: c.text(view.Late(l.Observed)), Maker: c.process(l.Maker),
			Container: c.container(l.Container), Created: l.Created, Opened: l.Opened + l.Got,
			Failed: l.Failed, Removed: l.removed, Omitted: l.objects() - len(l.lives),
		}
		if born, seen := c.trace.birth(l); seen {
			d.Born = int64(born)
		}
		if l.Ended() {
			d.Freed = int64(c.trace.at(l.Freed))
		}
		if omitted && l.bins.width > 0 {
			d.Bins = &dataBins{int64(l.bins.width), l.bins.events, l.bins.failed}
		}
		c.out.Namespaces = append(c.out.Namespaces, d)
	}
}

func (c *coder) objects() {
	d := &c.out.Objects
	for _, o := range c.trace.lives {
		told := o.Told()
		d.Namespace = append(d.Namespace, o.lane.index)
		d.Kind = append(d.Kind, c.text(o.Kind))
		d.ID = append(d.ID, c.text(idText(told)))
		d.Key = append(d.Key, c.text(keyText(told)))
		d.Private = append(d.Private, bit(o.Kind != kindMQ && o.Key == 0))
		d.Born = append(d.Born, int64(o.born))
		d.Before = append(d.Before, bit(o.Existing)+2*bit(o.Got))
		d.Maker = append(d.Maker, c.process(o.MadeBy()))
		d.Container = append(d.Container, c.container(o.Container))
		d.Remover = append(d.Remover, c.process(o.Remover))
		d.Cause = append(d.Cause, c.text(string(o.Cause)))
		d.Late = append(d.Late, c.text(view.Late(o.Observed)))
		d.Size = append(d.Size, c.text(o.size()))
		d.Mode = append(d.Mode, c.text(modeText(told)))
		d.Owner = append(d.Owner, o.owner())
		d.Marked = append(d.Marked, when(!o.Marked.IsZero(), c.trace.at(o.Marked)))
		d.End = append(d.End, when(o.gone, o.end))
	}
}

func (c *coder) events() {
	d := &c.out.Events
	kept, before := c.trace.kept.all()
	for _, r := range kept {
		d.At = append(d.At, int64(r.at))
		d.Seq = append(d.Seq, r.seq)
		d.Type = append(d.Type, c.text(string(r.typ)))
		d.Namespace = append(d.Namespace, laneIndex(r.lane))
		d.From = append(d.From, laneIndex(r.from))
		d.Object = append(d.Object, c.trace.line(r.number))
		d.Asked = append(d.Asked, c.ask(r.object))
		d.Process = append(d.Process, c.process(r.process))
		d.Container = append(d.Container, c.container(r.container))
		d.Word = append(d.Word, c.text(r.word))
		d.Call = append(d.Call, c.text(callText(r.syscall, r.abi)))
		d.Late = append(d.Late, c.text(view.Late(r.observed)))
	}
	if c.trace.kept.omitted() == 0 && c.trace.omitted == 0 {
		return
	}
	c.out.Omitted = &dataOmitted{Events: c.trace.kept.omitted(), Behind: -1, Before: -1, Objects: c.trace.omitted}
	if before > 0 && before < len(kept) {
		c.out.Omitted.Behind, c.out.Omitted.Before = int64(kept[before-1].at), int64(kept[before].at)
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func when(is bool, at time.Duration) int64 {
	if !is {
		return -1
	}
	return max(0, int64(at))
}

func idText(o *event.Object) string {
	if o.ID == nil {
		return ""
	}
	return strconv.Itoa(int(*o.ID))
}

func keyText(o *event.Object) string {
	switch {
	case o.Kind == kindMQ:
		return o.Name
	case o.Bare && o.Key == 0:
		return "?"
	}
	return o.Key.String()
}

func modeText(o *event.Object) string {
	if o.Bare {
		return ""
	}
	return o.Mode.String()
}

func flagsText(o *event.Object) string { return strings.Join(o.Flags, " ") }

func callText(syscall, abi string) string {
	if abi == "" {
		return syscall
	}
	return syscall + " · " + abi
}
