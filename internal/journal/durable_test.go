package journal_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// recordInto makes this test binary a recorder, in its environment.
const recordInto = "IPCTRACE_TEST_RECORD_INTO"

// recordUntilKilled records as fast as it can, and says on stdout which seals are
// on the disk.
func recordUntilKilled(file string) {
	cfg := journal.Config{
		File: file, Fsync: journal.FsyncAlways, RotateSize: 1 << 20,
		Now:    func() (time.Time, time.Duration) { return began, 0 },
		Warn:   func(text string) { fmt.Fprintln(os.Stderr, text) },
		Sealed: func(seal []byte) { _, _ = os.Stdout.Write(seal) },
	}
	j, err := journal.Open(cfg)
	fmt.Println("open")
	if err == nil {
		err = j.Write(start())
	}
	for n := 1; err == nil; n++ {
		err = j.Write(create(n))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKilled: whenever a recorder is killed, its log has what it said to be on
// the disk, and is continued; nothing of it is lost unsaid.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	kills := 200
	if testing.Short() {
		kills = 20
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	cfg := config(t)
	acknowledged := 0
	for i := range kills {
		if i%20 == 0 { // a log of 20 lives
			cfg = config(t)
		}
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), recordInto+"="+cfg.File)
		var complained bytes.Buffer
		cmd.Stderr = &complained
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		stdout := bufio.NewReader(out)
		if random.IntN(4) > 0 { // else it may not have come to its log yet
			_, err = stdout.ReadString('\n')
			must(t, err)
		}
		time.AfterFunc(time.Duration(random.IntN(40))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		said, err := io.ReadAll(stdout)
		must(t, err)
		_ = cmd.Wait()
		if text := complained.String(); text != "" && !strings.Contains(text, "half a line") {
			t.Fatalf("kill %d: %s", i, text)
		}
		files, _ := filepath.Glob(cfg.File + ".0*")
		if _, err := os.Stat(cfg.File); err == nil {
			files = append(files, cfg.File)
		}
		lines := bytes.Split(bytes.TrimSpace(said), []byte("\n"))
		check := journal.Check{}
		if e, err := event.Parse(lines[len(lines)-1]); err == nil {
			check.Head = e.Seal.Hash
			acknowledged++
		}
		for _, f := range journal.Verify(files, check).Findings {
			begun := f.File != "" && bytes.ContainsRune(read(t, f.File), '\n') // else it has no whole line yet
			if f.Fault != journal.Unsealed && (f.Fault != journal.NoLog || begun) {
				t.Fatalf("kill %d: %+v", i, f)
			}
		}
		if i%20 == 19 {
			cfg.Warn = func(string) {}
			record(t, cfg, 1)
			files, _ = filepath.Glob(cfg.File + ".0*")
			whole(t, append(files, cfg.File)...)
		}
	}
	if acknowledged < kills/10 {
		t.Errorf("only %d of %d said that a seal is on the disk", acknowledged, kills)
	}
}

// disk is a small one of its own.
func disk(t *testing.T, bytes int) string {
	t.Helper()
	kerneltest.NeedRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("ipctrace-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// TestDiskFull: recording pauses, and goes on when there is room. What was lost
// meanwhile is said, in its place, also when nothing but the end comes behind it.
func TestDiskFull(t *testing.T) {
	t.Run("more comes", func(t *testing.T) { diskFull(t, 100) })
	t.Run("nothing comes", func(t *testing.T) { diskFull(t, 0) })
}

func diskFull(t *testing.T, more int) {
	dir := disk(t, 1<<20)
	var told warnings
	cfg := config(t)
	cfg.File, cfg.Warn, cfg.Queue = filepath.Join(dir, "trace.jsonl"), told.add, 64<<10
	j := begin(t, cfg)
	write(t, j, start())
	n := 0
	for ; len(told.all()) == 0; n++ {
		write(t, j, create(n+1))
	}
	for range 1000 { // there is no room for these
		n++
		write(t, j, create(n))
	}
	if text := told.all(); len(text) != 1 || !strings.Contains(text[0], "no space left on device: recording pauses") {
		t.Errorf("%q", text)
	}
	await(t, func() bool { // no half a line stays on the full disk: each try leaves one for a moment
		text := read(t, cfg.File)
		return text[len(text)-1] == '\n'
	})
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT, "size=16777216"))
	if more > 0 {
		await(t, func() bool { return len(told.all()) == 2 })
	}
	for range more {
		n++
		write(t, j, create(n))
	}
	write(t, j, stop(uint64(n)))
	must(t, j.Close())
	r := whole(t, cfg.File)
	if r.Lost.Output == 0 || r.Events+r.Lost.Output != uint64(n) {
		t.Errorf("%d events + %d lost, want %d", r.Events, r.Lost.Output, n)
	}
	total := j.Stop()
	if total.Dropped != r.Lost.Output || total.Written != r.Events || total.Delivered != total.Written+total.Dropped {
		t.Errorf("%+v", total)
	}
	lossInPlace(t, events(t, cfg.File), n)
}

// lossInPlace holds what each loss says against the objects, which are numbered
// from 1 to last, that are missing there.
func lossInPlace(t *testing.T, all []*event.Event, last int) {
	t.Helper()
	for i, e := range all {
		if e.Lost == nil {
			continue
		}
		next := int32(last + 1)
		if at := slices.IndexFunc(all[i:], func(e *event.Event) bool { return e.Object != nil }); at >= 0 {
			next = *all[i+at].Object.ID
		}
		if missing := uint64(next - lastObject(all[:i]) - 1); missing != e.Lost.Count {
			t.Errorf("%d lost by the log, %d objects are missing there", e.Lost.Count, missing)
		}
	}
}

// lastObject is the id of the last object in events.
func lastObject(all []*event.Event) int32 {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Object != nil {
			return *all[i].Object.ID
		}
	}
	return 0
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestDiskStaysFull: then the end says how much is missing, and the log is whole
// as far as it goes.
func TestDiskStaysFull(t *testing.T) {
	dir := disk(t, 1<<20)
	var told warnings
	cfg := config(t)
	cfg.File, cfg.Warn, cfg.Queue = filepath.Join(dir, "trace.jsonl"), told.add, 64<<10
	j := begin(t, cfg)
	write(t, j, start())
	for n := 1; len(told.all()) == 0; n++ {
		write(t, j, create(n))
	}
	write(t, j, stop(0))
	if err := j.Close(); err == nil || !strings.Contains(err.Error(), "lines could not be written") {
		t.Error(err)
	}
	for _, f := range journal.Verify([]string{cfg.File}, journal.Check{}).Findings {
		if f.Fault != journal.Unsealed || strings.Contains(f.Text, "half a line") {
			t.Errorf("%+v", f)
		}
	}
}

// TestSlowReader: who reads a pipe slowly loses events, counted, and holds up
// nobody.
func TestSlowReader(t *testing.T) {
	cfg := config(t)
	must(t, unix.Mkfifo(cfg.File, 0o600))
	cfg.Queue = 64 << 10
	lines := make(chan []byte)
	proceed := make(chan bool)
	f, err := os.OpenFile(cfg.File, os.O_RDONLY|unix.O_NONBLOCK, 0)
	must(t, err)
	go func() {
		defer close(lines)
		defer f.Close()
		<-proceed
		r := bufio.NewReader(f)
		for {
			line, err := r.ReadBytes('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			lines <- line
		}
	}()
	j := begin(t, cfg)
	write(t, j, start())
	const n = 20000
	for i := range n {
		write(t, j, create(i+1))
	}
	close(proceed)
	var all []*event.Event
	done := make(chan bool)
	go func() {
		defer close(done)
		for line := range lines {
			if e, err := event.Parse(line); err == nil {
				all = append(all, e)
			}
		}
	}()
	write(t, j, stop(n))
	must(t, j.Close())
	<-done
	var lost uint64
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			t.Fatalf("line %d has seq %d", i+1, e.Seq)
		}
		if e.Lost != nil {
			lost += e.Lost.Count
		}
	}
	if created := count(all, event.ObjectCreate); lost == 0 || uint64(created)+lost != n {
		t.Errorf("%d + %d lost, want %d", created, lost, n)
	}
}

// TestReaderGone: that ends the log.
func TestReaderGone(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer w.Close()
	cfg := config(t)
	cfg.File, cfg.Out = "", w
	j := begin(t, cfg)
	write(t, j, start())
	r.Close()
	await(t, func() bool { return errors.Is(j.Write(create(1)), unix.EPIPE) })
	if err := j.Close(); !errors.Is(err, unix.EPIPE) {
		t.Error(err)
	}
}

// TestReopen: where logrotate has moved the file another begins; where nobody has,
// none does.
func TestReopen(t *testing.T) {
	cfg := config(t)
	j := begin(t, cfg)
	write(t, j, start(), create(1))
	j.Reopen()
	write(t, j, create(2))
	time.Sleep(10 * time.Millisecond)
	must(t, os.Rename(cfg.File, cfg.File+".1"))
	write(t, j, create(3))
	j.Reopen()
	await(t, func() bool { _, err := os.Stat(cfg.File); return err == nil })
	write(t, j, create(4), stop(4))
	must(t, j.Close())
	r := whole(t, cfg.File+".1", cfg.File)
	if r.Events != 4 || r.Files != 2 || !r.Ended {
		t.Errorf("%+v", r)
	}
	if log := events(t, cfg.File)[0].Start.Log; log.Part != 2 {
		t.Errorf("%+v", log)
	}
}

// TestAstray: that the file was deleted is told once.
func TestAstray(t *testing.T) {
	cfg := config(t)
	var told warnings
	cfg.Warn = told.add
	j := begin(t, cfg)
	write(t, j, start())
	must(t, os.Remove(cfg.File))
	for n := range 3000 {
		write(t, j, create(n+1))
	}
	must(t, j.Close())
	if text := told.all(); len(text) != 1 || !strings.Contains(text[0], "send SIGHUP") {
		t.Errorf("%q", text)
	}
}

// TestClockSteps: a clock that is set back or forth neither breaks the chain nor
// lets parts begin one after the other.
func TestClockSteps(t *testing.T) {
	cfg := config(t)
	step := time.Duration(0)
	cfg.RotateEvery = time.Hour
	cfg.Now = func() (time.Time, time.Duration) { return began.Add(step), 0 }
	j := begin(t, cfg)
	write(t, j, start())
	for n, s := range []time.Duration{0, -24 * time.Hour, 0, 48 * time.Hour, 48 * time.Hour, 0} {
		step = s
		for i := range 1500 {
			e := create(1500*n + i + 1)
			e.Time = began.Add(step)
			write(t, j, e)
		}
	}
	write(t, j, stop(9000))
	must(t, j.Close())
	parts, _ := filepath.Glob(cfg.File + ".*")
	if r := whole(t, append(parts, cfg.File)...); len(parts) != 1 || r.Events != 9000 {
		t.Errorf("%v: %+v", parts, r)
	}
}

// TestReopenAfterRotation: that the file was moved while a rotation was on its way
// stops nothing.
func TestReopenAfterRotation(t *testing.T) {
	cfg := config(t)
	cfg.RotateSize = 300 << 10
	cfg.Warn = func(string) {}
	j := begin(t, cfg)
	write(t, j, start())
	moved := 0
	for n := range 5000 {
		write(t, j, create(n+1))
		if n%500 != 0 {
			continue
		}
		if os.Rename(cfg.File, fmt.Sprintf("%s.moved%d", cfg.File, moved)) == nil {
			moved++
		}
		j.Reopen()
	}
	write(t, j, stop(5000))
	must(t, j.Close())
	files, _ := filepath.Glob(cfg.File + "*")
	if r := whole(t, files...); r.Events != 5000 || !r.Ended {
		t.Errorf("%+v", r)
	}
}

// TestReaderGoneCounted: who goes on giving to a log that has ended loses that, and
// what waited, and it is counted.
func TestReaderGoneCounted(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer w.Close()
	cfg := config(t)
	cfg.File, cfg.Out, cfg.Hasty = "", w, true
	j := begin(t, cfg)
	write(t, j, start())
	r.Close()
	given := uint64(0)
	await(t, func() bool { given++; return errors.Is(j.Write(create(int(given))), unix.EPIPE) })
	for range 10 {
		given++
		_ = j.Write(create(int(given)))
	}
	if c := j.Counts(); c.Waiting != 0 || c.Written+c.Dropped != given {
		t.Errorf("%d given: %+v", given, c)
	}
	_ = j.Close()
}

// TestReopenBetween: who asks for another file between two streams gets it with the next.
func TestReopenBetween(t *testing.T) {
	cfg := config(t)
	j := begin(t, cfg)
	write(t, j, start(), create(1), stop(1))
	await(t, func() bool { return j.Counts().Waiting == 0 })
	must(t, os.Rename(cfg.File, cfg.File+".old"))
	j.Reopen()
	time.Sleep(50 * time.Millisecond) // it has been heard by then, and can have been forgotten
	write(t, j, start(), create(1))
	await(t, func() bool { _, err := os.Stat(cfg.File); return err == nil })
	write(t, j, stop(1))
	must(t, j.Close())
	if r := whole(t, cfg.File+".old", cfg.File); r.Broken > 0 || !r.Ended {
		t.Errorf("%+v", r)
	}
}
