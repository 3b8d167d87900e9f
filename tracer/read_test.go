package tracer

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestGaps: the first loss is told in its place; those soon after on the same CPU
// behind the last of them, with their count and from before the first.
func TestGaps(t *testing.T) {
	f := fakeClock{offset: time.Hour}
	tr := &Tracer{cpus: make([]cpu, 2), clock: *f.clock(), start: time.Millisecond}
	tr.looked = time.Hour // so that no hook is asked for skipped runs
	type told struct {
		Boot, From, To time.Duration // of an event: its Boot alone
		Lost           uint64
	}
	var got []told
	limit := -1
	yield := func(e Event, err error) bool {
		boot := func(at time.Time) time.Duration { return time.Duration(at.UnixNano()) - time.Hour }
		var loss *Loss
		switch {
		case err == nil:
			got = append(got, told{Boot: e.Boot})
		case errors.As(err, &loss):
			got = append(got, told{loss.Boot, boot(loss.From), boot(loss.To), loss.Count})
		default:
			t.Fatal(err)
		}
		limit--
		return limit != 0
	}
	var raw ipctraceMqEvent
	happens := func(cpu uint32, ms, lost uint64) bool {
		return tr.deliver(record(ipctraceEvent{BootNs: ms * 1e6, Cpu: uint16(cpu), Lost: lost}), &raw, yield)
	}
	const ms = time.Millisecond
	check := func(want ...told) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		got = nil
	}

	happens(0, 100, 3)
	happens(0, 101, 3)
	happens(0, 103, 5)
	happens(1, 104, 1) // another one's
	happens(0, 105, 5)
	happens(0, 109, 9)
	check(told{100 * ms, 1 * ms, 100 * ms, 3}, told{Boot: 100 * ms}, told{Boot: 101 * ms}, told{Boot: 103 * ms},
		told{104 * ms, 1 * ms, 104 * ms, 1}, told{Boot: 104 * ms}, told{Boot: 105 * ms}, told{Boot: 109 * ms})
	happens(0, 110, 9)
	happens(0, 111, 10)
	check(told{109 * ms, 101 * ms, 109 * ms, 6}, told{Boot: 110 * ms}, told{Boot: 111 * ms})

	tr.tellOwed(yield) // the ring is empty
	tr.tellOwed(yield)
	check(told{111 * ms, 110 * ms, 111 * ms, 1})

	limit = 1 // who leaves at a loss has the event yet to come
	if happens(0, 200, 12) {
		t.Error("goes on where it was left")
	}
	check(told{200 * ms, 111 * ms, 200 * ms, 2})
	tr.deliver(tr.held, &raw, yield)
	check(told{Boot: 200 * ms})
}

// TestIdle: who is told that nothing is there to be read can end the reading, also
// where nobody heeds the error.
func TestIdle(t *testing.T) {
	f := fakeClock{offset: time.Hour}
	k := newKernelSide(1024)
	k.write(string(record(ipctraceEvent{BootNs: uint64(time.Second)})), 0)
	tr := &Tracer{cpus: make([]cpu, 1), clock: *f.clock(), ring: &k.ring}
	tr.looked = 24 * time.Hour // so that no hook is asked for skipped runs
	full := errors.New("disk full")
	read := 0
	tr.idle = func(time.Duration) error { read = int(tr.delivered.Load()); return full }
	var errs []error
	for _, err := range tr.Events() {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) != 1 || !errors.Is(errs[0], full) || read != 1 {
		t.Errorf("%v after %d events", errs, read)
	}
}
