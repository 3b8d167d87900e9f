package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
)

// TestRunLeaks: what a C program and its children leave behind is what the
// kernel's own list has more than before, also where removal races with an end.
func TestRunLeaks(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	program := compile(t, "leaks")
	type thing struct {
		kind string
		id   int32
	}
	had := map[thing]bool{}
	for _, o := range list(t) {
		had[thing{o.Kind, o.ID}] = true
	}
	const children = 50
	r := runCommand(t, "--", program, "50")
	var left []sysvipc.Object
	for _, o := range list(t) {
		if !had[thing{o.Kind, o.ID}] {
			left = append(left, o)
		}
	}
	told := map[thing]bool{}
	for _, o := range r.Left {
		told[thing{o.Object.Kind, *o.Object.ID}] = true
		removeLeft(t, o)
	}
	for _, o := range left {
		if !told[thing{o.Kind, o.ID}] {
			t.Errorf("not told: %+v", o)
		}
	}
	if len(left) < 3*children || len(told) != len(left) || len(r.Left) != len(left) || len(r.Doubt)+r.ByOthers+r.Unseen > 0 {
		t.Errorf("%d left, told %d: %+v", len(left), len(r.Left), r.kinds())
	}
	msg, shm, sem := r.kinds()["msg"], r.kinds()["shm"], r.kinds()["sem"]
	if msg.Created != 2*children || shm.Created != 2*children || shm.Removed != children || sem.Created != children || sem.Removed != 0 {
		t.Errorf("%+v", r.kinds())
	}
}

// compile builds a C program of testdata.
func compile(t *testing.T, name string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), name)
	if out, err := exec.Command(kerneltest.NeedProgram(t, "gcc"), "-o", program, "testdata/"+name+".c", "-pthread").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// TestRunFakeroot: a real program that cleans up, and its daemon, are followed to
// their ends.
func TestRunFakeroot(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	r := runCommand(t, "--fail-on-leak", "--", kerneltest.NeedProgram(t, "fakeroot-sysv"), "chown", "0:0", "/dev/null")
	msg, sem := r.kinds()["msg"], r.kinds()["sem"]
	if r.status != 0 || msg.Created < 2 || msg.Removed != msg.Created || sem.Created < 1 || sem.Removed != sem.Created {
		t.Errorf("exit status %d, %+v: %s", r.status, r.kinds(), r.stderr)
	}
}

// TestRunRemovalLines: the lines of the report remove what they are about, here in
// a namespace that a daemon of the command keeps.
func TestRunRemovalLines(t *testing.T) {
	kerneltest.NeedRoot(t)
	kerneltest.NeedProgram(t, "nsenter")
	done := filepath.Join(t.TempDir(), "done")
	inside := kerneltest.Maker64(t) + " keep msgget:0:0600 shmget:0:1:0600 semget:0:1:0600 mq_open:a\\ line:0302:0600 >/dev/null; echo $$ >" + done +
		"; exec sleep 60 <&- >&- 2>&-"
	r := runCommand(t, "--detach-on-exit", "--", "sh", "-c",
		"unshare --ipc sh -c '"+inside+"' & while [ ! -s "+done+" ]; do sleep 0.05; done")
	text, err := os.ReadFile(done)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	ns, err := openNamespace(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if before := kernelList(t, ns); len(before) != 4 || len(r.Left) != 4 {
		t.Fatalf("%q, told %+v", before, r.Left)
	}
	for _, o := range r.Left {
		if out, err := exec.Command("sh", "-c", o.Remove).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", o.Remove, err, out)
		}
	}
	if after := kernelList(t, ns); len(after) != 0 {
		t.Errorf("still there: %q", after)
	}
}
