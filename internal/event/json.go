package event

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Parse reads one line.
func Parse(line []byte) (*Event, error) {
	var e Event
	err := json.Unmarshal(line, &e)
	// Another version may have changed types: say that, rather than which one.
	if e.V != Version && (err == nil || e.V != 0) {
		return nil, fmt.Errorf("event of version %d: this program reads version %d", e.V, Version)
	}
	if err != nil {
		return nil, fmt.Errorf("read event: %s", brief(err))
	}
	return &e, nil
}

// brief cuts what encoding/json and time say: they may quote half a line, and
// time lets DEL through.
func brief(err error) string {
	const most = 160
	text := err.Error()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (n *Namespace) UnmarshalJSON(b []byte) error {
	type plain Namespace
	line := struct {
		*plain
		Label foreign `json:"label_hex"`
	}{plain: (*plain)(n)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.Label.replace(&n.Label)
	return nil
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (ob *Object) UnmarshalJSON(b []byte) error {
	type plain Object
	line := struct {
		*plain
		Name foreign `json:"name_hex"`
		Mode *Mode   `json:"mode"`
	}{plain: (*plain)(ob)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.Name.replace(&ob.Name)
	if ob.Bare = line.Mode == nil; !ob.Bare {
		ob.Mode = *line.Mode
	}
	return nil
}

// UnmarshalJSON takes text that is no Unicode from its <name>_hex.
func (p *Process) UnmarshalJSON(b []byte) error {
	type plain Process
	line := struct {
		*plain
		Comm       foreign `json:"comm_hex"`
		ParentComm foreign `json:"parent_comm_hex"`
		Cgroup     foreign `json:"cgroup_hex"`
	}{plain: (*plain)(p)}
	if err := json.Unmarshal(b, &line); err != nil {
		return err
	}
	line.Comm.replace(&p.Comm)
	line.ParentComm.replace(&p.ParentComm)
	line.Cgroup.replace(&p.Cgroup)
	return nil
}

// foreign is the bytes of a text, read from hexadecimal; nil: they are not told.
type foreign []byte

// UnmarshalText reads what object.foreign writes.
func (f *foreign) UnmarshalText(text []byte) (err error) {
	*f, err = hex.AppendDecode(nil, text)
	return err
}

func (f foreign) replace(text *string) {
	if f != nil {
		*text = string(f)
	}
}

// AppendJSON appends the event as one JSON object, without a newline. What is
// not printable is escaped, so the line may go to a terminal.
func (e *Event) AppendJSON(b []byte) []byte {
	o := object{b: append(b, '{')}
	o.uint("v", uint64(e.V))
	o.uint("seq", e.Seq)
	o.time("time", e.Time)
	o.int("boot_ns", e.BootNS)
	o.text("event", string(e.Event))
	o.known("observed", string(e.Observed))
	if e.NS != nil {
		o.nested("ns", e.NS.fields)
	}
	if e.From != nil {
		o.nested("from", e.From.fields)
	}
	if e.Object != nil {
		o.nested("object", e.Object.fields)
	}
	o.known("cause", string(e.Cause))
	o.known("errno", e.Errno)
	if e.Process != nil {
		o.nested("process", e.Process.fields)
	}
	if e.Container != nil {
		o.nested("container", e.Container.fields)
	}
	o.known("syscall", e.Syscall)
	o.known("abi", e.ABI)
	if e.Lost != nil {
		o.nested("lost", e.Lost.fields)
	}
	if e.Start != nil {
		o.nested("start", e.Start.fields)
	}
	if e.Stop != nil {
		o.nested("stop", e.Stop.fields)
	}
	return append(o.b, '}')
}

// MarshalJSON writes the namespace as it stands in an event.
func (n *Namespace) MarshalJSON() ([]byte, error) { return alone(n.fields), nil }

// MarshalJSON writes the object as it stands in an event.
func (ob *Object) MarshalJSON() ([]byte, error) { return alone(ob.fields), nil }

// MarshalJSON writes the process as it stands in an event.
func (p *Process) MarshalJSON() ([]byte, error) { return alone(p.fields), nil }

// MarshalJSON writes the container as it stands in an event.
func (c *Container) MarshalJSON() ([]byte, error) { return alone(c.fields), nil }

func alone(fields func(*object)) []byte {
	o := object{b: []byte{'{'}}
	fields(&o)
	return append(o.b, '}')
}

func (n *Namespace) fields(o *object) {
	o.uint("inode", n.Inode)
	o.uint("gen", uint64(n.Gen))
	if n.ID != 0 {
		o.uint("id", n.ID)
	}
	o.bool("initial", n.Initial)
	o.foreign("label", n.Label)
}

func (ob *Object) fields(o *object) {
	o.text("kind", ob.Kind)
	number(o.int, "id", ob.ID)
	if ob.Kind == kindMQ {
		o.foreign("name", ob.Name)
		number(o.uint, "ino", ob.Inode)
	} else if !ob.Bare || ob.Key != 0 {
		o.text("key", ob.Key.String())
	}
	number(o.uint, "size", ob.Size)
	number(o.int, "nsems", ob.NSems)
	number(o.int, "maxmsg", ob.MaxMsg)
	number(o.int, "msgsize", ob.MsgSize)
	if !ob.Bare {
		o.text("mode", ob.Mode.String())
		o.texts("flags", ob.Flags)
	}
	number(o.uint, "uid", ob.UID)
	number(o.uint, "gid", ob.GID)
	if ob.State != nil {
		o.nested("state", ob.State.fields)
	}
}

func (s *State) fields(o *object) {
	number(o.uint, "messages", s.Messages)
	number(o.uint, "bytes", s.Bytes)
	number(o.uint, "nattch", s.Attached)
	number(o.uint, "cpid", s.CPID)
	number(o.uint, "lpid", s.LPID)
	number(o.uint, "lspid", s.LSPID)
	number(o.uint, "lrpid", s.LRPID)
	number(o.uint, "cuid", s.CUID)
	number(o.uint, "cgid", s.CGID)
	if !s.CTime.IsZero() {
		o.time("ctime", s.CTime)
	}
	o.bool("dest", s.Dest)
}

func (p *Process) fields(o *object) {
	o.uint("pid", uint64(p.PID))
	o.uint("tid", uint64(p.TID))
	if p.NSPID != 0 {
		o.uint("ns_pid", uint64(p.NSPID))
	}
	o.uint("ppid", uint64(p.PPID))
	o.uint("uid", uint64(p.UID))
	o.uint("gid", uint64(p.GID))
	o.foreign("comm", p.Comm)
	o.foreign("parent_comm", p.ParentComm)
	o.uint("cgroup_id", p.CgroupID)
	if p.Cgroup != "" {
		o.foreign("cgroup", p.Cgroup)
	}
	if p.Followed {
		o.bool("followed", true)
	}
}

func (c *Container) fields(o *object) {
	o.text("id", c.ID) // nsresolve takes no other for an id
	o.text("runtime", c.Runtime)
}

func (l *Lost) fields(o *object) {
	o.uint("count", l.Count)
	o.time("from", l.From)
	o.time("to", l.To)
	o.bool("at_most", l.AtMost)
}

func (s *Start) fields(o *object) {
	o.text("tool", s.Tool)
	o.text("host", s.Host)
	o.text("boot_id", s.BootID)
	o.text("kernel", s.Kernel)
	o.text("arch", s.Arch)
	o.text("tier", s.Tier)
	o.texts("gaps", s.Gaps)
	o.texts("filters", s.Filters)
	o.uint("namespaces", uint64(s.Namespaces))
	o.uint("unreadable", uint64(s.Unreadable))
	o.int("clock_offset_ns", s.ClockOffsetNS)
}

func (s *Stop) fields(o *object) {
	o.text("reason", s.Reason)
	o.uint("produced", s.Produced)
	o.uint("delivered", s.Delivered)
	o.uint("lost", s.Lost)
	o.uint("skipped", s.Skipped)
	o.uint("filtered", s.Filtered)
	o.uint("written", s.Written)
	o.uint("found", s.Found)
}

// object is a JSON object being written.
type object struct {
	b    []byte
	more bool
}

func (o *object) name(name string) {
	if o.more {
		o.b = append(o.b, ',')
	}
	o.more = true
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) uint(name string, v uint64) {
	o.name(name)
	o.b = strconv.AppendUint(o.b, v, 10)
}

func (o *object) int(name string, v int64) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, v, 10)
}

func (o *object) bool(name string, v bool) {
	o.name(name)
	o.b = strconv.AppendBool(o.b, v)
}

// number writes one that is known.
func number[To, N interface {
	~int32 | ~int64 | ~uint32 | ~uint64
}](write func(string, To), name string, v *N) {
	if v != nil {
		write(name, To(*v))
	}
}

// nanos is RFC 3339 with all nine digits, so that lines compare as text.
const nanos = "2006-01-02T15:04:05.000000000Z07:00"

func (o *object) time(name string, t time.Time) {
	o.name(name)
	o.b = append(t.UTC().AppendFormat(append(o.b, '"'), nanos), '"')
}

func (o *object) text(name, v string) {
	o.name(name)
	o.b = appendText(o.b, v)
}

func (o *object) known(name, v string) {
	if v != "" {
		o.text(name, v)
	}
}

// foreign is text from another process. JSON is Unicode and such text need not
// be: then its bytes are there too, in hexadecimal, as <name>_hex.
func (o *object) foreign(name, v string) {
	o.text(name, v)
	if !utf8.ValidString(v) {
		o.name(name + "_hex")
		o.b = append(hex.AppendEncode(append(o.b, '"'), []byte(v)), '"')
	}
}

func (o *object) texts(name string, vs []string) {
	o.name(name)
	o.b = append(o.b, '[')
	for i, v := range vs {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendText(o.b, v)
	}
	o.b = append(o.b, ']')
}

func (o *object) nested(name string, fields func(*object)) {
	o.name(name)
	inner := object{b: append(o.b, '{')}
	fields(&inner)
	o.b = append(inner.b, '}')
}

// appendText escapes more than JSON asks: everything that is not printable,
// among it the C1 controls and the marks that turn the direction of text.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == utf8.RuneError || unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			r -= 0x10000
			b = fmt.Appendf(b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		}
	}
	return append(b, '"')
}
