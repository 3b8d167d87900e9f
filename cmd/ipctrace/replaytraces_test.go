package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// written is a log that a test makes up.
type written struct {
	text []byte
	seq  uint64 // of the last line
	ids  int32
}

func (w *written) add(at time.Time, e event.Event) {
	w.seq++
	e.V, e.Seq, e.Time, e.BootNS = event.Version, w.seq, at, at.UnixNano()
	w.text = append(e.AppendJSON(w.text), '\n')
}

// start begins a trace, or if it is in one, goes on with it in another file.
func (w *written) start(at time.Time, host string, part uint32) {
	w.add(at, event.Event{Event: event.TraceStart, Start: &event.Start{
		Host: host, Kernel: "6.18.5", Arch: "x86_64", Tier: "fentry", Log: &event.Log{ID: "8c1f", Part: part},
	}})
}

func (w *written) create(at time.Time, comm string) {
	w.ids++
	w.add(at, event.Event{
		Event: event.ObjectCreate, NS: &event.Namespace{Inode: 5, Gen: 1},
		Object:  &event.Object{Kind: "msg", ID: new(w.ids), Key: event.Key(w.ids)},
		Process: &event.Process{PID: 7, TID: 7, Comm: comm},
	})
}

func (w *written) stop(at time.Time) {
	w.add(at, event.Event{Event: event.TraceStop, Stop: &event.Stop{}})
}

// killed ends a trace as who continues the log does.
func (w *written) killed(continued time.Time) {
	w.add(continued, event.Event{Event: event.TraceSeal, Seal: &event.Seal{Late: true}})
	w.seq = 0
}

// clock is a time of the day that these logs are of.
func clock(text string) time.Time {
	at, err := time.Parse(time.DateTime, "2026-07-14 "+text)
	if err != nil {
		panic(err)
	}
	return at
}

// replayed is what replay says of a log, with its exit status.
func replayed(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command("ipctrace", append([]string{"replay"}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &err, append(cmd.Environ(), "TZ=UTC")
	_ = cmd.Run()
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// threeKilled are three traces whose recorder was killed, and one that ended.
func threeKilled() *written {
	var w written
	for _, times := range [][3]string{
		{"12:59:09", "12:59:11", "12:59:24"}, {"12:59:24", "12:59:25", "12:59:40"}, {"12:59:40", "12:59:41", "12:59:50"},
	} {
		w.start(clock(times[0]), "one", 1)
		w.create(clock(times[1]), "maker")
		w.killed(clock(times[2]))
	}
	w.start(clock("12:59:50"), "one", 1)
	w.create(clock("12:59:51"), "maker")
	w.stop(clock("12:59:52"))
	w.killed(clock("12:59:52"))
	return &w
}

// TestReplayKilled: a trace that another one follows in its log ended with its last
// event, and one that is cut off at the end of a log may have gone on.
func TestReplayKilled(t *testing.T) {
	log := threeKilled()
	whole := writeFile(t, "whole", log.text)
	cut := writeFile(t, "cut", bytes.Join(bytes.SplitAfter(log.text, []byte("\n"))[:2], nil))
	for _, test := range []struct {
		args []string
		want string // the times of the tables
	}{
		{[]string{whole}, "12:59:09 to 12:59:11, 12:59:24 to 12:59:25, 12:59:40 to 12:59:41, 12:59:50 to 12:59:52"},
		{[]string{"--at", "12:59:10", whole}, "12:59:09 to 12:59:10"},
		{[]string{"--at", "12:59:18", whole}, ""},
		{[]string{"--at", "12:59:24", whole}, "12:59:24 to 12:59:24"},
		{[]string{"--at", "12:59:52", whole}, "12:59:50 to 12:59:52"},
		{[]string{"--since", "12:59:52", whole}, "12:59:50 to 12:59:52"},
		{[]string{"--since", "12:59:12", "--until", "12:59:30", whole}, "12:59:24 to 12:59:25"},
		{[]string{"--at", "12:59:18", cut}, "12:59:09 to 12:59:11"},
		{[]string{"--at", "12:59:18", cut, sessionLog}, "12:59:09 to 12:59:11"},
	} {
		out, stderr, status := replayed(t, test.args...)
		var tables []string
		for line := range strings.Lines(out) {
			if title, ok := strings.CutPrefix(line, "trace · "); ok {
				tables = append(tables, strings.ReplaceAll(strings.TrimSpace(title[strings.LastIndex(title, " · ")+4:]), "2026-07-14 ", ""))
			}
		}
		if got := strings.Join(tables, ", "); got != test.want || (status == 0) != (test.want != "") {
			t.Errorf("%q: %s, want %s; status %d, %s", test.args, got, test.want, status, stderr)
		}
		if test.want == "" && !strings.Contains(stderr, "the log is from 2026-07-14 12:59:09 to 2026-07-14 12:59:52") {
			t.Error(stderr)
		}
	}
}

// fiveParts are the files of a log of one trace, and its lines. What is made in a part
// is removed in the next one.
func fiveParts(t *testing.T) (files []string, lines [][]byte) {
	t.Helper()
	w := written{}
	for part := range uint32(5) {
		at := clock("12:59:00").Add(time.Duration(part) * time.Minute)
		w.text = nil
		w.start(at, "one", part+1)
		if id := w.ids; id > 0 {
			object := &event.Object{Kind: "msg", ID: &id, Key: event.Key(id)}
			ns := &event.Namespace{Inode: 5, Gen: 1}
			w.add(at, event.Event{Event: event.TraceState, State: &event.Extent{Objects: 1}})
			w.add(at, event.Event{Event: event.ObjectState, NS: ns, Object: object, History: &event.History{First: event.ObjectCreate, Time: at, BootNS: 1}})
			w.add(at.Add(time.Second), event.Event{Event: event.ObjectRemove, NS: ns, Object: object, Cause: event.CauseRMID})
		}
		w.create(at.Add(2*time.Second), "maker")
		files = append(files, writeFile(t, "log", w.text))
		lines = append(lines, bytes.SplitAfter(bytes.TrimSuffix(w.text, []byte("\n")), []byte("\n"))...)
		lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
	}
	return files, lines
}

// TestReplayMissing: what is missing in a log is told, and what is there is not
// mixed with what was before.
func TestReplayMissing(t *testing.T) {
	files, all := fiveParts(t) // of 2 lines and four times 5
	without := func(numbers ...int) string {
		var text []byte
		for i, line := range all {
			if !slices.Contains(numbers, i+1) {
				text = append(text, line...)
			}
		}
		return writeFile(t, "log", text)
	}
	garbled := writeFile(t, "log", slices.Concat(all[2], all[3], []byte("no\n"), all[5], all[6]))
	var sparse written
	sparse.start(clock("12:59:00"), "one", 1)
	for range 15 {
		sparse.seq++
		sparse.create(clock("12:59:01"), "maker")
	}
	odd := writeFile(t, "log", sparse.text)
	for _, test := range []struct {
		name   string
		args   []string
		status int
		stderr []string // each once, and no other lines
		tables int
		stdout []string
	}{
		{"whole", files, 0, nil, 1, []string{"one · 2026-07-14 12:59:00 to 2026-07-14 13:03:02", "9 events: 5 created, 0 opened, 0 failed, 4 removed; 0 lost\n"}},
		{"part 1", files[1:], 0, nil, 1, []string{"one · without its beginning · 2026-07-14 13:00:00 to"}},
		{"parts 1 and 4", []string{files[1], files[2], files[4]}, 1, []string{files[4] + ", line 1: the log's part 4 is missing before it"}, 2, []string{
			"without its beginning · 2026-07-14 13:00:00 to 2026-07-14 13:01:02", "4 events: 2 created, 0 opened, 0 failed, 2 removed; 0 lost\nthere before: 1 object, 0 namespaces\nmissing in the log: at least 5 lines\n",
			"without its beginning · 2026-07-14 13:03:00 to 2026-07-14 13:03:02", "2 events: 1 created, 0 opened, 0 failed, 1 removed; 0 lost\nthere before: 1 object, 0 namespaces\n",
		}},
		{"parts 2 to 4", []string{files[0], files[4]}, 1, []string{"line 1: the log's parts 2 to 4 are missing before it"}, 2, []string{"missing in the log: at least 15 lines\n"}},
		{"another log", []string{writeFile(t, "log", threeKilled().text), firstLog, files[3]}, 1, []string{"the log's parts 2 to 3"}, 6, nil},
		{"a log that began before", []string{sessionLog, files[3]}, 0, nil, 2, nil},
		{"three lines", []string{without(4, 8, 9)}, 1, []string{"line 4: the line of seq 4 is missing before it", "line 7: lines of seq 8 to 9 are missing before it"}, 1, []string{"0 lost\n", "\nmissing in the log: at least 3 lines\n"}},
		{"lines at a seam", []string{without(7)}, 1, []string{"line 7: the line of seq 7 is missing before it"}, 2, []string{"missing in the log: at least 1 line\n", "without its beginning"}},
		{"not yet", []string{"--at", "12:59:30", without(10)}, 1, []string{"the line of seq 10 is missing"}, 1, []string{"; 0 lost\n"}},
		{"the beginning", []string{without(1, 2, 3)}, 1, []string{"line 1: lines of seq 1 to 3 are missing before it"}, 2, []string{"trace · without its beginning · "}},
		{"unreadable", []string{garbled}, 1, []string{"line 3: read event"}, 1, []string{"missing in the log: at least 1 line\n"}},
		{"twice", []string{files[0], files[1], files[1]}, 1, []string{"line 1: seq 3 behind 7: lines are missing, or there twice, or not in their order"}, 2, nil},
		{"many", []string{odd}, 1, append(slices.Repeat([]string{" missing before it"}, mostFaults), "lines are missing in 5 places more"), 1, []string{"missing in the log: at least 15 lines\n"}},
		{"unread", []string{"-o", "json", odd}, 0, nil, 0, nil},
		{"filtered", []string{"-o", "json", "--kind", "msg", without(4)}, 1, []string{"seq 4 is missing"}, 0, nil},
	} {
		out, stderr, status := replayed(t, test.args...)
		lines := strings.Split(strings.TrimSpace(stderr), "\n")
		if status != test.status || strings.Count(out, "trace · ") != test.tables || len(test.stderr) == 0 && stderr != "" || len(test.stderr) > 0 && len(lines) != len(test.stderr) {
			t.Errorf("%s: exit status %d, %s%s", test.name, status, stderr, out)
			continue
		}
		for i, want := range test.stderr {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: no %q in %q", test.name, want, lines[i])
			}
		}
		for _, want := range test.stdout {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in %s", test.name, want, out)
			}
		}
		if n := strings.Count(out, "missing in the log"); n > 0 && status == 0 {
			t.Errorf("%s: %s", test.name, out)
		}
	}
}
