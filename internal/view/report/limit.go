package report

import (
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// reach is a limit that a namespace reached.
type reach struct {
	lane  *lane
	kind  string
	errno string
}

// limit is how often calls failed at it.
type limit struct {
	reach
	number      int
	name        string // "MSGMNI"
	certainty   string
	count       uint64
	first, last time.Duration
	there       int // objects of the kind that were there then, as far as they are known
	by          *event.Process
}

// How far an errno tells which limit it was.
const (
	certain = ""
	likely  = "likely"
	perhaps = "perhaps"
)

// limitOf names the limit that a call failed at, by what ipc/*.c and ipc/mqueue.c answer;
// name "": it was none.
func limitOf(e *event.Event) (name, certainty string) {
	switch making := makes(e.Object.Flags); {
	case e.Errno == "ENOMEM":
		return "memory", likely
	case e.Errno == "ENOSPC":
		return fullOf(e.Object.Kind)
	case e.Object.Kind == kindMQ && e.Errno == "EMFILE":
		return "RLIMIT_MSGQUEUE or RLIMIT_NOFILE", likely
	case e.Errno == "ENFILE":
		return "fs.file-max", likely
	case e.Errno == "EINVAL" && making:
		return sizeOf(e.Object)
	}
	return "", ""
}

// fullOf is what there can be too much of.
func fullOf(kind string) (name, certainty string) {
	switch kind {
	case "msg":
		return "MSGMNI", certain
	case "shm":
		return "SHMMNI or SHMALL", likely
	case "sem":
		return "SEMMNI or SEMMNS", likely
	case kindMQ:
		return "queues_max", likely
	}
	return "", ""
}

// sizeOf is what one object can be too large for. EINVAL means other things as well.
func sizeOf(o *event.Object) (name, certainty string) {
	switch {
	case o.Kind == "shm" && o.Size != nil:
		return "SHMMAX", perhaps
	case o.Kind == "sem" && o.NSems != nil && *o.NSems > 0:
		return "SEMMSL", perhaps
	case o.Kind == kindMQ:
		return "msg_max or msgsize_max", perhaps
	}
	return "", ""
}

func makes(flags []string) bool {
	return slices.Contains(flags, "IPC_CREAT") || slices.Contains(flags, "O_CREAT")
}

// mostReached bounds how many limits are told apart: kinds and errors in a log may be anything.
const mostReached = 1000

// fail notes which limit a call failed at, if it did at one.
func (t *Trace) fail(l *lane, e *event.Event) {
	if e.Object == nil {
		return
	}
	name, certainty := limitOf(e)
	if name == "" {
		return
	}
	at := reach{l, e.Object.Kind, e.Errno}
	known := t.reached[at]
	if known == nil {
		if t.reached == nil {
			t.reached = map[reach]*limit{}
		}
		if len(t.reached) == mostReached {
			return
		}
		known = &limit{
			reach: at, number: len(t.reached), name: name, certainty: certainty, first: t.at(e.Time),
			there: l.there(e.Object.Kind), by: e.Process,
		}
		t.reached[at] = known
	}
	known.count++
	known.last = t.at(e.Time)
}
