package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/eventtest"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// wholeLog verifies a log as a user does, and gives its events. Replayed it is the
// same, byte for byte, and every line is as docs/event-schema.json says.
func wholeLog(t *testing.T, files ...string) []*event.Event {
	t.Helper()
	if out, err := exec.Command("ipctrace", append([]string{"verify"}, files...)...).CombinedOutput(); err != nil {
		t.Fatalf("verify: %v: %s", err, out)
	}
	var text []byte
	for _, f := range journal.Files(files) {
		b, err := os.ReadFile(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, b...)
	}
	replayed, err := exec.Command("ipctrace", append([]string{"replay", "-o", "json"}, files...)...).Output()
	if err != nil || !bytes.Equal(replayed, text) {
		t.Errorf("replayed: %v, %d bytes of %d", err, len(replayed), len(text))
	}
	var all []*event.Event
	for line := range bytes.Lines(text) {
		all = append(all, parse(t, line))
	}
	return all
}

// stopOf is the totals of the last trace.
func stopOf(t *testing.T, all []*event.Event) *event.Stop {
	t.Helper()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Stop != nil {
			return all[i].Stop
		}
	}
	t.Fatal("no trace.stop")
	return nil
}

// TestKernelRecord: what a shell in a namespace of its own makes is in the log,
// which is whole; the next trace continues it.
func TestKernelRecord(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, tier := range kerneltest.Tiers() {
		file := filepath.Join(t.TempDir(), "trace.jsonl")
		for round := range 2 {
			s := begin(t, nil, "record", "-o", file, "--hooks", tier.String())
			pid, done := runMaker(t, 64, "-unshare", "msgget:0:0600", "shmget:0:4096:0600", "semget:0:2:0600")
			s.interrupt()
			if status := s.status(); status != exitDone {
				t.Fatalf("exit status %d: %s", status, s.stderr)
			}
			all := wholeLog(t, file)
			stop := stopOf(t, all)
			if mine := calls(all, pid); len(mine) != 3 && stop.Skipped == 0 || len(mine) > 0 && mine[0].NS.Inode != done[0].NS {
				t.Errorf("round %d: %d calls, want 3", round, len(mine))
			}
			if stop.Produced != stop.Delivered+stop.Lost || stop.Delivered != stop.Written+stop.Filtered || stop.Dropped != 0 {
				t.Errorf("%+v", stop)
			}
		}
	}
}

// holdObjects makes objects in an IPC namespace of its own, and many calls that use
// them, and holds them until the test ends.
func holdObjects(t *testing.T) (inode uint64) {
	t.Helper()
	cmd := exec.Command(kerneltest.Maker64(t), "-unshare",
		"msgget:1:01600", "semget:2:3:01640", "shmget:3:4096:01600", "attach", "rmid:shm", "mq_open:held:0102:0600",
		"random:1:2000", "msgget:1:0", "pause", "exit-attached")
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _, _ = io.Copy(io.Discard, stdout); _ = cmd.Wait() })
	calls := bufio.NewScanner(stdout)
	for n := 0; n < 2006 && calls.Scan(); n++ {
		var m made
		if err := json.Unmarshal(calls.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		inode = m.NS
	}
	return inode
}

// TestKernelRecordParts: the newest file of a log alone shows what is there, as all
// of them do.
func TestKernelRecordParts(t *testing.T) {
	kerneltest.NeedRoot(t)
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	s := begin(t, nil, "record", "-o", file, "--rotate-size", "256K")
	inode := holdObjects(t)
	s.interrupt()
	if status := s.status(); status != exitDone {
		t.Fatalf("exit status %d: %s", status, s.stderr)
	}
	parts, err := filepath.Glob(file + ".*")
	if err != nil || len(parts) == 0 {
		t.Fatalf("%v, %v", parts, err)
	}
	for _, e := range wholeLog(t, append(parts, file)...) {
		eventtest.Check(t, e.AppendJSON(nil))
	}
	objects := func(files ...string) []string {
		rows := objectRows(t, ipctrace(t, append([]string{"replay"}, files...)...), inode)
		return slices.DeleteFunc(rows, func(row string) bool { return strings.HasPrefix(row, "removed: ") }) // told in that file
	}
	all := objects(append(parts, file)...)
	if diff := cmp.Diff(all, objects(file)); diff != "" || len(all) < 5 {
		t.Errorf("-all files +the newest:\n%s", diff)
	}
}

// TestRecordHangup: SIGHUP begins a new file where the old one was moved, and
// does nothing where it was not.
func TestRecordHangup(t *testing.T) {
	kerneltest.NeedRoot(t)
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	s := begin(t, nil, "record", "-o", file)
	runMaker(t, 64, "-unshare", "msgget:0:0600")
	hangup := func() {
		if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hangup()
	time.Sleep(100 * time.Millisecond) // for it to be taken before the file moves
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	hangup()
	awaitFile(t, file)
	pid, _ := runMaker(t, 64, "-unshare", "msgget:0:0600")
	s.interrupt()
	if status := s.status(); status != exitDone {
		t.Fatalf("exit status %d: %s", status, s.stderr)
	}
	wholeLog(t, file, file+".1")
	if again := wholeLog(t, file); len(calls(again, pid)) != 1 || again[0].Start == nil || again[0].Start.Log.Part != 2 {
		t.Errorf("%+v", again[0])
	}
}

func awaitFile(t *testing.T, name string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s", name)
		}
	}
}

// TestRecordKilled: a recorder that was killed leaves a log that the next one
// continues.
func TestRecordKilled(t *testing.T) {
	kerneltest.NeedRoot(t)
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	s := begin(t, nil, "record", "-o", file)
	pid, _ := runMaker(t, 64, "-unshare", "msgget:0:0600")
	awaitFile(t, file)
	time.Sleep(200 * time.Millisecond) // for the events to be written; they are not sealed yet
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	text := readFile(t, file)
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	last := text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]
	sealed := bytes.Contains(last, []byte("trace.seal")) // it was not, but for a very slow machine
	out, err := exec.Command("ipctrace", "verify", file).CombinedOutput()
	if told := strings.Contains(string(out), "nothing vouches for the last"); told == sealed || err == nil && !sealed {
		t.Errorf("%v: %s", err, out)
	}
	s = begin(t, nil, "record", "-o", file)
	s.interrupt()
	if status := s.status(); status != exitDone {
		t.Fatalf("exit status %d: %s", status, s.stderr)
	}
	all := wholeLog(t, file)
	late := false
	for _, e := range all {
		late = late || e.Seal != nil && e.Seal.Late
	}
	if len(calls(all, pid)) != 1 || late == sealed {
		t.Errorf("%d calls; sealed late: %v, by who wrote them: %v", len(calls(all, pid)), late, sealed)
	}
}

// TestRecordFull: a full disk costs events, says so, and ends in a failure.
func TestRecordFull(t *testing.T) {
	kerneltest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("ipctrace-test", dir, "tmpfs", 0, "size=1048576,mode=0700"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
	file := filepath.Join(dir, "trace.jsonl")
	s := begin(t, nil, "record", "-o", file, "--queue", "64K")
	runMaker(t, 64, "-unshare", "-repeat", "6000", "msgget:7:01600")
	time.Sleep(1500 * time.Millisecond) // the queue waits a second for room
	runMaker(t, 64, "-unshare", "-repeat", "100", "msgget:7:01600")
	time.Sleep(200 * time.Millisecond) // for these to be taken from the ring
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "size=67108864"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // it looks whether there is room
	runMaker(t, 64, "-unshare", "msgget:7:01600")
	s.interrupt()
	status, said := s.status(), s.stderr.String()
	for _, want := range []string{"no space left on device: recording pauses", "recording goes on", "dropped on the way to the file"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %s", want, said)
		}
	}
	all := wholeLog(t, file)
	stop := stopOf(t, all)
	var dropped, written, observed uint64
	for _, e := range all {
		switch {
		case e.Lost != nil && e.Lost.Stage == event.StageOutput:
			dropped += e.Lost.Count
		case e.Observed != event.ObservedHook:
			observed++
		case e.Event.IsObject() || e.Event.IsNamespace():
			written++
		}
	}
	if status != exitFinding || dropped == 0 || stop.Dropped != dropped || stop.Written != written ||
		stop.Delivered+stop.Found != written+observed+stop.Filtered+dropped {
		t.Errorf("exit status %d; %d dropped, %d written, %d observed: %+v", status, dropped, written, observed, stop)
	}
}

// TestRecordTwice: the second recorder of a file refuses.
func TestRecordTwice(t *testing.T) {
	kerneltest.NeedRoot(t)
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	s := begin(t, nil, "record", "-o", file)
	out, err := exec.Command("ipctrace", "record", "-o", file).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another ipctrace records into") {
		t.Errorf("%v: %s", err, out)
	}
	s.interrupt()
	if s.status() != exitDone {
		t.Error(s.stderr)
	}
	wholeLog(t, file)
}

// TestRecordStdout: into a pipe too, whose reader may go away.
func TestRecordStdout(t *testing.T) {
	kerneltest.NeedRoot(t)
	s := begin(t, nil, "record", "-o", "-")
	runMaker(t, 64, "-unshare", "msgget:0:0600")
	s.interrupt()
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	if err := os.WriteFile(file, s.output(), 0o600); err != nil {
		t.Fatal(err)
	}
	wholeLog(t, file)
	s = begin(t, nil, "record", "-o", "-")
	s.stdout.Close()
	if status := s.status(); status != exitDone {
		t.Errorf("exit status %d: %s", status, s.stderr)
	}
}

// TestRecordSealTo: a witness has the last seal, and so knows when a log was cut
// short.
func TestRecordSealTo(t *testing.T) {
	kerneltest.NeedRoot(t)
	var mu sync.Mutex
	var posted []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		posted, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	dir := t.TempDir()
	for name, seals := range map[string]func() []byte{
		dir + "/file":                   func() []byte { return readFile(t, dir+"/file") },
		"|cat >>" + dir + "/of-command": func() []byte { return readFile(t, dir+"/of-command") },
		server.URL:                      func() []byte { mu.Lock(); defer mu.Unlock(); return posted },
	} {
		file := filepath.Join(t.TempDir(), "trace.jsonl")
		s := begin(t, nil, "record", "-o", file, "--seal-to", name)
		runMaker(t, 64, "-unshare", "msgget:0:0600")
		s.interrupt()
		if status := s.status(); status != exitDone {
			t.Errorf("%s: exit status %d: %s", name, status, s.stderr)
		}
		lines := strings.Split(strings.TrimSpace(string(seals())), "\n")
		head := lines[len(lines)-1]
		if out, err := exec.Command("ipctrace", "verify", "--head", head, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
		text := readFile(t, file)
		cut := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
		if err := os.WriteFile(file, text[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("ipctrace", "verify", "--head", head, file).CombinedOutput(); err == nil || !strings.Contains(string(out), "cut short") {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRecordWitnessGone: a witness that takes nothing is told of, and fails the
// end; the log itself is whole.
func TestRecordWitnessGone(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, name := range []string{"|exit 3", "http://127.0.0.1:9/"} {
		file := filepath.Join(t.TempDir(), "trace.jsonl")
		s := begin(t, nil, "record", "-o", file, "--seal-to", name)
		runMaker(t, 64, "-unshare", "msgget:0:0600")
		time.Sleep(1200 * time.Millisecond)
		s.interrupt()
		status, said := s.status(), s.stderr.String()
		lacks := strings.Contains(said, name+" does not have the last seal") ||
			strings.Contains(said, name+" may not have the last seal") // it was written to, and ended
		if status != exitFinding || !lacks {
			t.Errorf("%s: exit status %d: %s", name, status, said)
		}
		wholeLog(t, file)
	}
}

// TestRecordNoRights: nothing is left of a log that could not be begun.
func TestRecordNoRights(t *testing.T) {
	kerneltest.NeedRoot(t)
	program := kerneltest.Public(t, "ipctrace")
	cmd := exec.Command(program, "record", "-o", "trace.jsonl")
	cmd.Dir = t.TempDir()
	if err := os.Chown(cmd.Dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(cmd.Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, _ := cmd.CombinedOutput()
	if status := cmd.ProcessState.ExitCode(); status != exitCannot || !strings.Contains(string(out), "run with sudo") {
		t.Errorf("exit status %d: %s", status, out)
	}
	if left, _ := os.ReadDir(cmd.Dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
