package view

import (
	"fmt"
	"strconv"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Names of other processes are cut to these columns; facts never are.
const (
	MaxLabel = 24
	MaxName  = 32 // of a POSIX queue

	maxCompactName = 16
	maxComm        = 32
	MaxWord        = 16 // kinds, errno names, ABIs: ours, but a log may hold anything
)

const (
	None    = "-" // stands where there is nothing to know
	Unknown = "?" // and where something is not known
)

func orNone(text string) string {
	if text == "" {
		return None
	}
	return text
}

func NamespaceText(n *event.Namespace) string {
	if n.Label == "" {
		return n.String()
	}
	return n.String() + " " + Safe(n.Label, MaxLabel)
}

// Bytes is a size as people read it, in units of 1024; exact where it has no decimals.
func Bytes(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " B"
	}
	const units = "KMGTPE"
	unit, divisor := 0, uint64(1024)
	// 1023.95 would be shown as 1024.0.
	for unit < len(units)-1 && float64(n)/float64(divisor) >= 1023.95 {
		unit++
		divisor *= 1024
	}
	if n%divisor == 0 {
		return fmt.Sprintf("%d %ciB", n/divisor, units[unit])
	}
	return fmt.Sprintf("%.1f %ciB", float64(n)/float64(divisor), units[unit])
}

// keyTold is keyText where an event says by what.
func keyTold(o *event.Object, max int) string {
	if o.Bare && o.Key == 0 && o.Name == "" {
		return Unknown
	}
	return KeyText(o.Kind, o.Key, o.Name, max)
}

func modeTold(o *event.Object) string {
	if o.Bare {
		return Unknown
	}
	return o.Mode.String()
}

// KeyText is by what an object is found: its key, or a POSIX queue's name.
func KeyText(kind string, key event.Key, name string, max int) string {
	if kind == kindMQ {
		return orNone(Safe(name, max))
	}
	return key.String()
}

const kindMQ = "mq"

// ObjectSize of an object in its own measure, if it has one.
func ObjectSize(size *uint64, nsems *int32, maxMsg, msgSize *int64) string {
	switch {
	case size != nil:
		return Bytes(*size)
	case nsems != nil && *nsems == 1:
		return "1 sem"
	case nsems != nil:
		return fmt.Sprintf("%d sems", *nsems)
	case maxMsg != nil && msgSize != nil:
		return fmt.Sprintf("%d×%s", *maxMsg, Bytes(uint64(max(0, *msgSize))))
	}
	return None
}

// UsedText is how much an object is used: what its kind has to tell.
func UsedText(s *event.State) string {
	switch {
	case s == nil:
		return ""
	case s.Attached != nil:
		return fmt.Sprintf("%d attached", *s.Attached)
	case s.Messages != nil && s.Bytes != nil:
		return fmt.Sprintf("%s/%s", Count(*s.Messages, "msg"), Bytes(*s.Bytes))
	case s.Messages != nil:
		return Count(*s.Messages, "msg")
	}
	return ""
}

// Caller is "ipcmk[62293]".
func Caller(p *event.Process) string {
	return Safe(p.Comm, maxComm) + "[" + pidText(p) + "]"
}

// Age is a duration to two units at most.
func Age(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0: // the clock was set back
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	}
}

// Count is "1 event", "2 events".
func Count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if noun == "process" {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
