package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestRunWaits: the end is when the last process has ended, also where they are
// hard to count; nothing is removed before. A child that ipctrace has from before
// hides from it whether it has any of the command's.
func TestRunWaits(t *testing.T) {
	kerneltest.NeedRoot(t)
	relay := compile(t, "relay")
	kept := filepath.Join(t.TempDir(), "kept")
	child := []string{"sh", "-c", `sleep 100 <&- >&- 2>&- & echo $! >` + kept + `; exec "$@"`, "sh"}
	later := []string{kerneltest.NeedProgram(t, "unshare"), "-T", "--boottime", "100000", "-f"}
	outlived := []string{"sh", "-c", relay + " & exit"}
	late := []string{"sh", "-c", "(sleep 1; " + kerneltest.Maker64(t) + " keep msgget:0:0600) & exit"}
	for _, test := range []struct {
		name           string
		under, command []string
		left           int
	}{
		{"a chain of processes", nil, []string{relay, "relay", "3000"}, 2},
		{"a chain of processes, and another child", child, []string{relay, "relay", "3000"}, 2},
		{"the main thread has ended", nil, outlived, 1},
		{"the main thread has ended, and another child", child, outlived, 1},
		{"another time since boot", slices.Concat(later, child), late, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if slices.Contains(test.under, "-T") {
				if out, err := exec.Command(later[0], append(later[1:], "true")...).CombinedOutput(); err != nil {
					kerneltest.Lacks(t, "no time namespaces: "+string(out))
				}
			}
			unchanged(t)
			t.Cleanup(func() { end(t, kept) })
			r := runUnder(t, test.under, append([]string{"--cleanup", "--"}, test.command...)...)
			if len(r.Left) != test.left || r.Running != 0 || r.ByOthers+r.Unseen > 0 {
				t.Errorf("left %+v, %+v", r.Left, r.jsonRun)
			}
			for _, o := range r.Left {
				if o.Note != noteRemoved {
					t.Errorf("%+v", o)
				}
			}
		})
	}
}

// end ends the process whose number is in a file, if there is one.
func end(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
	_ = os.Remove(file)
}
