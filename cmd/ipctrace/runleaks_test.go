package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
)

// TestRunLeaks: what a C program and its children leave behind is what the
// kernel's own list has more than before, also where removal races with an end.
func TestRunLeaks(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	program := filepath.Join(t.TempDir(), "leaks")
	if out, err := exec.Command(kerneltest.NeedProgram(t, "gcc"), "-o", program, "testdata/leaks.c", "-pthread").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
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
