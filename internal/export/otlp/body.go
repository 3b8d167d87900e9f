package otlp

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/ipctrace/ipctrace/internal/event"
)

// appendBody appends a line for people: what happened, to what, where, and who did
// it. All of it is in the attributes too.
func appendBody(b []byte, e *event.Event) []byte {
	b = appendPrintable(b, string(e.Event))
	if o := e.Object; o != nil {
		b = appendObject(b, o)
	}
	if e.Errno != "" {
		b = appendPrintable(append(b, ' '), e.Errno)
	}
	if e.Cause != "" {
		b = appendPrintable(append(b, " by "...), string(e.Cause))
	}
	if n := e.NS; n != nil {
		b = append(b, " in "...)
		b = strconv.AppendUint(b, n.Inode, 10)
		if n.Gen > 1 {
			b = strconv.AppendUint(append(b, '.'), uint64(n.Gen), 10)
		}
		b = appendPrintable(append(b, ' '), n.Label)
	}
	if p := e.Process; p != nil {
		b = append(b, ": "...)
		b = appendPrintable(b, p.Comm)
		b = append(strconv.AppendUint(append(b, '['), uint64(p.PID), 10), ']')
	}
	if l := e.Lost; l != nil {
		b = append(b, ": "...)
		if l.AtMost {
			b = append(b, "at most "...)
		}
		b = append(strconv.AppendUint(b, l.Count, 10), " missing here"...)
	}
	return b
}

func appendObject(b []byte, o *event.Object) []byte {
	b = appendPrintable(append(b, ' '), o.Kind)
	if o.ID != nil {
		b = strconv.AppendInt(append(b, ' '), int64(*o.ID), 10)
	}
	switch {
	case o.Kind == "mq":
		b = appendPrintable(append(b, ' '), o.Name)
	case !o.Bare || o.Key != 0:
		b = append(append(b, " key "...), o.Key.String()...)
	}
	return b
}

// appendPrintable escapes what is not printable, as JSON would be: a line may go to a
// terminal.
func appendPrintable(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return appendEscaped(b, s)
		}
	}
	return append(b, s...)
}

func appendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '\\':
			b = append(b, `\\`...)
		case r == utf8.RuneError || unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		default:
			quoted := strconv.AppendQuoteRuneToASCII(nil, r)
			b = append(b, quoted[1:len(quoted)-1]...)
		}
	}
	return b
}
