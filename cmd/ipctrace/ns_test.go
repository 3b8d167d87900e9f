package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/ipctrace/ipctrace/nsresolve"
)

// TestKernelNS: a process in a new namespace, listed and compared.
func TestKernelNS(t *testing.T) {
	kerneltest.NeedRoot(t)
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWIPC}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	pid := strconv.Itoa(cmd.Process.Pid)
	inode, err := namespaceOf(pid)
	if err != nil {
		t.Fatal(err)
	}

	out, err := exec.Command("ipctrace", "ns", "--json").Output()
	var namespaces []jsonNamespace
	if err != nil || json.Unmarshal(out, &namespaces) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if namespaces[0].Inode != nsresolve.InitialInode || namespaces[0].Label != "host" {
		t.Errorf("first: %+v", namespaces[0])
	}
	i := slices.IndexFunc(namespaces, func(n jsonNamespace) bool { return n.Inode == uint64(inode) })
	if i < 0 || len(namespaces[i].Processes) != 1 || namespaces[i].Processes[0].PID != cmd.Process.Pid {
		t.Fatalf("namespace %d: %s", inode, out)
	}

	out, err = exec.Command("ipctrace", "ns").Output()
	if err != nil || !strings.Contains(string(out), "sleep["+pid+"]") {
		t.Errorf("%v: %s", err, out)
	}

	out, err = exec.Command("ipctrace", "ns", strconv.Itoa(os.Getpid()), pid).Output()
	if err != nil || strings.Count(string(out), "differs") != 1 {
		t.Errorf("%v: %s", err, out)
	}
}

// TestKernelDoctor: the tier it names is one that attaches.
func TestKernelDoctor(t *testing.T) {
	kerneltest.NeedRoot(t)
	out, err := exec.Command("ipctrace", "doctor", "--json").Output()
	var d diagnosis
	if err != nil || json.Unmarshal(out, &d) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(kerneltest.Tiers()) == 0 || d.Tier != kerneltest.Tiers()[0].String() || !d.BTF || len(d.Hooks) < 6 || len(d.Capabilities) != len(privilege.Needs) {
		t.Errorf("%s", out)
	}
	text, err := exec.Command("ipctrace", "doctor").Output()
	if err != nil || !strings.Contains(string(text), d.Tier+" tier") {
		t.Errorf("%v: %s", err, text)
	}
	for _, n := range privilege.Needs { // as docs/privileges.md has them
		if line := fmt.Sprintf(" %s: %s; without: %s\n", privilege.Name(n.Cap), n.For, n.Without); !strings.Contains(string(text), line) {
			t.Errorf("no %q: %s", line, text)
		}
	}
}

// TestOverhead: what is measured is there, and nothing is left of it.
func TestOverhead(t *testing.T) {
	kerneltest.NeedRoot(t)
	before := list(t)
	out, err := exec.Command("ipctrace", "doctor", "--overhead", "--json").Output()
	var d diagnosis
	if err != nil || json.Unmarshal(out, &d) != nil || d.Overhead == nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := d.Overhead
	for name, s := range map[string]spread{"unrelated": o.Unrelated.Bare, "traced": o.Traced.Bare, "reader": o.Reader} {
		if s.Least <= 0 || s.Least > s.Median || s.Median > s.Most {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if after := list(t); len(after) > len(before) {
		t.Errorf("%v, before %v", after, before)
	}
	text, err := exec.Command("ipctrace", "doctor", "--overhead").Output()
	if err != nil || !strings.Contains(string(text), "what it costs here, medians of 7 rounds") {
		t.Errorf("%v: %s", err, text)
	}
}
