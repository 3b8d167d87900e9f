package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/eventtest"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this binary the command ipctrace too, and puts it in PATH.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ipctrace": main, droppedName: dropped, panicName: panics})
}

// TestScript is the manual that runs: testdata/*.txtar.
func TestScript(t *testing.T) {
	kerneltest.NeedRoot(t)
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: keepRaceOptions,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
	})
}

// keepRaceOptions hands on those of the race detector: a script has an environment of
// its own.
func keepRaceOptions(env *testscript.Env) error {
	env.Setenv("GORACE", os.Getenv("GORACE"))
	return nil
}

// exits N COMMAND… runs a command and wants that exit status. What the command
// printed is what stdout and stderr look at.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status command…")
	}
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d, want %s", status, args[0])
	}
}

// session is a running ipctrace.
type session struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *os.File // the reading end; nil where the test gave its own
	stderr *bytes.Buffer
	said   chan struct{} // closed when stderr has ended
}

// begin starts ipctrace and waits until it has attached.
func begin(t *testing.T, stdout *os.File, args ...string) *session {
	t.Helper()
	return beginCmd(t, exec.Command("ipctrace", args...), stdout)
}

func beginCmd(t *testing.T, cmd *exec.Cmd, stdout *os.File) *session {
	t.Helper()
	s := &session{t: t, cmd: cmd, stderr: &bytes.Buffer{}, said: make(chan struct{})}
	if stdout == nil {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { read.Close() })
		s.stdout, stdout = read, write
		defer write.Close()
	}
	cmd.Stdout = stdout
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	attached := make(chan bool, 1)
	go func() {
		defer close(s.said)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			s.stderr.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "attached") {
				attached <- true
			}
		}
		attached <- false
	}()
	if !<-attached {
		_ = cmd.Wait()
		t.Fatalf("%q did not attach: %s", cmd.Args, s.stderr)
	}
	return s
}

// interrupt is Ctrl-C.
func (s *session) interrupt() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		s.t.Fatal(err)
	}
}

// output is all of stdout, to its end.
func (s *session) output() []byte {
	s.t.Helper()
	out, err := io.ReadAll(s.stdout)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// status waits for the end and gives the exit status; -1 for a signal.
func (s *session) status() int {
	s.t.Helper()
	hang := time.AfterFunc(2*time.Minute, func() { _ = s.cmd.Process.Kill() })
	defer hang.Stop()
	<-s.said
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

// events reads a stream.
func events(t *testing.T, out []byte) []*event.Event {
	t.Helper()
	var all []*event.Event
	for line := range bytes.Lines(out) {
		all = append(all, parse(t, line))
	}
	checkStream(t, all)
	return all
}

// parse reads a line, which is as the contract has it.
func parse(t *testing.T, line []byte) *event.Event {
	t.Helper()
	eventtest.Check(t, line)
	e, err := event.Parse(line)
	if err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return e
}

// checkStream checks what holds for every stream.
func checkStream(t *testing.T, all []*event.Event) {
	t.Helper()
	for i, e := range all {
		if e.Seq != uint64(i+1) {
			t.Errorf("line %d has seq %d", i+1, e.Seq)
		}
	}
	if len(all) < 2 || all[0].Event != event.TraceStart || all[len(all)-1].Event != event.TraceStop {
		t.Fatalf("no trace.start … trace.stop: %+v", all)
	}
	stop := all[len(all)-1].Stop
	if stop.Produced != stop.Delivered+stop.Lost || stop.Delivered != stop.Written+stop.Filtered {
		t.Errorf("totals do not add up: %+v", stop)
	}
}

// by picks the events of one process.
func by(all []*event.Event, pid int) []*event.Event {
	var mine []*event.Event
	for _, e := range all {
		if e.Process != nil && int(e.Process.PID) == pid {
			mine = append(mine, e)
		}
	}
	return mine
}

// calls picks those of its calls that got an object, or failed to.
func calls(all []*event.Event, pid int) []*event.Event {
	return slices.DeleteFunc(by(all, pid), func(e *event.Event) bool {
		return !slices.Contains([]event.Type{event.ObjectCreate, event.ObjectOpen, event.ObjectGet, event.ObjectFail}, e.Event)
	})
}

// made is a line of internal/ipcmaker.
type made struct {
	Call  string
	ID    int32
	NS    uint64
	Errno int
}

// runMaker runs internal/ipcmaker, of this ABI or the 32-bit one.
func runMaker(t *testing.T, bits int, args ...string) (pid int, calls []made) {
	t.Helper()
	path := kerneltest.Maker64(t)
	if bits == 32 {
		path = kerneltest.Maker32(t)
	}
	cmd := exec.Command(path, args...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ipcmaker %q: %v", args, err)
	}
	for line := range bytes.Lines(out) {
		var m made
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		calls = append(calls, m)
	}
	return cmd.Process.Pid, calls
}

// unchanged fails the test if it leaves objects behind in this namespace.
func unchanged(t *testing.T) {
	t.Helper()
	before := list(t)
	t.Cleanup(func() {
		deadline := time.Now().Add(20 * time.Second)
		for { // processes that clean up after a kill have a moment
			after := list(t)
			if len(after) <= len(before) {
				return
			}
			if kerneltest.Guest() != "" { // all there is the tests' own; what the hooks missed nobody told of
				after = slices.DeleteFunc(after, func(o sysvipc.Object) bool { return slices.Contains(before, o) })
				for i := range after {
					_ = after[i].Remove()
				}
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("objects before: %v, after: %v", before, after)
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
}

func list(t *testing.T) []sysvipc.Object {
	t.Helper()
	all, err := sysvipc.Here()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
