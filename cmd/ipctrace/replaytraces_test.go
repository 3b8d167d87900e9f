package main

import (
	"bytes"
	"os/exec"
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

// TestReplayScreenTraces: the end of a trace is on the screen before the next one is,
// which does not take the day that was between them.
func TestReplayScreenTraces(t *testing.T) {
	var w written
	w.start(clock("12:59:00"), "one", 1)
	w.create(clock("12:59:00"), "first")
	w.killed(clock("23:59:00"))
	w.start(clock("23:59:00"), "one", 1)
	w.create(clock("23:59:01"), "second")
	began := time.Now()
	term, cmd := playScreen(t, "1x", writeFile(t, "log", w.text))
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	term.await("on one · 2026-07-14 23:59:00")
	screen, _, _ := strings.Cut(term.text(), "\x1b[?1049l")
	if took := time.Since(began); !strings.Contains(screen, "first[7]") || took < betweenTraces {
		t.Errorf("after %v: %q", took, screen)
	}
}
