package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// sealedLog is the trace of docs/events.md in a log that is sealed and signed, with the
// public key.
func sealedLog(t *testing.T) (file, key string) {
	t.Helper()
	dir := t.TempDir()
	private := filepath.Join(dir, "key")
	if out, err := exec.Command("ipctrace", "keygen", private).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	signer, err := journal.PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "log")
	log, err := journal.Open(journal.Config{File: file, Key: signer, Now: now, Warn: func(text string) { t.Error(text) }})
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(readLog(t, sessionLog)) {
		e, err := event.Parse(line)
		if err == nil && e.Event != event.TraceLost && e.Event != event.TraceStop { // these are the journal's own
			err = log.Write(e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	return file, private + ".pub"
}

// makeReport makes a page, and returns its exit status and what it says on stderr.
func makeReport(t *testing.T, args ...string) (status int, page, said string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command("ipctrace", append([]string{"report"}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestReportSealed: a page says what verify says.
func TestReportSealed(t *testing.T) {
	file, key := sealedLog(t)
	status, page, said := makeReport(t, file, "--key", key)
	if status != exitDone || said != "" || !strings.Contains(page, `class="verdict whole"`) || !strings.Contains(page, "which was asked for") {
		t.Errorf("exit status %d: %s", status, said)
	}
	if head := journal.Verify([]string{file}, journal.Check{}).Head; !strings.Contains(page, "<code>"+head+"</code>") {
		t.Errorf("the last seal %s is not on it", head)
	}
	text := readFile(t, file)
	altered := writeFile(t, "altered", bytes.Replace(text, []byte(`"mode":"0644"`), []byte(`"mode":"0640"`), 1))
	stripped := writeFile(t, "stripped", bytes.Join(bytes.SplitAfter(text, []byte("\n"))[:5], nil))
	for name, c := range map[string]struct {
		file, finding string
		args          []string
	}{
		"altered":       {altered, "altered: " + altered, nil},
		"without seals": {stripped, "unsealed: " + stripped, nil},
		"another key":   {file, "wrong key: ", []string{"--key", strings.Repeat("ab", 32)}},
		"another head":  {file, "cut short: the log", []string{"--head", strings.Repeat("ab", 32)}},
	} {
		status, page, said := makeReport(t, append(c.args, c.file)...)
		if status != exitFinding || !strings.Contains(said, "NOT WHOLE") || !strings.Contains(said, c.finding) {
			t.Errorf("%s: exit status %d: %s", name, status, said)
		}
		if !strings.Contains(page, `class="verdict broken"`) || !strings.Contains(page, c.finding) {
			t.Errorf("%s: the page does not say so", name)
		}
	}
}

// TestReportRecorded: what really was is on the page: a limit that was reached, what is left
// behind, and what went with its namespace.
func TestReportRecorded(t *testing.T) {
	kerneltest.NeedRoot(t)
	file := filepath.Join(t.TempDir(), "log")
	s := begin(t, nil, "record", "-o", file, "--no-host")
	runMaker(t, 64, "-unshare", "keep", "sysctl:msgmni=1", "msgget:0x5e:03600", "msgget:0x5f:03600",
		"shmget:0x5e:4096:03600", "rmid:shm", "semget:0x5e:3:03600")
	s.interrupt()
	if status := s.status(); status != exitDone {
		t.Errorf("record: exit status %d", status)
	}
	status, page, said := makeReport(t, file)
	if status != exitDone || said != "" {
		t.Errorf("exit status %d: %s", status, said)
	}
	for _, text := range []string{`class="verdict whole"`, "<strong>MSGMNI</strong></td><td>ENOSPC</td>", `"0x0000005e"`, "recorded with --no-host"} {
		if !strings.Contains(page, text) {
			t.Errorf("nothing about %q", text)
		}
	}
}

// TestReportTerminal: a page is not for a terminal, whatever that can.
func TestReportTerminal(t *testing.T) {
	for _, kind := range []string{"xterm", "dumb"} {
		term := newTerminal(t, 80, 24)
		var said bytes.Buffer
		cmd := exec.Command("ipctrace", "report", sessionLog)
		cmd.Env = append(os.Environ(), "TERM="+kind)
		cmd.Stdout, cmd.Stderr = term.slave, &said
		_ = cmd.Run()
		if status := cmd.ProcessState.ExitCode(); status != exitUsage || !strings.Contains(said.String(), "not for a terminal: -o report.html") {
			t.Errorf("%s: exit status %d: %s", kind, status, &said)
		}
	}
}

// TestReportEnds: Ctrl-C ends it while it waits, and what was there stays.
func TestReportEnds(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	page := writeFile(t, "page", []byte("before"))
	var said bytes.Buffer
	cmd := exec.Command("ipctrace", "report", fifo, "-o", page)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
	input, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer input.Close()
	if _, err := input.Write(make([]byte, 1<<18)); err != nil { // more than fits unless it reads
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != exitFinding || !strings.Contains(said.String(), "interrupted: no page was made") {
		t.Errorf("exit status %d: %s", status, &said)
	}
	if text := readFile(t, page); string(text) != "before" {
		t.Errorf("the page that was there: %q", text)
	}
}

// TestReplaceFile: a file is replaced when it is complete, with its mode, behind its
// links; what fails leaves nothing.
func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "page"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), os.Symlink("page", link)); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("no space")
	err := replaceFile(link, func(w io.Writer) error {
		_, _ = io.WriteString(w, strings.Repeat("half a page", 1<<16))
		return failed
	})
	if text := readFile(t, file); !errors.Is(err, failed) || string(text) != "old" {
		t.Errorf("%v: %.20q", err, text)
	}
	if err := replaceFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(file)
	if text := readFile(t, link); err != nil || string(text) != "new" || info.Mode() != 0o600 {
		t.Errorf("%v: %q, %v", err, text, info.Mode())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%v: %v", err, left)
	}
	for name, want := range map[string]string{
		filepath.Join(dir, "none", "page"): "open " + filepath.Join(dir, "none", "page") + ": no such file or directory",
		"/dev/full":                        "write /dev/full: no space left on device",
	} {
		err := replaceFile(name, func(w io.Writer) error {
			_, err := io.WriteString(w, strings.Repeat("more than a buffer", 1<<16))
			return err
		})
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestReportTraces: a log of two traces has both on its page.
func TestReportTraces(t *testing.T) {
	two := writeFile(t, "two", bytes.Repeat(readLog(t, sessionLog), 2))
	_, page, _ := makeReport(t, two)
	if n := strings.Count(page, `<section class="trace"`); n != 2 || !strings.Contains(page, `<select id="choose">`) {
		t.Errorf("%d traces", n)
	}
}
