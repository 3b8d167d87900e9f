package event

import (
	"slices"
	"time"
)

// Encoder writes events as AppendJSON does, in less time where they are many: most
// say of what happened, who did it, and when, what others said, and what it wrote of
// that it writes again. The zero Encoder is ready for use. Not for concurrent use.
type Encoder struct {
	places [64]written[place]
	doers  [256]written[doer]
	asked  [16]asked

	second int64  // Unix time of
	text   []byte // what appendSecond makes of it; nil: of none yet
}

// written is a part of an event, and its JSON.
type written[T any] struct {
	part T
	json []byte // nil: none yet
}

func (w *written[T]) keep(part T, json []byte) { w.part, w.json = part, append(w.json[:0], json...) }

// place is what Event.happened writes.
type place struct {
	event    Type
	observed Observed
	ns       Namespace
}

// doer is what Event.done writes.
type doer struct {
	cause        Cause
	errno        string
	process      Process
	contained    bool
	container    Container // if so
	syscall, abi string
}

func (p *place) is(e *Event) bool {
	return p.event == e.Event && p.observed == e.Observed && p.ns == *e.NS
}

func (d *doer) is(e *Event) bool {
	return d.process == *e.Process && d.cause == e.Cause && d.syscall == e.Syscall && d.abi == e.ABI && d.errno == e.Errno &&
		d.contained == (e.Container != nil) && (!d.contained || d.container == *e.Container)
}

// asked is what Object.asked writes.
type asked struct {
	mode  Mode
	flags []string
	json  []byte // nil: none yet
}

// AppendJSON appends the event as its own AppendJSON does.
func (c *Encoder) AppendJSON(b []byte, e *Event) []byte { return e.append(b, c) }

func (c *Encoder) happened(o *object, e *Event) {
	if c == nil || e.NS == nil || e.From != nil {
		e.happened(o)
		return
	}
	w := &c.places[(uint32(e.NS.Inode)+spread(string(e.Event)))%uint32(len(c.places))]
	if w.json != nil && w.part.is(e) {
		o.b = append(o.b, w.json...)
		return
	}
	from := len(o.b)
	e.happened(o)
	w.keep(place{e.Event, e.Observed, *e.NS}, o.b[from:])
}

func (c *Encoder) done(o *object, e *Event) {
	if c == nil || e.Process == nil || e.Syscall == "" {
		e.done(o)
		return
	}
	w := &c.doers[(e.Process.TID+spread(e.Syscall))%uint32(len(c.doers))]
	if w.json != nil && w.part.is(e) {
		o.b = append(o.b, w.json...)
		return
	}
	from := len(o.b)
	e.done(o)
	part := doer{cause: e.Cause, errno: e.Errno, process: *e.Process, contained: e.Container != nil, syscall: e.Syscall, abi: e.ABI}
	if part.contained {
		part.container = *e.Container
	}
	w.keep(part, o.b[from:])
}

// spread tells words apart that are likely by turns, as of what makes things and
// what removes them.
func spread(word string) uint32 {
	if len(word) < 2 {
		return 0
	}
	return 7 * uint32(word[len(word)-2])
}

func (c *Encoder) asking(o *object, ob *Object) {
	if c == nil {
		ob.asked(o)
		return
	}
	w := &c.asked[(int(ob.Mode)+len(ob.Flags))%len(c.asked)]
	if w.json != nil && w.mode == ob.Mode && slices.Equal(w.flags, ob.Flags) {
		o.b = append(o.b, w.json...)
		return
	}
	from := len(o.b)
	ob.asked(o)
	w.mode, w.flags, w.json = ob.Mode, slices.Clone(ob.Flags), append(w.json[:0], o.b[from:]...)
}

func (c *Encoder) appendTime(b []byte, t time.Time) []byte {
	const last = 253402300799 // of the year 9999
	second := t.Unix()
	if c == nil || second < 0 || second > last {
		return appendTime(b, t)
	}
	if c.text == nil || c.second != second {
		c.second, c.text = second, appendSecond(append(c.text[:0], '"'), t.UTC())
	}
	return appendNanoseconds(append(b, c.text...), t.Nanosecond())
}
