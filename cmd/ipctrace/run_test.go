package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// ran is what came of a run: its report, and how it ended.
type ran struct {
	jsonRun
	stdout, stderr string
	status         int
}

// runCommand runs ipctrace run --json with its report in a file.
func runCommand(t *testing.T, args ...string) ran {
	t.Helper()
	return runUnder(t, nil, args...)
}

// runUnder does it with what runs ipctrace in front.
func runUnder(t *testing.T, under []string, args ...string) ran {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report")
	// Not auto, if the test does not say: it tries out hooks, which takes most of the time.
	hooks := "--hooks=" + kerneltest.Tiers()[0].String()
	line := slices.Concat(under, []string{"ipctrace", "run", hooks, "--json", "-o", file}, args)
	cmd := exec.Command(line[0], line[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r := ran{stdout: stdout.String(), stderr: stderr.String(), status: cmd.ProcessState.ExitCode()}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) { // it was not started
		return r
	}
	if err := errors.Join(err, json.Unmarshal(text, &r.jsonRun)); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return r
}

// kinds is all that was done with a kind, in all namespaces.
func (r *ran) kinds() map[string]jsonCounts {
	sum := map[string]jsonCounts{}
	for _, n := range r.Namespaces {
		for kind, c := range n.Kinds {
			s := sum[kind]
			s.Created, s.Opened, s.Got = s.Created+c.Created, s.Opened+c.Opened, s.Got+c.Got
			s.Removed, s.Failed = s.Removed+c.Removed, s.Failed+c.Failed
			sum[kind] = s
		}
	}
	return sum
}

// sure says whether the kernel skipped hooks: then nothing is.
func (r *ran) sure() bool { return r.Lost.AtMost == 0 }

// eachTierRun runs a test with each tier that this kernel has; what it returns
// are the flags.
func eachTierRun(t *testing.T, test func(t *testing.T, hooks string)) {
	t.Helper()
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) { test(t, "--hooks="+tier.String()) })
}

// runHeld runs a command that says "ready" and goes on until the end of its stdin,
// which comes when meanwhile has returned.
func runHeld(t *testing.T, meanwhile func(), args ...string) (r ran) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report")
	cmd := exec.Command("ipctrace", append([]string{"run", "--json", "-o", file}, args...)...)
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	awaitLine(t, stdout, "ready")
	meanwhile()
	stdin.Close()
	_ = cmd.Wait()
	r.status = cmd.ProcessState.ExitCode()
	text, err := os.ReadFile(file)
	if err := errors.Join(err, json.Unmarshal(text, &r.jsonRun)); err != nil {
		t.Fatal(err)
	}
	return r
}

// noteFile is of queues that the syscall tier cannot tell from strangers' files.
const noteFile = "others may have made it as a file, which the hooks do not see"

// ownName is of a queue that no other run of the tests has left.
func ownName(name string) string { return fmt.Sprintf("ipctrace-%s-%d", name, os.Getpid()) }

// isSyscall says whether a test that eachTierRun runs has the syscall tier.
func isSyscall(hooks string) bool { return strings.HasSuffix(hooks, tracer.Syscall.String()) }

// TestKernelRunLeaks: what is left behind is told and, if asked, removed; but not a
// queue of which the hooks cannot tell who made it. The other witness is the
// kernel's own list.
func TestKernelRunLeaks(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		before := list(t)
		made, got, gone := ownName("made"), ownName("got"), ownName("gone")
		defer runMaker(t, 64, "keep", "mq_unlink:"+made, "mq_unlink:"+got) // also where they were not told
		leak := []string{hooks, "--fail-on-leak=5", "--", maker, "keep", "msgget:0:0600", "shmget:0:5000:0640", "semget:0:3:0600",
			"msgget:0:0600", "rmid:msg", "mq_open:" + made + ":0302:0600:3:64", "mq_open:" + gone + ":0302", "mq_unlink:" + gone,
			"mq_open:" + got + ":0102:0600"}
		left, queues := 5, jsonCounts{Created: 3, Removed: 1}
		if isSyscall(hooks) {
			left, queues = 4, jsonCounts{Created: 2, Got: 1, Removed: 1}
		}
		r := runCommand(t, leak...)
		want := map[string]jsonCounts{"msg": {Created: 2, Removed: 1}, "shm": {Created: 1}, "sem": {Created: 1}, "mq": queues}
		diff := cmp.Diff(want, r.kinds())
		if (diff != "" || len(r.Left) != left || len(r.Doubt) != 5-left || r.status != exitFinding) && r.sure() {
			t.Errorf("exit status %d, left %+v, in doubt %+v\n%s", r.status, r.Left, r.Doubt, diff)
		}
		if after := list(t); len(after) != len(before)+3 {
			t.Errorf("%d objects before, %d after", len(before), len(after))
		}
		for _, o := range r.Left {
			var remove string
			switch o.Object.Kind {
			case "msg":
				remove = fmt.Sprintf("ipcrm -q %d", *o.Object.ID)
			case "shm":
				remove = fmt.Sprintf("ipcrm -m %d", *o.Object.ID)
			case "sem":
				remove = fmt.Sprintf("ipcrm -s %d", *o.Object.ID)
			case "mq":
				remove = o.Remove // depends on what is mounted: TestRunRemovalLines
			}
			if o.Remove != remove || int(o.Process.PID) != r.PID && initialPIDs() {
				t.Errorf("%+v, want %q", o, remove)
			}
			removeLeft(t, o)
		}
		if !r.sure() {
			return
		}
		removeGot(t, &r)

		// The same again, cleaned up. The queue is there again: it would be found.
		r = runCommand(t, append([]string{"--cleanup"}, leak...)...)
		for _, o := range r.Left {
			if o.Note != noteRemoved {
				t.Errorf("%+v", o)
			}
		}
		if (len(r.Left) != left || r.status != exitFinding || len(list(t)) != len(before)) && r.sure() {
			t.Errorf("exit status %d, %d left, %d objects before, %d after", r.status, len(r.Left), len(before), len(list(t)))
		}
		if r.sure() {
			removeGot(t, &r)
		}
	})
}

// removeGot removes the queues that are in doubt as they may be strangers' files. It
// fails the test where one of them is in doubt for another reason, or is not there.
func removeGot(t *testing.T, r *ran) {
	t.Helper()
	for _, o := range r.Doubt {
		if o.Object.Kind != "mq" || o.Note != noteFile {
			t.Errorf("in doubt: %+v", o)
			continue
		}
		_, calls := runMaker(t, 64, "keep", "mq_unlink:"+strings.TrimPrefix(o.Object.Name, "/"))
		if calls[0].Errno != 0 {
			t.Errorf("%s was removed: %+v", o.Object.Name, calls)
		}
	}
}

// removeLeft removes what a test has left on purpose.
func removeLeft(t *testing.T, o jsonLeft) {
	t.Helper()
	args := []string{"keep"}
	if o.Object.Kind == "mq" {
		args = append(args, "mq_unlink:"+strings.TrimPrefix(o.Object.Name, "/"))
	} else {
		args = append(args, fmt.Sprintf("rmid:%s:%d", o.Object.Kind, *o.Object.ID))
	}
	runMaker(t, 64, args...)
}

// TestRunLines: without -q each thing that the command did is a line, in the order
// of that; what strangers did meanwhile is none.
func TestRunLines(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		calls := []string{"msgget:0x697067:03600", "msgget:0x697067:0", "msgget:0x697068:0", "rmid:msg"}
		does := maker + " " + strings.Join(calls, " ") + " >&2; "
		file := filepath.Join(t.TempDir(), "lines")
		cmd := exec.Command("ipctrace", "run", hooks, "-o", file, "--", "sh", "-c", does+"echo ready; read x; "+does)
		stdin, err1 := cmd.StdinPipe()
		stdout, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		awaitLine(t, stdout, "ready")
		runMaker(t, 64, calls...)
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range regexp.MustCompile(`(?m)^[\d:.]+ object\.(\w+) .* msg .* \d+ +ipcmaker`).FindAllSubmatch(text, -1) {
			got = append(got, string(m[1]))
		}
		once := []string{"create", "open", "fail", "remove"}
		if diff := cmp.Diff(append(once, once...), got); diff != "" {
			t.Errorf("%s\n%s", diff, text)
		}
	})
}

// TestRunStatus: the exit status is the command's, but for findings that
// were asked for.
func TestRunStatus(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	maker := kerneltest.Maker64(t)
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const leak, fails = "msgget:0x697063:01600", "msgget:0x697064:0" // ENOENT
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"--", "true"}, 0},
		{[]string{"true", "--fail-on-leak"}, 0}, // the command's own
		{[]string{"--", "sh", "-c", "exit 7"}, 7},
		{[]string{"--fail-on-leak", "--", "sh", "-c", "exit 7"}, 7},
		{[]string{"--", "sh", "-c", "kill -9 $$"}, 137},
		{[]string{"--", "sh", "-c", "kill -TERM $$"}, 143},
		{[]string{"--", "/nonexistent/command"}, 127},
		{[]string{"--", "no-such-command-anywhere"}, 127},
		{[]string{"--", plain}, 126},
		{[]string{"--", t.TempDir()}, 126},
		{[]string{"--fail-on-leak", "--cleanup", "--", maker, "keep", leak}, 1},
		{[]string{"--fail-on-leak=2", "--cleanup", "--", maker, "keep", leak}, 0},
		{[]string{"--fail-on-leak", "--", maker, leak, "rmid:msg"}, 0},
		{[]string{"--fail-on-fail=EACCES,ENOENT", "--", maker, fails}, 1},
		{[]string{"--fail-on-fail=ENOSPC", "--", maker, fails}, 0},
		{[]string{"--fail-on-fail=ENOENT", "--", "sh", "-c", maker + " " + fails + "; exit 7"}, 1},
		{[]string{"--kind=shm", "--fail-on-leak", "--", maker, leak, "rmid:msg"}, 0},
	} {
		if r := runCommand(t, test.args...); r.status != test.want && r.sure() {
			t.Errorf("%q: exit status %d, want %d: %s", test.args, r.status, test.want, r.stderr)
		}
	}
	allowed := runCommand(t, "--fail-on-leak", "--leaks-allow=shm:*,0x0069*", "--cleanup", "--", maker, "keep", leak)
	if (len(allowed.Left) != 1 || !allowed.Left[0].Allowed || allowed.Left[0].Note != "" || allowed.status != 0) && allowed.sure() {
		t.Errorf("exit status %d, %+v", allowed.status, allowed.Left)
	}
	for _, o := range allowed.Left {
		removeLeft(t, o)
	}
}

// TestKernelRunTree: descendants are waited for, also orphans, wherever they are;
// what goes with its namespace is no leak.
func TestKernelRunTree(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		daemon := fmt.Sprintf("(setsid sh -c '(sleep 0.5; %s keep msgget:0:0600) & exit' &) ; exit 5", maker)
		r := runCommand(t, hooks, "--cleanup", "--", "sh", "-c", daemon)
		if (len(r.Left) != 1 || r.status != 5) && r.sure() {
			t.Errorf("daemon: exit status %d, %+v", r.status, r.jsonRun)
		}
		r = runCommand(t, hooks, "--cleanup", "--", "sh", "-c", maker+" keep msgget:0:0600 semget:0:1:0600; kill -9 $$")
		if (len(r.Left) != 2 || r.status != 137) && r.sure() {
			t.Errorf("killed: exit status %d, %+v", r.status, r.jsonRun)
		}
		r = runCommand(t, hooks, "--fail-on-leak", "--", maker, "-unshare", "-threads", "2", "keep", "msgget:7:01600", "shmget:0:1:0600")
		if (len(r.Died) != 4 || len(r.Left) != 0 || r.status != 0) && r.sure() {
			t.Errorf("namespaces: exit status %d, %+v", r.status, r.jsonRun)
		}
		for _, n := range r.Namespaces {
			if (n.NS.Initial || !n.Born && r.Tier == "fentry") && r.sure() {
				t.Errorf("%+v", n)
			}
		}
	})
}

// TestKernelRunStrangers: a thousand short lives that leave nothing behind, with
// ten thousand objects and more made by others all the while, and a key that all
// share.
func TestKernelRunStrangers(t *testing.T) {
	maker := kerneltest.Maker64(t)
	lives, noise := 1000, 10000
	if kerneltest.Guest() != "" {
		lives, noise = 60, 500
	}
	const calls = "msgget:0:0600 rmid:msg shmget:0x697065:1:01600 rmid:shm"
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		done := filepath.Join(t.TempDir(), "done")
		script := fmt.Sprintf("echo ready; i=0; while [ $i -lt %d ]; do %s %s & i=$((i+1)); [ $((i%%20)) = 0 ] && wait; done >/dev/null; wait; touch %s; read x; true",
			lives, maker, calls, done)
		var began, ended time.Time
		made := 0
		r := runHeld(t, func() {
			began = time.Now()
			for made < noise || !exists(done) {
				runMaker(t, 64, append([]string{"-repeat", "50"}, strings.Fields(calls)...)...)
				made += 100
			}
			ended = time.Now()
		}, hooks, "--fail-on-leak", "--", "sh", "-c", script)
		from, err := time.Parse(time.RFC3339Nano, r.From)
		if end := from.Add(time.Duration(r.Seconds * float64(time.Second))); err != nil || began.Before(from) || ended.After(end) {
			t.Errorf("%v: the strangers from %v to %v, the command from %v to %v", err, began, ended, from, end)
		}
		if !r.sure() {
			return
		}
		msg, shm := r.kinds()["msg"], r.kinds()["shm"]
		if diff := cmp.Diff(jsonCounts{Created: uint64(lives), Removed: uint64(lives)}, msg); diff != "" {
			t.Error(diff)
		}
		if shm.Created+shm.Opened+shm.Got != uint64(lives) || shm.Removed > uint64(lives) {
			t.Errorf("with the shared key: %+v", shm)
		}
		if len(r.Left)+len(r.Doubt) > 0 || r.Lost.Events > 0 || r.status != 0 {
			t.Errorf("exit status %d, %+v", r.status, r.jsonRun)
		}
	})
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// TestKernelRunDoubt: where a stranger got it too, the syscall tier does not claim
// to know who made it, and does not remove it.
func TestKernelRunDoubt(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		const key = "msgget:0x697066:01600"
		// The stranger comes when the command holds the object, and goes before it.
		script := fmt.Sprintf("%s keep %s; echo ready; read x", maker, key)
		r := runHeld(t, func() { runMaker(t, 64, "keep", key) }, hooks, "--cleanup", "--", "sh", "-c", script)
		if !r.sure() {
			return
		}
		left, doubt := 1, 0
		if isSyscall(hooks) {
			left, doubt = 0, 1
		}
		if len(r.Left) != left || len(r.Doubt) != doubt {
			t.Errorf("%+v", r.jsonRun)
		}
		for _, o := range r.Doubt {
			if !slices.ContainsFunc(list(t), func(l sysvipc.Object) bool { return l.Kind == "msg" && l.ID == *o.Object.ID }) {
				t.Error("removed what a stranger may have made")
			}
			removeLeft(t, o)
		}
	})
}

// mqueue mounts the queues of this namespace.
func mqueue(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("mqueue", dir, "mqueue", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func create(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

// TestKernelRunQueueFiles: a queue made as a file, which the syscall tier does not
// see made, is in doubt; one that was there, is removed as a file and made again is
// the command's, where the call says that it made it.
func TestKernelRunQueueFiles(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		file := filepath.Join(mqueue(t), "ipctrace-file")
		defer os.Remove(file)
		again := func(flags string) (r ran, stays bool) {
			r = runCommand(t, hooks, "--fail-on-leak", "--cleanup", "--", "sh", "-c",
				"rm "+file+"; "+maker+" keep mq_open:ipctrace-file:"+flags+":0600")
			_, err := os.Stat(file)
			return r, err == nil
		}
		r := runCommand(t, hooks, "--fail-on-leak", "--", "sh", "-c", ": >"+file)
		if len(r.Left)+len(r.Doubt) != 1 || r.status != exitFinding {
			t.Errorf("made as a file: exit status %d, %+v", r.status, r.jsonRun)
		}
		r, stays := again("0302")
		if (len(r.Left) != 1 || len(r.Doubt) != 0 || r.status != exitFinding || stays) && r.sure() {
			t.Errorf("made again: exit status %d, still there: %t, %+v", r.status, stays, r.jsonRun)
		}
		create(t, file)
		left, doubt := 1, 0
		if isSyscall(hooks) {
			left, doubt = 0, 1
		}
		r, stays = again("0102")
		if (len(r.Left) != left || len(r.Doubt) != doubt || r.status != exitFinding || stays != isSyscall(hooks)) && r.sure() {
			t.Errorf("got again: exit status %d, still there: %t, %+v", r.status, stays, r.jsonRun)
		}
	})
}

// TestKernelRunQueueFileOfStranger: a stranger's queue, made as a file while the
// command runs, is not the command's because it asked for one of the name.
func TestKernelRunQueueFileOfStranger(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		file := filepath.Join(mqueue(t), "ipctrace-strange")
		defer os.Remove(file)
		r := runHeld(t, func() { create(t, file) }, hooks, "--cleanup", "--", "sh", "-c", "echo ready; read x; "+maker+" keep mq_open:ipctrace-strange:0102:0600")
		if _, err := os.Stat(file); err != nil {
			t.Errorf("removed a stranger's queue: %v, %+v", err, r.jsonRun)
		}
		if doubt := isSyscall(hooks); (len(r.Left) != 0 || (len(r.Doubt) == 1) != doubt) && r.sure() {
			t.Errorf("left %+v, in doubt %+v", r.Left, r.Doubt)
		}
		for _, o := range r.Doubt {
			if o.Note != noteFile && r.sure() {
				t.Errorf("%+v", o)
			}
		}
	})
}

// TestRunReplaced: a stranger's queue that has got the name is no business of
// the command's.
func TestRunReplaced(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		r := runHeld(t, func() {
			runMaker(t, 64, "keep", "mq_unlink:ipctrace-name", "mq_open:ipctrace-name:0302:0600")
		}, hooks, "--cleanup", "--", "sh", "-c", maker+" keep mq_open:ipctrace-name:0302:0600; echo ready; read x")
		if _, calls := runMaker(t, 64, "mq_unlink:ipctrace-name"); calls[0].Errno != 0 {
			t.Errorf("the stranger's queue is gone: %+v", calls)
		}
		if (len(r.Left) != 0 || r.ByOthers != 1) && r.sure() {
			t.Errorf("%+v", r.jsonRun)
		}
	})
}

// TestRunElsewhere: a stranger who comes into the command's pid namespace,
// and whose orphans its init gets, is none of the command's; and who leaves for
// another's pid namespace is still followed, and waited for.
func TestRunElsewhere(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		dir := t.TempDir()
		made, goOn := filepath.Join(dir, "made"), filepath.Join(dir, "go")
		file := filepath.Join(dir, "report")
		wait := func(file string) string {
			return "for i in $(seq 300); do [ -e " + file + " ] && break; sleep 0.1; done; "
		}
		cmd := exec.Command("ipctrace", "run", hooks, "--json", "-o", file, "--", "unshare", "-p", "-f", "sh", "-c", "touch "+made+"; "+wait(goOn)+"exit 0")
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		inner := 0
		for range 600 {
			if _, err := os.Stat(made); err == nil {
				for _, pid := range childrenOf(t, cmd.Process.Pid) {
					for _, pid := range childrenOf(t, pid) {
						inner = pid
					}
				}
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		if inner == 0 {
			t.Fatal("no process in the pid namespace")
		}
		enter := func(script string) []string { return []string{"-t", fmt.Sprint(inner), "-p", "sh", "-c", script} }
		stranger := filepath.Join(dir, "stranger")
		out, err := exec.Command("nsenter", enter("(sleep 0.3; "+maker+" keep msgget:0:0600 >"+stranger+") >&- 2>&- & exit 0")...).CombinedOutput()
		if err != nil {
			t.Fatalf("nsenter: %v: %s", err, out)
		}
		late := runCommand(t, append([]string{hooks, "--", "nsenter"}, enter("(sleep 0.5; exec "+maker+" keep msgget:0:0600) >&- 2>&- <&- & exit 0")...)...)
		if len(late.Left) != 1 && late.sure() {
			t.Errorf("who left: %+v", late.jsonRun)
		}
		if err := os.WriteFile(goOn, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		var r ran
		text, err := os.ReadFile(file)
		if err := errors.Join(err, json.Unmarshal(text, &r.jsonRun)); err != nil {
			t.Fatal(err)
		}
		if len(r.Left) != 0 {
			t.Errorf("who came: %+v", r.Left)
		}
		var m struct{ ID int32 }
		if text, err := os.ReadFile(stranger); err == nil && json.Unmarshal(text, &m) == nil {
			late.Left = append(late.Left, jsonLeft{Object: &event.Object{Kind: "msg", ID: &m.ID}})
		}
		for _, o := range late.Left {
			removeLeft(t, o)
		}
	})
}
