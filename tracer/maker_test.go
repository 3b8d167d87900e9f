package tracer_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// result is a line of internal/ipcmaker: the caller's own word on what it did.
type result struct {
	Call  string
	Key   int32
	Size  uint64
	NSems int32
	Flags int32
	ID    int32
	Errno int
	PID   int
	TID   int
	NS    uint64

	Kind    string
	Child   int
	FD      int
	Mode    uint32
	MaxMsg  int64
	MsgSize int64
	Name    string
	Path    string
	Inode   uint64
}

// maker is a run of internal/ipcmaker.
type maker struct {
	pid     int // as the test sees it
	results []result
}

// run runs ipcmaker to its end.
func run(t *testing.T, attr *unix.SysProcAttr, path string, args ...string) maker {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.SysProcAttr = attr
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("ipcmaker %q: %v: %s", args, err, exit.Stderr)
		}
		t.Fatalf("ipcmaker %q: %v", args, err)
	}
	m := maker{pid: cmd.Process.Pid}
	m.parse(t, out)
	return m
}

// waiting starts ipcmaker with -wait; begin lets it make its calls and waits for
// its end.
func waiting(t *testing.T, path string, args ...string) (m *maker, begin func()) {
	t.Helper()
	m = &maker{}
	cmd := exec.Command(path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.pid = cmd.Process.Pid
	return m, func() {
		t.Helper()
		stdin.Write([]byte{'\n'})
		if err := cmd.Wait(); err != nil {
			t.Fatalf("ipcmaker %q: %v: %s", args, err, stderr.Bytes())
		}
		m.parse(t, stdout.Bytes())
	}
}

// session is an ipcmaker that pauses.
type session struct {
	maker
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// begin starts ipcmaker; its output is read line by line, until end.
func begin(t *testing.T, path string, args ...string) *session {
	t.Helper()
	s := &session{t: t, cmd: exec.Command(path, args...)}
	s.cmd.Stderr = os.Stderr
	stdout, err := s.cmd.StdoutPipe()
	if err == nil {
		s.stdin, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() }) // if the test ended before
	s.pid, s.lines = s.cmd.Process.Pid, bufio.NewScanner(stdout)
	return s
}

// read reads the results of n calls more: ipcmaker tells them when it pauses.
func (s *session) read(n int) []result {
	s.t.Helper()
	for range n {
		if !s.lines.Scan() {
			s.t.Fatalf("ipcmaker %q: only %d results", s.cmd.Args, len(s.results))
		}
		s.parse(s.t, s.lines.Bytes())
	}
	return s.results[len(s.results)-n:]
}

// resume ends a pause.
func (s *session) resume() {
	_, _ = s.stdin.Write([]byte{'\n'})
}

// end ends the last pause, and waits for the end of it all.
func (s *session) end() {
	s.t.Helper()
	s.resume()
	for s.lines.Scan() {
		s.parse(s.t, s.lines.Bytes())
	}
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("ipcmaker %q: %v", s.cmd.Args, err)
	}
}

func (m *maker) parse(t *testing.T, out []byte) {
	t.Helper()
	for line := range bytes.Lines(out) {
		var r result
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("ipcmaker: %v in %q", err, line)
		}
		m.results = append(m.results, r)
	}
}

// trace opens a tracer, lets work make its calls, and gives what was told. Where
// that is not complete, and the kernel says that it skipped hooks, nothing is
// certain: then it does all of it again, a few times.
func trace(
	t *testing.T, cfg tracer.Config, work func(), complete func([]tracer.Event) bool,
) (events []tracer.Event, stats tracer.Stats) {
	t.Helper()
	const attempts = 15
	for range attempts {
		events, stats = traceOnce(t, cfg, work)
		if stats.Skipped == 0 || complete(events) {
			break
		}
		t.Logf("the kernel skipped %d runs of hooks: again", stats.Skipped)
	}
	return events, stats
}

// number is complete once there are n events of m's process.
func (m *maker) number(n int) func([]tracer.Event) bool {
	return func(events []tracer.Event) bool { return len(of(events, m.pid)) == n }
}

// traceOnce is trace for work that cannot be done again, or whose outcome nobody
// can tell to be complete.
func traceOnce(t *testing.T, cfg tracer.Config, work func()) ([]tracer.Event, tracer.Stats) {
	t.Helper()
	return record(t, cfg, func(*recording) { work() })
}

// recording is what a tracer has told so far.
type recording struct {
	tracer *tracer.Tracer

	mu     sync.Mutex
	events []tracer.Event
}

func (r *recording) add(e tracer.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// await waits for what the kernel does when it comes to it, like ending a
// namespace. If that does not come, what is told shows it.
func (r *recording) await(done func([]tracer.Event) bool) {
	const patience = 10 * time.Second
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r.mu.Lock()
		ok := done(r.events)
		r.mu.Unlock()
		if ok {
			return
		}
	}
}

// record is traceOnce for work that looks at what was told so far.
func record(t *testing.T, cfg tracer.Config, work func(*recording)) ([]tracer.Event, tracer.Stats) {
	t.Helper()
	tr, err := tracer.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := recording{tracer: tr}
	var wg sync.WaitGroup
	wg.Go(func() {
		for e, err := range tr.Events() {
			if errors.Is(err, tracer.ErrSkipped) {
				t.Log(err) // what is missing shows in the events
				continue
			}
			if err != nil {
				t.Error(err)
				continue
			}
			r.add(e)
		}
	})
	work(&r)
	tr.Stop()
	wg.Wait()
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	s := tr.Stats()
	if s.Delivered+s.Lost != s.Produced || s.Delivered != uint64(len(r.events)) {
		t.Errorf("%d events told, but %+v", len(r.events), s)
	}
	return r.events, s
}

// of picks the calls of one process that got an object, or failed to.
func of(events []tracer.Event, pid int) []tracer.Event {
	var mine []tracer.Event
	for _, e := range events {
		if int(e.PID) == pid && e.Action.Call() {
			mine = append(mine, e)
		}
	}
	return mine
}

// key is a key that nobody else uses: it holds this process's number.
var nextKey = int32(time.Now().UnixNano()&0xfff)<<16 | 1<<30

func key() int32 {
	nextKey++
	return nextKey
}
