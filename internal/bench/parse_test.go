package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
)

func TestParseBpftrace(t *testing.T) {
	const out = `Attaching 1 probe...
123 bench 4026532765 -2
123 bench 4026532765 0
123 bench 4026532766 32768
99 other 4026531839 7
99 two words 4026531839 7
Lost 1200 events
123 bench 4026532765 0
[#00:00:01] WARNING: Lost 34 events
`
	lost, printed, err := parseBpftrace(strings.NewReader(out), "bench")
	if lost != 1234 || printed != 3 || err != nil {
		t.Errorf("lost %d, printed %d, %v; want 1234 and 3", lost, printed, err)
	}
}

func TestParseBenchmarks(t *testing.T) {
	const out = `goos: linux
cpu: A CPU
BenchmarkWrite   	  613413	      1953 ns/op	    512033 events/s	       0 B/op	       0 allocs/op
BenchmarkScan/all 	      10	  1.5e+06 ns/op
BenchmarkBroken
--- FAIL: BenchmarkBroken
PASS
`
	want := numbers{
		"BenchmarkWrite ns/op": 1953, "BenchmarkWrite events/s": 512033, "BenchmarkWrite B/op": 0, "BenchmarkWrite allocs/op": 0,
		"BenchmarkScan/all ns/op": 1.5e6,
	}
	if diff := cmp.Diff(want, parseBenchmarks([]byte(out))); diff != "" {
		t.Error(diff)
	}
}

func TestParseStatus(t *testing.T) {
	const text = "Name:\tipc kB\nVmRSS:\t   49200 kB\nRssAnon:\t     100 kB\nThreads:\t9\n"
	if diff := cmp.Diff(status{"VmRSS": 49200 * 1024, "RssAnon": 100 * 1024}, parseStatus(text)); diff != "" {
		t.Error(diff)
	}
}

func TestCPUTimes(t *testing.T) {
	idle, all := cpuTimes("cpu  10 1 20 300 4 5 6 7 8 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	if idle != 304 || all != 353 {
		t.Errorf("idle %d of %d, want 304 of 353: guest times are in user's", idle, all)
	}
	if idle, all := cpuTimes(""); idle != 0 || all != 0 {
		t.Errorf("of nothing: %d of %d", idle, all)
	}
}

func TestUsage(t *testing.T) {
	then := usage{idle: 100, all: 1000, own: 1}
	if got := (usage{idle: 200, all: 2000, own: 5}).since(then); got != 0.5 {
		t.Errorf("of 1000 ticks 100 idle and 400 its own: others used %v, want 0.5", got)
	}
	if got := (usage{idle: 200, all: 1200, own: 9}).since(then); got != 0 {
		t.Errorf("more than there was: %v", got)
	}
	if got := then.since(then); got != 0 {
		t.Errorf("of no time: %v", got)
	}
}

func TestCPUModel(t *testing.T) {
	if got := cpuModel("processor\t: 0\nmodel name\t: A CPU: fast\n"); got != "A CPU: fast" {
		t.Error(got)
	}
	if got := cpuModel("processor : 0\n"); got != "unknown" {
		t.Error(got)
	}
}

// log is what ipctrace would record of so many calls.
func log(opens int, stop event.Stop) string {
	var lines []byte
	id, key := int32(0), event.Key(queueKey)
	for range opens {
		e := event.Event{V: 1, Event: event.ObjectOpen, NS: &event.Namespace{Inode: 7, Gen: 1}, Object: &event.Object{Kind: "msg", ID: &id, Key: key}}
		lines = append(e.AppendJSON(lines), '\n')
	}
	other := event.Event{V: 1, Event: event.ObjectOpen, NS: &event.Namespace{Inode: 7, Gen: 1}, Object: &event.Object{Kind: "msg", ID: &id, Key: 5}}
	lines = append(other.AppendJSON(lines), '\n')
	end := event.Event{V: 1, Event: event.TraceStop, Stop: &stop}
	return string(append(end.AppendJSON(lines), '\n'))
}

// TestAccount: what was lost explains what is missing, neither more nor less, but
// for what others did.
func TestAccount(t *testing.T) {
	for _, c := range []struct {
		name  string
		opens int
		stop  event.Stop
		wrong string
	}{
		{"nothing lost", 10, event.Stop{Produced: 11, Delivered: 11}, ""},
		{"lost in the kernel", 7, event.Stop{Produced: 11, Delivered: 8, Lost: 3}, ""},
		{"lost on the way to the file", 7, event.Stop{Produced: 11, Delivered: 11, Dropped: 3}, ""},
		{"others' were lost too", 7, event.Stop{Produced: 15, Delivered: 10, Lost: 5}, ""},
		{"the sum is wrong", 10, event.Stop{Produced: 11, Delivered: 10}, "11 produced, but 10 delivered + 0 lost"},
		{"calls were not seen", 9, event.Stop{Produced: 9, Delivered: 9}, "9 produced of 10 calls"},
		{"lines are missing", 9, event.Stop{Produced: 11, Delivered: 11}, "10 calls, but 9 in the log + 0 lost"},
		{"more lost than there was", 10, event.Stop{Produced: 11, Delivered: 9, Lost: 2}, "10 calls, but 10 in the log + 2 lost"},
		{"too many lines", 12, event.Stop{Produced: 13, Delivered: 13}, "10 calls, but 12 in the log + 0 lost"},
		{"skipped", 10, event.Stop{Produced: 11, Delivered: 11, Skipped: 2}, "the kernel skipped 2 runs of the hook"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := parseAccount(strings.NewReader(log(c.opens, c.stop)))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := a.check(10); err != nil {
				got = err.Error()
			}
			if a.Opens != uint64(c.opens) || got != c.wrong {
				t.Errorf("%d opens, %q; want %d, %q", a.Opens, got, c.opens, c.wrong)
			}
		})
	}
	if _, err := parseAccount(strings.NewReader("{}\n")); err == nil {
		t.Error("a log without an end has an account")
	}
}

// TestTake: lines may come in any pieces.
func TestTake(t *testing.T) {
	line := func(call int) string {
		return fmt.Sprintf(`{"object":{"key":"0x%08x","mode":"0000"}}`+"\n", missKey+call)
	}
	text := line(0) + `{"object":{"key":"0x00000007"}}` + "\n" + `{"event":"trace.start"}` + "\n" + line(2) + `"key":"0x` + "\n"
	for cut := range len(text) {
		w := &watcher{stamps: make([]atomic.Int64, 3), late: make([]atomic.Int64, 3)}
		w.stamps[0].Store(1_000_000)
		buffer := append(make([]byte, 0, 1000), text[:cut]...)
		rest := w.take(buffer, 3_000_000)
		w.take(append(rest, text[cut:]...), 3_000_000)
		if late := w.late[0].Load(); late != 2_000_001 {
			t.Fatalf("cut at %d: call 0 was %d late", cut, late)
		}
		if w.late[1].Load() != 0 || w.late[2].Load() != 1 {
			t.Fatalf("cut at %d: call 1: %d, call 2: %d", cut, w.late[1].Load(), w.late[2].Load())
		}
		if diff := cmp.Diff([]float64{2, 0}, w.times(0, 3)); diff != "" {
			t.Fatal(diff)
		}
	}
}
