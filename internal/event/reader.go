package event

import (
	"strconv"
	"time"
)

// reader reads a line as AppendJSON writes it, of what happens often. Of any other,
// however little it differs, it says that it cannot: then encoding/json reads it,
// which takes several times as long.
type reader struct {
	b    []byte // what is left
	more bool   // in its object stands a field before it
	odd  bool   // the line is another
}

// read says whether the line is such a one; if not, the event is of no use.
func (e *Event) read(line []byte) bool {
	r := reader{b: line}
	r.begin()
	number(&r, `,"v":`, &e.V)
	number(&r, `,"seq":`, &e.Seq)
	r.time(`,"time":`, &e.Time)
	number(&r, `,"boot_ns":`, &e.BootNS)
	word(&r, `,"event":`, &e.Event)
	word(&r, `,"observed":`, &e.Observed)
	part(&r, `,"ns":`, &e.NS)
	part(&r, `,"from":`, &e.From)
	part(&r, `,"object":`, &e.Object)
	word(&r, `,"cause":`, &e.Cause)
	word(&r, `,"errno":`, &e.Errno)
	part(&r, `,"process":`, &e.Process)
	part(&r, `,"container":`, &e.Container)
	word(&r, `,"syscall":`, &e.Syscall)
	word(&r, `,"abi":`, &e.ABI)
	r.end()
	r.next("\n") // it may have its end
	return !r.odd && len(r.b) == 0
}

func (n *Namespace) read(r *reader) {
	number(r, `,"inode":`, &n.Inode)
	number(r, `,"gen":`, &n.Gen)
	number(r, `,"id":`, &n.ID)
	r.bool(`,"initial":`, &n.Initial)
	text(r, `,"label":`, maxPath, &n.Label)
}

func (ob *Object) read(r *reader) {
	word(r, `,"kind":`, &ob.Kind)
	known(r, `,"id":`, &ob.ID)
	text(r, `,"name":`, maxPath, &ob.Name)
	known(r, `,"ino":`, &ob.Inode)
	if r.has(`,"key":`) {
		r.valid(ob.Key.UnmarshalText(r.string(maxWord)))
	}
	known(r, `,"size":`, &ob.Size)
	known(r, `,"nsems":`, &ob.NSems)
	known(r, `,"maxmsg":`, &ob.MaxMsg)
	known(r, `,"msgsize":`, &ob.MsgSize)
	if ob.Bare = !r.has(`,"mode":`); !ob.Bare {
		r.valid(ob.Mode.UnmarshalText(r.string(maxWord)))
	}
	if r.has(`,"flags":`) {
		ob.Flags = r.strings()
	}
	known(r, `,"uid":`, &ob.UID)
	known(r, `,"gid":`, &ob.GID)
}

func (p *Process) read(r *reader) {
	number(r, `,"pid":`, &p.PID)
	number(r, `,"tid":`, &p.TID)
	number(r, `,"ns_pid":`, &p.NSPID)
	number(r, `,"ppid":`, &p.PPID)
	number(r, `,"uid":`, &p.UID)
	number(r, `,"gid":`, &p.GID)
	text(r, `,"comm":`, maxComm, &p.Comm)
	text(r, `,"parent_comm":`, maxComm, &p.ParentComm)
	number(r, `,"cgroup_id":`, &p.CgroupID)
	text(r, `,"cgroup":`, maxPath, &p.Cgroup)
	r.bool(`,"followed":`, &p.Followed)
}

func (c *Container) read(r *reader) {
	word(r, `,"id":`, &c.ID)
	word(r, `,"runtime":`, &c.Runtime)
	text(r, `,"name":`, maxPath, &c.Name)
	text(r, `,"image":`, maxPath, &c.Image)
	word(r, `,"pod":`, &c.Pod)
	word(r, `,"pod_namespace":`, &c.PodNamespace)
}

// part reads an object in the line.
func part[T any, P interface {
	*T
	read(r *reader)
}](r *reader, name string, to *P) {
	if !r.has(name) {
		return
	}
	*to = new(T)
	r.begin()
	(*to).read(r)
	r.end()
}

// number reads a number; 0 where the line has none.
func number[N integer](r *reader, name string, to *N) {
	if r.has(name) {
		*to = parseInteger[N](r)
	}
}

// known reads a number that is nil where the line has none.
func known[N integer](r *reader, name string, to **N) {
	if r.has(name) {
		*to = new(parseInteger[N](r))
	}
}

type integer interface {
	int | int32 | int64 | uint32 | uint64
}

func parseInteger[N integer](r *reader) N {
	digits := string(r.digits())
	if N(0)-1 < 0 { // signed
		n, err := strconv.ParseInt(digits, 10, 64)
		r.odd = r.odd || err != nil || int64(N(n)) != n
		return N(n)
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	r.odd = r.odd || err != nil || uint64(N(n)) != n
	return N(n)
}

// word reads a text of few letters.
func word[T ~string](r *reader, name string, to *T) { text(r, name, maxWord, to) }

// text reads a text that AppendJSON does not escape, of so many bytes at most.
func text[T ~string](r *reader, name string, most int, to *T) {
	if r.has(name) {
		*to = T(r.string(most))
	}
}

func (r *reader) bool(name string, to *bool) {
	switch {
	case !r.has(name):
	case r.next("true"):
		*to = true
	case !r.next("false"):
		r.odd = true
	}
}

func (r *reader) time(name string, to *time.Time) {
	if r.has(name) {
		r.valid(to.UnmarshalText(r.string(maxWord)))
	}
}

func (r *reader) strings() []string {
	all := []string{}
	if !r.next("[") {
		r.odd = true
		return nil
	}
	for !r.odd && !r.next("]") {
		if len(all) > 0 && !r.next(",") || len(all) == maxTexts {
			r.odd = true
			break
		}
		all = append(all, string(r.string(maxWord)))
	}
	return all
}

func (r *reader) string(most int) []byte {
	if r.next(`"`) {
		for i, c := range r.b[:min(len(r.b), most+1)] {
			switch {
			case c == '"':
				text := r.b[:i]
				r.b = r.b[i+1:]
				return text
			case !isPlain[c]:
				r.odd = true
				return nil
			}
		}
	}
	r.odd = true
	return nil
}

// digits are those of a number as JSON has it, with its sign.
func (r *reader) digits() []byte {
	sign := 0
	if len(r.b) > 0 && r.b[0] == '-' {
		sign = 1
	}
	end := sign
	for end < len(r.b) && r.b[end]-'0' < 10 {
		end++
	}
	r.odd = r.odd || end > sign+1 && r.b[sign] == '0'
	digits := r.b[:end]
	r.b = r.b[end:]
	return digits
}

func (r *reader) begin() {
	r.odd = r.odd || !r.next("{")
	r.more = false
}

func (r *reader) end() {
	r.odd = r.odd || !r.next("}")
	r.more = true
}

// has says whether a field stands here. Its name is given as it stands behind another
// one, as in [object].
func (r *reader) has(name string) bool {
	if !r.more {
		name = name[len(","):]
	}
	has := r.next(name)
	r.more = r.more || has
	return has
}

func (r *reader) next(text string) bool {
	if len(r.b) < len(text) || string(r.b[:len(text)]) != text {
		return false
	}
	r.b = r.b[len(text):]
	return true
}

func (r *reader) valid(err error) { r.odd = r.odd || err != nil }
