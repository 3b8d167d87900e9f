package journal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/eventtest"
	"github.com/ipctrace/ipctrace/internal/journal"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(recordInto); file != "" {
		recordUntilKilled(file)
	}
	goleak.VerifyTestMain(m)
}

// began is when all that is recorded here happened.
var began = time.Date(2026, 7, 14, 4, 33, 17, 123, time.UTC)

func start() *event.Event {
	return &event.Event{Seq: 1, Time: began, Event: event.TraceStart, Start: &event.Start{
		Tool: "ipctrace test", Host: "web-1", Kernel: "6.18.5", Arch: "x86_64", Tier: "fentry", Gaps: []string{}, Filters: []string{},
	}}
}

// create is the nth object made.
func create(n int) *event.Event {
	at := began.Add(time.Duration(n) * time.Millisecond)
	return &event.Event{
		Time: at, BootNS: int64(n) * 1e6, Event: event.ObjectCreate,
		NS:     &event.Namespace{Inode: 4026531839, Gen: 1, ID: 4098, Initial: true, Label: "host"},
		Object: &event.Object{Kind: "msg", ID: new(int32(n)), Key: event.Key(n), Mode: 0o600, Flags: []string{"IPC_CREAT"}, UID: new(uint32), GID: new(uint32)},
		Process: &event.Process{
			PID: 4711, TID: 4711, NSPID: 4711, PPID: 1, Comm: "ipcmk", ParentComm: "systemd", CgroupID: 1,
			Cgroup: fmt.Sprintf("/system.slice/job-%d.service", n%10),
		},
		Syscall: "msgget", ABI: "x86_64",
	}
}

func stop(produced uint64) *event.Event {
	return &event.Event{Time: began.Add(time.Hour), BootNS: 3600e9, Event: event.TraceStop, Stop: &event.Stop{
		Reason: "signal", Produced: produced, Delivered: produced, Written: produced,
	}}
}

// warnings are what people were told.
type warnings struct {
	mu   sync.Mutex
	text []string
}

func (w *warnings) add(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text)
}

func (w *warnings) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.text...)
}

// config is that of a log in a directory of its own.
func config(t testing.TB) journal.Config {
	t.Helper()
	return journal.Config{
		File: filepath.Join(t.TempDir(), "trace.jsonl"), Fsync: journal.FsyncNone,
		Now:  func() (time.Time, time.Duration) { return began, 0 },
		Warn: func(text string) { t.Errorf("unexpected: %s", text) },
	}
}

func begin(t testing.TB, cfg journal.Config) *journal.Journal {
	t.Helper()
	j, err := journal.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func write(t testing.TB, j *journal.Journal, events ...*event.Event) {
	t.Helper()
	for _, e := range events {
		if err := j.Write(e); err != nil {
			t.Fatal(err)
		}
	}
}

// record records a trace of n objects made.
func record(t testing.TB, cfg journal.Config, n int) {
	t.Helper()
	j := begin(t, cfg)
	write(t, j, start())
	for i := range n {
		write(t, j, create(i+1))
	}
	write(t, j, stop(uint64(n)))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// events are those of some files, one after the other.
func events(t testing.TB, files ...string) (all []*event.Event) {
	t.Helper()
	for _, file := range files {
		for line, err := range journal.Lines(file) {
			if err != nil {
				t.Fatal(err)
			}
			eventtest.Check(t, line.Text)
			e, err := event.Parse(line.Text)
			if err != nil {
				t.Fatalf("%s line %d: %v", file, line.Number, err)
			}
			all = append(all, e)
		}
	}
	return all
}

func count(all []*event.Event, typ event.Type) (n int) {
	for _, e := range all {
		if e.Event == typ {
			n++
		}
	}
	return n
}

func whole(t testing.TB, files ...string) *journal.Report {
	t.Helper()
	r := journal.Verify(files, journal.Check{})
	if !r.Whole() {
		t.Fatalf("not whole: %+v", r.Findings)
	}
	return r
}

// lineAt is which line, from 1, an offset is in.
func lineAt(text []byte, offset int) int { return 1 + bytes.Count(text[:offset], []byte("\n")) }
