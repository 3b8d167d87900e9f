package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/browser"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
)

// TestBrowser: what a person does with a page, and what it must not do.
func TestBrowser(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, to func(io.Writer) error) {
		var page bytes.Buffer
		if err := to(&page); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sealed := &journal.Report{Seals: 2, Logs: 1, Head: "c0ffee"}
	for name, text := range map[string][]byte{"session.html": sessionLog(t), "traces.html": bytes.Repeat(sessionLog(t), 2), "busy.html": busyLog(100_000)} {
		log := logOf(t, text, Limits{})
		log.Verdict.Report = sealed
		write(name, log.HTML)
	}
	write("broken.html", judged(t, sessionLog(t), "plain").HTML)
	for i, text := range nasty {
		write(fmt.Sprintf("hostile%d.html", i), judged(t, hostile(text), text).HTML)
	}
	browser.Run(t, filepath.Join("testdata", "page.cjs"), dir)
}

// busyLog is of n events in 50 namespaces. Of four calls one makes a queue; of a hundred
// one fails; of five queues one is left behind.
func busyLog(n int) []byte {
	begin := time.Date(2026, 7, 14, 4, 33, 17, 0, time.UTC)
	line := func(log []byte, e *event.Event) []byte {
		e.V = event.Version
		return append(e.AppendJSON(log), '\n')
	}
	log := line(nil, &event.Event{Seq: 1, Time: begin, Event: event.TraceStart, Start: &event.Start{Host: "busy", Tier: "fentry"}})
	for i := range n {
		number := int32(i / 4)
		e := &event.Event{
			Seq: uint64(i + 2), Time: begin.Add(time.Duration(i) * 317 * time.Microsecond), Syscall: "msgget", ABI: "x86_64",
			NS:      &event.Namespace{Inode: 4026532000 + uint64(number%50), Gen: 1, Label: fmt.Sprintf("sh[%d]", number%50)},
			Object:  &event.Object{Kind: "msg", ID: &number, Key: event.Key(1 + number%900)},
			Process: &event.Process{PID: uint32(1000 + i%3000), Comm: []string{"ipcmk", "worker", "oracle"}[i%3]},
		}
		switch {
		case i%100 == 99:
			e.Event, e.Errno, e.Object.ID = event.ObjectFail, "ENOSPC", nil
		case i%4 == 0:
			e.Event = event.ObjectCreate
		case i%4 == 3 && number%5 > 0:
			e.Event, e.Cause = event.ObjectRemove, event.CauseRMID
		default:
			e.Event = event.ObjectOpen
		}
		log = line(log, e)
	}
	return log
}
