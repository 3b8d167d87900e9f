package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// logs of testdata: session.jsonl is the trace of docs/events.md, first.jsonl the one
// of its first version.
const (
	sessionLog = "testdata/replay/session.jsonl"
	firstLog   = "testdata/replay/first.jsonl"
)

func readLog(t testing.TB, name string) []byte {
	t.Helper()
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// TestReplayScript runs testdata/replay/*.txtar, without privileges. All users in
// the logs are root: others have other names, or none, on each machine.
func TestReplayScript(t *testing.T) {
	users := regexp.MustCompile(`"([ug]id)":\d+`)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/replay",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			for _, name := range []string{sessionLog, firstLog} {
				log := users.ReplaceAll(readLog(t, name), []byte(`"$1":0`))
				if err := os.WriteFile(filepath.Join(env.WorkDir, filepath.Base(name)), log, 0o600); err != nil {
					return err
				}
			}
			return keepRaceOptions(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// TestReplayDocs: the log is the one in the docs.
func TestReplayDocs(t *testing.T) {
	docs := readLog(t, "../../docs/events.md")
	for line := range bytes.Lines(readLog(t, sessionLog)) {
		if !bytes.Contains(docs, line) {
			t.Errorf("not in docs/events.md: %s", line)
		}
	}
}

// writeFile writes a log into a directory of the test's own.
func writeFile(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// threeParts are the session as a log in three files, of which the older ones are
// compressed.
func threeParts(t *testing.T) (whole []byte, files []string) {
	t.Helper()
	parts := make([][]byte, 3)
	seq := uint64(0)
	for line := range bytes.Lines(readLog(t, sessionLog)) {
		e, err := event.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		part := min(len(parts)-1, int(seq)/8)
		if e.Start != nil || len(parts[part]) == 0 {
			seq++
			begin := event.Event{V: 1, Seq: seq, Time: e.Time, Event: event.TraceStart, Start: &event.Start{
				Tier: "fentry", Host: "web-1", Kernel: "6.18.5", Arch: "x86_64", Namespaces: 1, Objects: 1,
				Log: &event.Log{ID: "8c1f", Part: uint32(part) + 1},
			}}
			parts[part] = append(begin.AppendJSON(parts[part]), '\n')
		}
		if e.Start == nil {
			seq++
			e.Seq = seq
			parts[part] = append(e.AppendJSON(parts[part]), '\n')
		}
	}
	var first bytes.Buffer
	gz := gzip.NewWriter(&first)
	fmt.Fprintf(gz, "%s", parts[0])
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	files = []string{
		writeFile(t, "log.000001.gz", first.Bytes()), writeFile(t, "log.000002.zst", encoder.EncodeAll(parts[1], nil)),
		writeFile(t, "log", parts[2]),
	}
	return slices.Concat(parts...), files
}

func ipctrace(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("ipctrace", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%q: %v: %s", args, err, &stderr)
	}
	return string(out)
}

// TestReplayParts: the files of a log are one, byte for byte and as one trace,
// however they are named.
func TestReplayParts(t *testing.T) {
	whole, files := threeParts(t)
	one := writeFile(t, "whole", whole)
	slices.Reverse(files)
	if diff := cmp.Diff(string(whole), ipctrace(t, append([]string{"replay", "-o", "json"}, files...)...)); diff != "" {
		t.Errorf("-written +replayed:\n%s", diff)
	}
	text := ipctrace(t, append([]string{"replay"}, files...)...)
	if strings.Count(text, "trace · ") != 1 || strings.Count(text, "\nTIME") != 0 || strings.Contains(text, "trace.start") {
		t.Errorf("not one trace:\n%s", text)
	}
	if diff := cmp.Diff(ipctrace(t, "replay", one), text); diff != "" {
		t.Errorf("-one file +three:\n%s", diff)
	}
	// Fully read, and written again: the same bytes.
	if diff := cmp.Diff(string(whole), ipctrace(t, "replay", "--json", "--speed", "max", one)); diff != "" {
		t.Errorf("-written +played:\n%s", diff)
	}
}

// TestReplayLong: a line that is too long is told, and those behind it are shown.
func TestReplayLong(t *testing.T) {
	log := slices.Concat(bytes.Repeat([]byte{'x'}, 2*journal.MaxLine+17), []byte{'\n'}, readLog(t, sessionLog), []byte("no JSON\n"))
	cmd := exec.Command("ipctrace", "replay", "-")
	cmd.Stdin = bytes.NewReader(log)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "15 events: ") {
		t.Errorf("%v: %s", cmd.ProcessState, out)
	}
	if text := stderr.String(); !strings.Contains(text, "-, line 1: line longer than") || !strings.Contains(text, "-, line 23: read event") {
		t.Errorf("stderr: %s", text)
	}
}

// TestReplayEnds: Ctrl-C ends it while it waits, and a closed pipe ends it.
func TestReplayEnds(t *testing.T) {
	t.Run("waiting for stdin", func(t *testing.T) {
		cmd := exec.Command("ipctrace", "replay", "-")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill() }()
		if _, err := stdin.Write(readLog(t, sessionLog)); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for lines.Scan() && !strings.Contains(lines.Text(), "/jobs") { // the last line is shown at once
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, stdout); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	t.Run("closed pipe", func(t *testing.T) {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("ipctrace", "replay", "--speed", "0.001x", sessionLog)
		cmd.Stdout = write
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
		write.Close()
		read.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// objectRows are the rows of a namespace in a table, without what changes with time.
func objectRows(t *testing.T, table string, inode uint64) []string {
	t.Helper()
	_, block, ok := strings.Cut(table, "IPC namespace "+itoa(inode)+" · ")
	if !ok {
		t.Fatalf("no namespace %d in %s", inode, table)
	}
	block, _, _ = strings.Cut(block, "\n\n")
	rows := strings.Split(block, "\n")[1:]
	for i, row := range rows {
		cells := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(row), -1)
		if len(cells) == 10 {
			cells = slices.Delete(cells, 8, 9) // AGE
		}
		rows[i] = strings.Join(cells, " ")
	}
	return rows
}

// TestReplayLive: what is replayed is what live has shown.
func TestReplayLive(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, name := range []string{"unshare", "ipcmk", "ipcrm"} {
		kerneltest.NeedProgram(t, name)
	}
	json, lines := begin(t, nil, "live", "-o", "json"), begin(t, nil, "live")
	shell := exec.Command("unshare", "--ipc", "sh", "-c", "ipcmk -Q && ipcmk -M 65536 && ipcmk -S 3 && ipcrm -q 0 && readlink /proc/self/ns/ipc && cat")
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); _ = shell.Wait() }()
	var inode uint64
	for said := bufio.NewScanner(stdout); inode == 0 && said.Scan(); {
		_, _ = fmt.Sscanf(said.Text(), "ipc:[%d]", &inode)
	}
	json.interrupt()
	lines.interrupt()
	log := writeFile(t, "log", json.output())
	_ = lines.output()
	if json.status() != 0 || lines.status() != 0 {
		t.Fatalf("%s%s", json.stderr, lines.stderr)
	}
	want, got := objectRows(t, lines.stderr.String(), inode), objectRows(t, ipctrace(t, "replay", log), inode)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 4 {
		t.Errorf("-live +replay:\n%s", diff)
	}
	if diff := cmp.Diff(string(readLog(t, log)), ipctrace(t, "replay", "-o", "json", log)); diff != "" {
		t.Errorf("-live +replay:\n%s", diff)
	}
}

// FuzzReplay replays anything in every view: nothing breaks, nothing unprintable
// comes through, and the lines themselves are those of the log.
func FuzzReplay(f *testing.F) {
	f.Add(readLog(f, sessionLog), uint8(0))
	f.Add(readLog(f, firstLog), uint8(255))
	f.Add([]byte(`{"v":1,"seq":1,"event":"trace.start"}`+"\n"+`{"v":1,"event":"object.create","object":{}}`+"\n"), uint8(3))
	f.Add([]byte(`{"v":1,"seq":2,"event":"trace.start","start":{"tier":"\u001b","objects":-1,"log":{}}}`+"\n"+`{"v":1,"event":"object.found","ns":{}}`+"\n"), uint8(1))
	f.Add([]byte("{\"v\":1,\"event\":\"trace.lost\"}\n{\"v\":1,\"event\":\"namespace.free\",\"process\":{}}\n\n{\"v\":2}\nx"), uint8(12))
	f.Fuzz(func(t *testing.T, log []byte, flags uint8) {
		var entries []entry
		whole := log[:bytes.LastIndexByte(log, '\n')+1]
		for line := range bytes.Lines(log) {
			entries = append(entries, entry{Line: journal.Line{File: "log", Number: len(entries) + 1, Text: line, Torn: line[len(line)-1] != '\n'}})
		}
		play := func(p *player) {
			fed := make(chan entry, len(entries))
			for _, e := range entries {
				fed <- e
			}
			close(fed)
			var found faults
			if err := p.play(context.Background(), fed, &found); err != nil {
				t.Fatal(err)
			}
			if len(found.notes) > 2*mostFaults+1 { // and half a line
				t.Fatalf("%d notes", len(found.notes))
			}
			if err := p.stage.close(); err != nil {
				t.Fatal(err)
			}
			_ = p.nothing()
		}
		var copied, shown bytes.Buffer
		play(&player{stage: &jsonStage{bufio.NewWriter(&copied)}})
		if !bytes.Equal(copied.Bytes(), whole) {
			t.Errorf("copied %q", &copied)
		}
		opts := view.Options{Location: time.UTC}
		play(&player{stage: &textStage{out: bufio.NewWriter(&shown), opts: opts, tables: flags&1 != 0}, filter: fuzzFilter(flags)})
		for _, r := range shown.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U came through", r)
			}
		}
	})
}

func fuzzFilter(flags uint8) (f stream.Filter) {
	if flags&2 != 0 {
		f.Kinds = []string{"msg", "mq"}
	}
	if flags&4 != 0 {
		f.Namespaces = []stream.Place{{Inode: 4026532765, Gen: 2}}
	}
	if flags&8 != 0 {
		f.Comms, f.Containers, f.UIDs = []string{"postgres"}, []string{"4f"}, []uint32{999}
	}
	if flags&16 != 0 {
		f.Events, f.Except = []event.Type{event.ObjectRemove, event.NamespaceFree}, 4026531839
	}
	return f
}

// TestReplayMemory: what is kept of a log that somebody made up is not more than of
// one that was recorded.
func TestReplayMemory(t *testing.T) {
	const lines, most = 300, 256 << 10 // KiB: of these comms it would be more, and the race detector takes its share
	cmd := exec.Command("ipctrace", "replay", "-")
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	comm := bytes.Repeat([]byte{'x'}, 900<<10)
	go func() {
		for i := range lines {
			fmt.Fprintf(stdin, `{"v":1,"seq":%d,"time":"2026-07-14T04:33:17Z","event":"object.create","ns":{"inode":1,"gen":1},`+
				`"object":{"kind":"shm","id":%d},"process":{"pid":1,"comm":"%s"}}`+"\n", i+1, i, comm)
		}
	}()
	told := bufio.NewScanner(stdout)
	for n := 0; n < 1+lines && told.Scan(); n++ { // with the header
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var used int
	if _, after, ok := strings.Cut(string(status), "VmHWM:"); !ok {
		t.Fatalf("%s", status)
	} else if _, err := fmt.Sscan(after, &used); err != nil || used > most {
		t.Errorf("%v: %d KiB", err, used)
	}
}
