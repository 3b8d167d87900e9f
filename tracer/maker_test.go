package tracer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
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
}

// maker is a run of internal/ipcmaker.
type maker struct {
	pid     int // as the test sees it
	results []result
}

// make32 and make64 are the paths of ipcmaker, for this machine's ABI and for
// its 32-bit one. The kernel matrix brings them along; elsewhere they are built.
var (
	make64 = build("IPCTRACE_MAKER", runtime.GOARCH)
	make32 = build("IPCTRACE_MAKER32", map[string]string{"amd64": "386", "arm64": "arm"}[runtime.GOARCH])
)

func build(env, arch string) func(*testing.T) string {
	path := sync.OnceValues(func() (string, error) {
		if path := os.Getenv(env); path != "" {
			return path, nil
		}
		cache, err := os.UserCacheDir() // root executes it: nobody else may write there
		if err != nil {
			return "", err
		}
		path := filepath.Join(cache, "ipctrace", "ipcmaker-"+arch)
		cmd := exec.Command("go", "build", "-o", path, "../internal/ipcmaker")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", errors.New(string(out))
		}
		return path, nil
	})
	return func(t *testing.T) string {
		t.Helper()
		p, err := path()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
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

// trace opens a tracer, lets work make its calls, and gives what was told.
func trace(t *testing.T, cfg tracer.Config, work func()) ([]tracer.Event, tracer.Stats) {
	t.Helper()
	tr, err := tracer.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var events []tracer.Event
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
			events = append(events, e)
		}
	})
	work()
	tr.Stop()
	wg.Wait()
	if err := tr.Close(); err != nil {
		t.Error(err)
	}
	s := tr.Stats()
	if s.Delivered+s.Lost != s.Produced || s.Delivered != uint64(len(events)) {
		t.Errorf("%d events told, but %+v", len(events), s)
	}
	return events, s
}

// of picks the events of one process.
func of(events []tracer.Event, pid int) []tracer.Event {
	var mine []tracer.Event
	for _, e := range events {
		if int(e.PID) == pid {
			mine = append(mine, e)
		}
	}
	return mine
}

// tiers that this kernel has. That there is one at all is what the tests begin
// with.
var tiers = sync.OnceValue(func() []tracer.Tier {
	var have []tracer.Tier
	for _, tier := range []tracer.Tier{tracer.Fentry, tracer.Syscall} {
		if t, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: 1 << 16}); err == nil {
			t.Close()
			have = append(have, tier)
		}
	}
	return have
})

// eachTier runs a test on every tier that this kernel has, as root.
func eachTier(t *testing.T, test func(*testing.T, tracer.Tier)) {
	t.Helper()
	needRoot(t)
	if len(tiers()) == 0 {
		_, err := tracer.Open(tracer.Config{})
		t.Fatalf("no tier attaches: %v", err)
	}
	for _, tier := range tiers() {
		t.Run(tier.String(), func(t *testing.T) { test(t, tier) })
	}
}

// needRoot skips where nothing can be loaded; in CI that is a failure.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("needs root")
	}
	t.Skip("needs root: make test-root")
}

// key is a key that nobody else uses: it holds this process's number.
var nextKey = int32(time.Now().UnixNano()&0xfff)<<16 | 1<<30

func key() int32 {
	nextKey++
	return nextKey
}
