package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
)

const kindMQ = "mq"

// life is that of one object, in a line of its own.
type life struct {
	*inventory.Object
	lane      *lane
	born, end time.Duration
	gone      bool
}

// settle gives lines to the objects that are known at the end. There are none for what
// was gone before what is shown begins; and where there are too many, what went first
// has none, then what was touched longest ago.
func (t *Trace) settle() {
	for o, gone := range t.known.Objects() {
		l := &life{o, t.lanes[o.Namespace()], t.at(o.First), t.at(o.Removed), gone}
		if l.gone && l.end < t.from {
			l.lane.before++
			continue
		}
		t.lives = append(t.lives, l)
	}
	t.lives = t.lives[max(0, len(t.lives)-t.limits.Objects):]
	slices.SortFunc(t.lives, func(a, b *life) int { return cmp.Compare(a.Number, b.Number) })
	for _, o := range t.lives {
		o.lane.lives = append(o.lane.lives, o)
	}
}

// line is the place of an object among those that have a line of their own, −1 for none.
func (t *Trace) line(number uint64) int {
	i, ok := slices.BinarySearchFunc(t.lives, number, func(o *life, number uint64) int { return cmp.Compare(o.Number, number) })
	if !ok {
		return -1
	}
	return i
}

// left says whether the trace saw the object made and not removed.
func (o *life) left() bool { return !o.gone && !o.Existing }

func (o *life) owner() int64 {
	if o.UID == nil {
		return -1
	}
	return int64(*o.UID)
}

func (o *life) id() string  { return idText(o.Told()) }
func (o *life) key() string { return keyText(o.Told()) }

func (o *life) size() string {
	if text := view.ObjectSize(o.Size, o.NSems, o.MaxMsg, o.MsgSize); text != view.None {
		return text
	}
	return ""
}

// called is "shm 7".
func (o *life) called() string { return strings.TrimSpace(safe(o.Kind + " " + o.id())) }
