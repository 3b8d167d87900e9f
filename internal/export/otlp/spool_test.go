package otlp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipctrace/ipctrace/internal/export/otlp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// away is a collector that nobody is at.
const away = "http://127.0.0.1:1"

func spooled(t testing.TB, cfg otlp.Config) otlp.Config {
	if cfg.Spool == "" {
		cfg.Spool = filepath.Join(t.TempDir(), "spool")
	}
	if cfg.Warn == nil {
		cfg.Warn = func(string) {}
	}
	return cfg
}

// TestAway: what comes while nobody takes it waits on disk, far more than memory
// holds, and is sent in order when somebody does.
func TestAway(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(status(http.StatusServiceUnavailable))
	var told warnings
	o := open(t, spooled(t, otlp.Config{Endpoint: s.URL, Queue: 5000, Warn: told.add}))
	write(t, o, start())
	writeObjects(t, o, 1, 9000)
	eventually(t, o, "spool", func(c otlp.Counts) bool { return c.Spooled == 9000 })
	s.setAnswer(nil)
	writeObjects(t, o, 9000, 12000)
	eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Delivered == 12000 })
	must(t, closeWithin(t, o, time.Minute))
	if twice := inOrder(t, s.all(), 12000, 512); twice != 0 {
		t.Errorf("%d twice", twice)
	}
	if c := balanced(t, o); c.Produced != 12000 {
		t.Errorf("%+v", c)
	}
	text := strings.Join(told.all(), "\n")
	if strings.Count(text, "they wait in the spool") != 1 || strings.Count(text, "takes events again") != 1 {
		t.Errorf("%s", text)
	}
}

// TestAnswerLost: a collector that has taken a request, and could not say so, gets it
// twice; nothing else.
func TestAnswerLost(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(func(n int, _ []record) (int, *reply) {
		if n%3 == 0 {
			return answerLost, nil
		}
		return http.StatusOK, nil
	})
	o := open(t, spooled(t, otlp.Config{Endpoint: s.URL}))
	write(t, o, start())
	writeObjects(t, o, 1, 6000)
	eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Delivered == 6000 })
	must(t, closeWithin(t, o, time.Minute))
	if twice := inOrder(t, s.all(), 6000, 512); twice == 0 {
		t.Error("none came twice: no answer was lost")
	}
}

// TestSlow: a collector that takes events slower than they come is behind, and nothing
// is lost.
func TestSlow(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(func(int, []record) (int, *reply) {
		time.Sleep(10 * time.Millisecond)
		return http.StatusOK, nil
	})
	o := open(t, spooled(t, otlp.Config{Endpoint: s.URL, Queue: 4096, Batch: 100, Warn: func(text string) { t.Errorf("unexpected: %s", text) }}))
	write(t, o, start())
	writeObjects(t, o, 1, 8000)
	s.setAnswer(nil)
	must(t, closeWithin(t, o, time.Minute))
	inOrder(t, s.all(), 8000, 0)
	if c := balanced(t, o); c.Delivered != 8000 {
		t.Errorf("%+v", c)
	}
}

// TestRestart: what is left is in the spool, and is sent first by who comes next, with
// the stream it is of.
func TestRestart(t *testing.T) {
	clearEnv(t)
	var told warnings
	cfg := spooled(t, otlp.Config{Endpoint: away, Warn: told.add})
	o := open(t, cfg)
	write(t, o, start())
	writeObjects(t, o, 1, 3000)
	must(t, closeWithin(t, o, 10*time.Second))
	if c := balanced(t, o); c.Spooled != 3000 {
		t.Fatalf("%+v", c)
	}
	if all := told.all(); !strings.Contains(all[len(all)-1], "3000 events wait in the spool") {
		t.Errorf("%q", all)
	}
	s := newSink(t)
	cfg.Endpoint = s.URL
	cfg.Warn = func(text string) { t.Errorf("unexpected: %s", text) }
	o = open(t, cfg)
	write(t, o, start(), create(1))
	must(t, closeWithin(t, o, time.Minute))
	got := s.all()
	inOrder(t, got[:3000], 3000, 0)
	inOrder(t, got[3000:], 2, 0)
	if got[0].stream() == got[3000].stream() {
		t.Error("one stream")
	}
	if c := balanced(t, o); c.Produced != 3002 || c.Delivered != 3002 {
		t.Errorf("%+v", c)
	}
}

// TestSpoolFull: then what finds no room in memory either is lost, counted, and told
// in its place.
func TestSpoolFull(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	s.setAnswer(status(http.StatusServiceUnavailable))
	var told warnings
	o := open(t, spooled(t, otlp.Config{Endpoint: s.URL, Queue: 1000, SpoolBytes: 256 << 10, Warn: told.add}))
	write(t, o, start())
	for n := 1; n < 5000; n++ {
		write(t, o, create(n))
		if n%500 == 0 {
			time.Sleep(20 * time.Millisecond) // else memory alone may overflow
		}
	}
	eventually(t, o, "full spool", func(c otlp.Counts) bool { return c.Spooled > 0 && c.Waiting > 0 && c.Lost[otlp.LostSpool] > 0 })
	s.setAnswer(nil)
	eventually(t, o, "delivery", func(c otlp.Counts) bool { return c.Waiting+c.Spooled == 0 })
	write(t, o, create(5000))
	must(t, closeWithin(t, o, time.Minute))
	c := balanced(t, o)
	got := s.all()
	inOrder(t, got, int64(c.Delivered), 0)
	var lost int64
	for _, r := range got {
		lost += r.attribute("ipc.lost.count").GetIntValue()
	}
	if lost != int64(c.Lost[otlp.LostSpool]+c.Lost[otlp.LostQueue]) || lost == 0 {
		t.Errorf("%d told: %+v", lost, c)
	}
	if text := strings.Join(told.all(), "\n"); strings.Count(text, "the spool is full: what does not fit into memory is lost") != 1 {
		t.Errorf("%s", text)
	}
}

// TestSpoolDiskFull: a disk that is full is a spool that is.
func TestSpoolDiskFull(t *testing.T) {
	clearEnv(t)
	kerneltest.NeedRoot(t)
	dir := t.TempDir()
	must(t, unix.Mount("ipctrace-test", dir, "tmpfs", 0, "size=262144,mode=0700"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	s := newSink(t)
	s.setAnswer(status(http.StatusServiceUnavailable))
	var told warnings
	o := open(t, spooled(t, otlp.Config{Endpoint: s.URL, Queue: 1000, Spool: filepath.Join(dir, "spool"), Warn: told.add}))
	write(t, o, start())
	for n := 1; n < 5000; n++ {
		write(t, o, create(n))
	}
	eventually(t, o, "full disk", func(c otlp.Counts) bool {
		return c.Spooled > 0 && strings.Contains(strings.Join(told.all(), "\n"), "no space left on device")
	})
	s.setAnswer(nil)
	must(t, closeWithin(t, o, time.Minute))
	c := balanced(t, o)
	inOrder(t, s.all(), int64(c.Delivered), 0)
	if c.Lost[otlp.LostSpool]+c.Lost[otlp.LostQueue] == 0 || c.Waiting+c.Spooled != 0 {
		t.Errorf("%+v", c)
	}
}

// TestDamagedSpool: what is no event in it is lost, counted, and told.
func TestDamagedSpool(t *testing.T) {
	clearEnv(t)
	cfg := spooled(t, otlp.Config{Endpoint: away})
	o := open(t, cfg)
	write(t, o, start(), create(1), create(2))
	must(t, closeWithin(t, o, 10*time.Second))
	files, _ := filepath.Glob(filepath.Join(cfg.Spool, "*.spool"))
	text, err := os.ReadFile(files[0])
	must(t, err)
	must(t, os.WriteFile(files[0], text[:len(text)-9], 0o600))
	s := newSink(t)
	cfg.Endpoint = s.URL
	o = open(t, cfg)
	write(t, o, start())
	must(t, closeWithin(t, o, time.Minute))
	if c := balanced(t, o); c.Produced != 5 || c.Delivered != 4 || c.Lost[otlp.LostSpool] != 1 {
		t.Errorf("%+v", c)
	}
	var names []string
	for _, r := range s.all() {
		names = append(names, r.EventName)
	}
	same(t, names, []string{"ipctrace.trace.start", "ipctrace.object.create", "ipctrace.trace.start", "ipctrace.trace.lost"})
}

// sendInto makes this test binary a sender to nobody, in its environment.
const sendInto = "IPCTRACE_TEST_SEND_INTO"

// sendUntilKilled says on stdout how many are in the spool.
func sendUntilKilled(dir string) {
	o, err := otlp.Open(context.Background(), otlp.Config{Endpoint: away, Spool: dir, Delay: time.Millisecond, Warn: func(string) {}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = o.Write(start())
	for n := 1; ; n++ {
		_ = o.Write(create(n))
		if n%100 == 0 {
			time.Sleep(time.Millisecond)
			fmt.Println(o.Counts().Spooled)
		}
	}
}

// TestKilled: what was in the spool when its program was killed is sent by the next.
func TestKilled(t *testing.T) {
	clearEnv(t)
	self, err := os.Executable()
	must(t, err)
	cfg := spooled(t, otlp.Config{})
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), sendInto+"="+cfg.Spool)
	var complained bytes.Buffer
	cmd.Stderr = &complained
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said := bufio.NewScanner(out)
	last := 0
	for last < 2000 && said.Scan() {
		fmt.Sscan(said.Text(), &last)
	}
	must(t, cmd.Process.Kill())
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if last < 2000 {
		t.Fatalf("%d in the spool: %s", last, complained.String())
	}
	s := newSink(t)
	cfg.Endpoint = s.URL
	o := open(t, cfg)
	must(t, closeWithin(t, o, time.Minute))
	c := balanced(t, o)
	if c.Delivered < uint64(last) {
		t.Errorf("%d were in the spool: %+v", last, c)
	}
	inOrder(t, s.all()[:last], int64(last), 0)
}

// TestSpilledInFlight: events that are being sent when memory is emptied into the spool
// are older than the others there, and are done with when they are taken.
func TestSpilledInFlight(t *testing.T) {
	clearEnv(t)
	s := newSink(t)
	arrived, let := make(chan bool, 1), make(chan bool)
	s.setAnswer(func(n int, _ []record) (int, *reply) {
		if n == 1 {
			arrived <- true
			<-let
		}
		return http.StatusOK, nil
	})
	o := open(t, spooled(t, otlp.Config{Endpoint: s.URL, Queue: 1000, Batch: 100}))
	write(t, o, start())
	for n := 1; n < 100; n++ {
		write(t, o, create(n))
	}
	<-arrived
	for n := 100; n < 500; n++ {
		write(t, o, create(n))
	}
	eventually(t, o, "spool", func(c otlp.Counts) bool { return c.Spooled >= 250 })
	close(let)
	must(t, closeWithin(t, o, time.Minute))
	if twice := inOrder(t, s.all(), 500, 0); twice != 0 {
		t.Errorf("%d twice", twice)
	}
	if c := balanced(t, o); c.Delivered != 500 {
		t.Errorf("%+v", c)
	}
}
