package event

import (
	"encoding/hex"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object, without a newline. What is
// not printable is escaped, so the line may go to a terminal. It allocates
// nothing but room in b.
func (e *Event) AppendJSON(b []byte) []byte { return e.append(b, nil) }

func (e *Event) append(b []byte, c *Encoder) []byte {
	o := object{b: append(b, '{')}
	o.uint(`,"v":`, uint64(e.V))
	o.uint(`,"seq":`, e.Seq)
	o.name(`,"time":`)
	o.b = c.appendTime(o.b, e.Time)
	o.int(`,"boot_ns":`, e.BootNS)
	c.happened(&o, e)
	if e.Object != nil {
		o.open(`,"object":`)
		e.Object.append(&o, c)
		o.close()
	}
	c.done(&o, e)
	e.seldom(&o)
	return append(o.b, '}')
}

// happened writes what happened, and where.
func (e *Event) happened(o *object) {
	o.text(`,"event":`, string(e.Event))
	o.known(`,"observed":`, string(e.Observed))
	if e.NS != nil {
		o.open(`,"ns":`)
		e.NS.fields(o)
		o.close()
	}
	if e.From != nil {
		o.open(`,"from":`)
		e.From.fields(o)
		o.close()
	}
}

// done writes how it came to that.
func (e *Event) done(o *object) {
	o.known(`,"cause":`, string(e.Cause))
	o.known(`,"errno":`, e.Errno)
	if e.Process != nil {
		o.open(`,"process":`)
		e.Process.fields(o)
		o.close()
	}
	if e.Container != nil {
		o.open(`,"container":`)
		e.Container.fields(o)
		o.close()
	}
	o.known(`,"syscall":`, e.Syscall)
	o.known(`,"abi":`, e.ABI)
}

// seldom writes what few events have.
func (e *Event) seldom(o *object) {
	if e.History != nil {
		o.open(`,"history":`)
		e.History.fields(o)
		o.close()
	}
	if e.Lost != nil {
		o.open(`,"lost":`)
		e.Lost.fields(o)
		o.close()
	}
	if e.State != nil {
		o.open(`,"state":`)
		e.State.fields(o)
		o.close()
	}
	if e.Start != nil {
		o.open(`,"start":`)
		e.Start.fields(o)
		o.close()
	}
	if e.Stop != nil {
		o.open(`,"stop":`)
		e.Stop.fields(o)
		o.close()
	}
	if e.Seal != nil {
		o.open(`,"seal":`)
		e.Seal.fields(o)
		o.close()
	}
}

// MarshalJSON writes the namespace as it stands in an event.
func (n *Namespace) MarshalJSON() ([]byte, error) { return alone(n), nil }

// MarshalJSON writes the object as it stands in an event.
func (ob *Object) MarshalJSON() ([]byte, error) { return alone(ob), nil }

// MarshalJSON writes the process as it stands in an event.
func (p *Process) MarshalJSON() ([]byte, error) { return alone(p), nil }

// MarshalJSON writes the container as it stands in an event.
func (c *Container) MarshalJSON() ([]byte, error) { return alone(c), nil }

func alone(part interface{ fields(o *object) }) []byte {
	o := object{b: []byte{'{'}}
	part.fields(&o)
	return append(o.b, '}')
}

func (n *Namespace) fields(o *object) {
	o.uint(`,"inode":`, n.Inode)
	o.uint(`,"gen":`, uint64(n.Gen))
	if n.ID != 0 {
		o.uint(`,"id":`, n.ID)
	}
	o.bool(`,"initial":`, n.Initial)
	o.foreign(`,"label":`, n.Label)
}

func (ob *Object) fields(o *object) { ob.append(o, nil) }

func (ob *Object) append(o *object, c *Encoder) {
	o.text(`,"kind":`, ob.Kind)
	signed(o, `,"id":`, ob.ID)
	if ob.Kind == kindMQ {
		o.foreign(`,"name":`, ob.Name)
		unsigned(o, `,"ino":`, ob.Inode)
	} else if !ob.Bare || ob.Key != 0 {
		o.name(`,"key":`)
		o.b = append(ob.Key.appendTo(append(o.b, '"')), '"')
	}
	unsigned(o, `,"size":`, ob.Size)
	signed(o, `,"nsems":`, ob.NSems)
	signed(o, `,"maxmsg":`, ob.MaxMsg)
	signed(o, `,"msgsize":`, ob.MsgSize)
	if !ob.Bare {
		c.asking(o, ob)
	}
	unsigned(o, `,"uid":`, ob.UID)
	unsigned(o, `,"gid":`, ob.GID)
	if ob.State != nil {
		o.open(`,"state":`)
		ob.State.fields(o)
		o.close()
	}
}

// asked writes what a call asked for with its flags.
func (ob *Object) asked(o *object) {
	o.name(`,"mode":`)
	o.b = append(ob.Mode.appendTo(append(o.b, '"')), '"')
	o.texts(`,"flags":`, ob.Flags)
}

func (s *State) fields(o *object) {
	unsigned(o, `,"messages":`, s.Messages)
	unsigned(o, `,"bytes":`, s.Bytes)
	unsigned(o, `,"nattch":`, s.Attached)
	unsigned(o, `,"cpid":`, s.CPID)
	unsigned(o, `,"lpid":`, s.LPID)
	unsigned(o, `,"lspid":`, s.LSPID)
	unsigned(o, `,"lrpid":`, s.LRPID)
	unsigned(o, `,"cuid":`, s.CUID)
	unsigned(o, `,"cgid":`, s.CGID)
	if !s.CTime.IsZero() {
		o.time(`,"ctime":`, s.CTime)
	}
	o.bool(`,"dest":`, s.Dest)
}

func (p *Process) fields(o *object) {
	o.uint(`,"pid":`, uint64(p.PID))
	o.uint(`,"tid":`, uint64(p.TID))
	if p.NSPID != 0 {
		o.uint(`,"ns_pid":`, uint64(p.NSPID))
	}
	o.uint(`,"ppid":`, uint64(p.PPID))
	o.uint(`,"uid":`, uint64(p.UID))
	o.uint(`,"gid":`, uint64(p.GID))
	o.foreign(`,"comm":`, p.Comm)
	o.foreign(`,"parent_comm":`, p.ParentComm)
	o.uint(`,"cgroup_id":`, p.CgroupID)
	if p.Cgroup != "" {
		o.foreign(`,"cgroup":`, p.Cgroup)
	}
	if p.Followed {
		o.bool(`,"followed":`, true)
	}
}

func (c *Container) fields(o *object) {
	o.text(`,"id":`, c.ID) // nsresolve takes no other for an id
	o.text(`,"runtime":`, c.Runtime)
	o.known(`,"name":`, c.Name)
	o.known(`,"image":`, c.Image)
	o.known(`,"pod":`, c.Pod)
	o.known(`,"pod_namespace":`, c.PodNamespace)
}

func (h *History) fields(o *object) {
	o.text(`,"first":`, string(h.First))
	o.time(`,"time":`, h.Time)
	if h.BootNS != 0 {
		o.int(`,"boot_ns":`, h.BootNS)
	}
	if !h.Marked.IsZero() {
		o.time(`,"marked":`, h.Marked)
	}
	if h.Opens > 0 {
		o.uint(`,"opens":`, h.Opens)
	}
	if h.LastUser != nil {
		o.open(`,"last_user":`)
		h.LastUser.fields(o)
		o.close()
	}
}

func (x *Extent) fields(o *object) {
	o.uint(`,"namespaces":`, uint64(x.Namespaces))
	o.uint(`,"objects":`, uint64(x.Objects))
	o.uint(`,"forgotten":`, x.Forgotten)
}

func (l *Lost) fields(o *object) {
	o.uint(`,"count":`, l.Count)
	o.time(`,"from":`, l.From)
	o.time(`,"to":`, l.To)
	o.bool(`,"at_most":`, l.AtMost)
	o.known(`,"stage":`, string(l.Stage))
}

func (s *Start) fields(o *object) {
	o.text(`,"tool":`, s.Tool)
	o.text(`,"host":`, s.Host)
	o.text(`,"boot_id":`, s.BootID)
	o.text(`,"kernel":`, s.Kernel)
	o.text(`,"arch":`, s.Arch)
	o.text(`,"tier":`, s.Tier)
	o.texts(`,"gaps":`, s.Gaps)
	o.texts(`,"filters":`, s.Filters)
	o.uint(`,"namespaces":`, uint64(s.Namespaces))
	o.uint(`,"objects":`, uint64(s.Objects))
	o.uint(`,"unreadable":`, uint64(s.Unreadable))
	o.int(`,"clock_offset_ns":`, s.ClockOffsetNS)
	if s.Log != nil {
		o.open(`,"log":`)
		s.Log.fields(o)
		o.close()
	}
}

func (l *Log) fields(o *object) {
	o.text(`,"id":`, l.ID)
	if l.File != "" {
		o.foreign(`,"file":`, l.File)
	}
	o.uint(`,"part":`, uint64(l.Part))
	o.known(`,"after":`, l.After)
	if l.Torn != nil {
		o.open(`,"torn":`)
		l.Torn.fields(o)
		o.close()
	}
}

func (t *Torn) fields(o *object) {
	o.foreign(`,"file":`, t.File)
	o.uint(`,"bytes":`, t.Bytes)
	o.text(`,"sha256":`, t.SHA256)
}

func (s *Stop) fields(o *object) {
	o.text(`,"reason":`, s.Reason)
	o.uint(`,"produced":`, s.Produced)
	o.uint(`,"delivered":`, s.Delivered)
	o.uint(`,"lost":`, s.Lost)
	o.uint(`,"skipped":`, s.Skipped)
	o.uint(`,"filtered":`, s.Filtered)
	o.uint(`,"written":`, s.Written)
	o.uint(`,"found":`, s.Found)
	o.uint(`,"dropped":`, s.Dropped)
	if s.CgroupsLost > 0 {
		o.uint(`,"cgroups_lost":`, s.CgroupsLost)
	}
}

func (s *Seal) fields(o *object) {
	o.uint(`,"first":`, s.First)
	o.uint(`,"last":`, s.Last)
	if s.Late {
		o.bool(`,"late":`, true)
	}
	o.text(`,"crcs":`, s.CRCs)
	o.known(`,"key":`, s.Key)
	o.text(`,"hash":`, s.Hash)
	o.known(`,"signature":`, s.Signature)
	o.text(`,"crc":`, s.CRC)
}

// object is a JSON object being written. The names of its fields are given as they
// stand in it, behind another one.
type object struct {
	b    []byte
	more bool
}

func (o *object) name(name string) {
	if !o.more {
		name = name[len(","):]
	}
	o.more = true
	o.b = append(o.b, name...)
}

func (o *object) open(name string) {
	o.name(name)
	o.b, o.more = append(o.b, '{'), false
}

func (o *object) close() { o.b, o.more = append(o.b, '}'), true }

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

// unsigned writes a number that is known.
func unsigned[N uint32 | uint64](o *object, name string, v *N) {
	if v != nil {
		o.uint(name, uint64(*v))
	}
}

// signed likewise.
func signed[N int32 | int64](o *object, name string, v *N) {
	if v != nil {
		o.int(name, int64(*v))
	}
}

func (o *object) time(name string, t time.Time) {
	o.name(name)
	o.b = appendTime(o.b, t)
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
		o.name(name[:len(name)-len(`":`)])
		o.b = append(o.b, `_hex":"`...)
		o.b = append(hex.AppendEncode(o.b, []byte(v)), '"')
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

// appendTime is RFC 3339 with all nine digits, so that lines compare as text.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	b = append(b, '"')
	if year := t.Year(); year < 0 || year > 9999 {
		return t.AppendFormat(b, `2006-01-02T15:04:05.000000000Z07:00"`)
	}
	return appendNanoseconds(appendSecond(b, t), t.Nanosecond())
}

// appendSecond is the time without what comes behind the point.
func appendSecond(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = digits(b, year, 4)
	b = digits(append(b, '-'), int(month), 2)
	b = digits(append(b, '-'), day, 2)
	b = digits(append(b, 'T'), hour, 2)
	b = digits(append(b, ':'), minute, 2)
	return digits(append(b, ':'), second, 2)
}

// appendNanoseconds is the rest.
func appendNanoseconds(b []byte, ns int) []byte {
	return append(digits(append(b, '.'), ns, 9), 'Z', '"')
}

// digits appends the last width digits of n.
func digits(b []byte, n, width int) []byte {
	b = append(b, "000000000"[:width]...)
	end := b[len(b)-width:]
	for ; len(end) >= 2; end = end[:len(end)-2] {
		pair := &pairs[n%100]
		end[len(end)-2], end[len(end)-1] = pair[0], pair[1]
		n /= 100
	}
	if len(end) == 1 {
		end[0] = byte('0' + n%10)
	}
	return b
}

// pairs are the numbers of two digits.
var pairs = func() (all [100][2]byte) {
	for n := range all {
		all[n] = [2]byte{byte('0' + n/10), byte('0' + n%10)}
	}
	return all
}()

// appendText escapes more than JSON asks: everything that is not printable,
// among it the C1 controls and the marks that turn the direction of text.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		if !isPlain[s[i]] {
			return append(appendEscaped(b, s), '"')
		}
	}
	return append(append(b, s...), '"')
}

func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == utf8.RuneError || unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x10000:
			b = appendEscape(b, r)
		default:
			r -= 0x10000
			b = appendEscape(appendEscape(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
		}
	}
	return b
}

// isPlain says of each byte whether it stands for itself.
var isPlain = func() (plain [256]bool) {
	for c := ' '; c <= '~'; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

func appendEscape(b []byte, r rune) []byte {
	return appendHex(append(b, '\\', 'u'), uint32(r), 4)
}

// appendHex appends the last width hexadecimal digits of n.
func appendHex(b []byte, n uint32, width int) []byte {
	b = append(b, "00000000"[:width]...)
	end := b[len(b)-width:]
	for i := range end {
		end[i] = "0123456789abcdef"[n>>(4*(width-1-i))&0xf]
	}
	return b
}
