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
	file := filepath.Join(t.TempDir(), "report")
	// Not auto, if the test does not say: it tries out hooks, which takes most of the time.
	hooks := "--hooks=" + kerneltest.Tiers()[0].String()
	cmd := exec.Command("ipctrace", append([]string{"run", hooks, "--json", "-o", file}, args...)...)
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

// TestKernelRunLeaks: what is left behind is told and, if asked, removed. The
// other witness is the kernel's own list.
func TestKernelRunLeaks(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		before := list(t)
		leak := []string{hooks, "--fail-on-leak=4", "--", maker, "keep", "msgget:0:0600", "shmget:0:5000:0640", "semget:0:3:0600",
			"msgget:0:0600", "rmid:msg", "mq_open:ipctrace-left:0102:0600:3:64", "mq_open:ipctrace-gone:0102", "mq_unlink:ipctrace-gone"}
		r := runCommand(t, leak...)
		want := map[string]jsonCounts{
			"msg": {Created: 2, Removed: 1}, "shm": {Created: 1}, "sem": {Created: 1}, "mq": {Created: 2, Removed: 1},
		}
		if diff := cmp.Diff(want, r.kinds()); (diff != "" || len(r.Left) != 4 || r.status != exitFinding) && r.sure() {
			t.Fatalf("exit status %d, %+v\n%s", r.status, r.Left, diff)
		}
		after := list(t)
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
			if o.Object.Kind != "mq" && len(after) != len(before)+3 {
				t.Errorf("%d objects before, %d after", len(before), len(after))
			}
			removeLeft(t, o)
		}

		if !r.sure() { // what was not told is still there
			runMaker(t, 64, "keep", "mq_unlink:ipctrace-left")
			return
		}

		// The same again, cleaned up. The queue is there again: it would be found.
		r = runCommand(t, append([]string{"--cleanup"}, leak...)...)
		for _, o := range r.Left {
			if o.Note != noteRemoved {
				t.Errorf("%+v", o)
			}
		}
		if (len(r.Left) != 4 || r.status != exitFinding || len(list(t)) != len(before)) && r.sure() {
			t.Errorf("exit status %d, %d left, %d objects before, %d after", r.status, len(r.Left), len(before), len(list(t)))
		}
	})
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
// ten thousand objects made by others meanwhile, and a key that all share.
func TestKernelRunStrangers(t *testing.T) {
	maker := kerneltest.Maker64(t)
	lives, noise := 1000, 10000
	if kerneltest.Guest() != "" {
		lives, noise = 60, 500
	}
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		strangers := exec.Command(maker, "-repeat", fmt.Sprint(noise/2), "msgget:0:0600", "rmid:msg", "shmget:0x697065:1:01600", "rmid:shm")
		if err := strangers.Start(); err != nil {
			t.Fatal(err)
		}
		script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do %s msgget:0:0600 rmid:msg & i=$((i+1)); [ $((i%%20)) = 0 ] && wait; done >/dev/null; wait", lives, maker)
		r := runCommand(t, hooks, "--fail-on-leak", "--", "sh", "-c", script)
		if err := strangers.Wait(); err != nil {
			t.Error(err)
		}
		want := map[string]jsonCounts{"msg": {Created: uint64(lives), Removed: uint64(lives)}}
		if diff := cmp.Diff(want, r.kinds()); (diff != "" || len(r.Left)+len(r.Doubt)+r.ByOthers+r.Unseen > 0 || r.Lost.Events > 0 || r.status != 0) && r.sure() {
			t.Errorf("exit status %d, %+v\n%s", r.status, r.jsonRun, diff)
		}
	})
}

// TestKernelRunDoubt: where a stranger got it too, the syscall tier does not claim
// to know who made it, and does not remove it.
func TestKernelRunDoubt(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		unchanged(t)
		const key = "msgget:0x697066:01600"
		// The stranger comes when the command holds the object, and goes before it.
		script := fmt.Sprintf("%s keep %s; echo made; read x", maker, key)
		file := filepath.Join(t.TempDir(), "report")
		cmd := exec.Command("ipctrace", "run", hooks, "--json", "--cleanup", "-o", file, "--", "sh", "-c", script)
		stdin, err1 := cmd.StdinPipe()
		stdout, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		awaitLine(t, stdout, "made")
		runMaker(t, 64, "keep", key)
		stdin.Close()
		_ = cmd.Wait()
		var r ran
		text, err := os.ReadFile(file)
		if err := errors.Join(err, json.Unmarshal(text, &r.jsonRun)); err != nil {
			t.Fatal(err)
		}
		if !r.sure() {
			return
		}
		left, doubt := 1, 0
		if strings.HasSuffix(hooks, "syscall") {
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

// TestKernelRunQueueFiles: a queue made as a file, which the syscall tier does not
// see made, is in doubt; one that was there, is removed as a file and made again is
// the command's.
func TestKernelRunQueueFiles(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		dir := t.TempDir()
		if err := unix.Mount("mqueue", dir, "mqueue", 0, ""); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }()
		defer os.Remove(dir + "/ipctrace-file")
		r := runCommand(t, hooks, "--fail-on-leak", "--", "sh", "-c", ": >"+dir+"/ipctrace-file")
		if len(r.Left)+len(r.Doubt) != 1 || r.status != exitFinding {
			t.Errorf("made as a file: exit status %d, %+v", r.status, r.jsonRun)
		}
		r = runCommand(t, hooks, "--fail-on-leak", "--cleanup", "--", "sh", "-c",
			"rm "+dir+"/ipctrace-file; "+maker+" keep mq_open:ipctrace-file:0102:0600")
		if _, err := os.Stat(dir + "/ipctrace-file"); (len(r.Left) != 1 || r.status != exitFinding || err == nil) && r.sure() {
			t.Errorf("made again: exit status %d, %v, %+v", r.status, err, r.jsonRun)
		}
	})
}

// TestRunReplaced: a stranger's queue that has got the name is no business of
// the command's.
func TestRunReplaced(t *testing.T) {
	maker := kerneltest.Maker64(t)
	eachTierRun(t, func(t *testing.T, hooks string) {
		file := filepath.Join(t.TempDir(), "report")
		cmd := exec.Command("ipctrace", "run", hooks, "--json", "--cleanup", "-o", file, "--", "sh", "-c",
			maker+" keep mq_open:ipctrace-name:0302:0600; echo made; read x")
		stdin, err1 := cmd.StdinPipe()
		stdout, err2 := cmd.StdoutPipe()
		if err := errors.Join(err1, err2, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		awaitLine(t, stdout, "made")
		runMaker(t, 64, "keep", "mq_unlink:ipctrace-name", "mq_open:ipctrace-name:0302:0600")
		stdin.Close()
		_ = cmd.Wait()
		if _, calls := runMaker(t, 64, "mq_unlink:ipctrace-name"); calls[0].Errno != 0 {
			t.Errorf("the stranger's queue is gone: %+v", calls)
		}
		var r ran
		text, err := os.ReadFile(file)
		if err := errors.Join(err, json.Unmarshal(text, &r.jsonRun)); err != nil {
			t.Fatal(err)
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
