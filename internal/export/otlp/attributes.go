package otlp

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
)

// attributes are those of a record being made.
type attributes []attribute.KeyValue

func (a *attributes) text(key attribute.Key, v string) {
	*a = append(*a, key.String(valid(v)))
}

// known is text that is known.
func (a *attributes) known(key attribute.Key, v string) {
	if v != "" {
		a.text(key, v)
	}
}

// foreign is text from another process. OTLP is UTF-8 and such text need not be: then
// its bytes are there too, in hexadecimal, under a name of ours, as in JSON.
func (a *attributes) foreign(key attribute.Key, v string, bytes attribute.Key) {
	a.text(key, v)
	if !utf8.ValidString(v) {
		*a = append(*a, bytes.String(hex.EncodeToString([]byte(v))))
	}
}

func (a *attributes) int(key attribute.Key, v int64) { *a = append(*a, key.Int64(v)) }

// uint is a number of 64 bits without a sign, which OTLP has not: those that do not
// fit are there as text. A caller can ask for a segment of 2⁶⁴−1 bytes.
func (a *attributes) uint(key attribute.Key, v uint64) {
	if v > math.MaxInt64 {
		*a = append(*a, key.String(strconv.FormatUint(v, 10)))
		return
	}
	a.int(key, int64(v))
}

func (a *attributes) bool(key attribute.Key, v bool) { *a = append(*a, key.Bool(v)) }

// number is one that is known.
func number[N int32 | int64 | uint32 | uint64](a *attributes, key attribute.Key, v *N) {
	if v != nil {
		a.uint64or(key, *v < 0, uint64(*v))
	}
}

func (a *attributes) uint64or(key attribute.Key, negative bool, v uint64) {
	if negative {
		a.int(key, int64(v))
		return
	}
	a.uint(key, v)
}

// texts are a list.
func (a *attributes) texts(key attribute.Key, vs []string) {
	for i, v := range vs {
		if !utf8.ValidString(v) {
			own := append([]string{}, vs...)
			for j := i; j < len(own); j++ {
				own[j] = valid(own[j])
			}
			vs = own
			break
		}
	}
	*a = append(*a, key.StringSlice(vs))
}

// time is RFC 3339, as in JSON: for those besides the record's own.
func (a *attributes) time(key attribute.Key, t time.Time) {
	*a = append(*a, key.String(t.UTC().Format("2006-01-02T15:04:05.000000000Z07:00")))
}

// valid is text in which bytes that are no UTF-8 stand as U+FFFD, one each, as in
// JSON.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
