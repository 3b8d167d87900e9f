package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestRunDocs: the commands of docs/run.md do what it says of them.
func TestRunDocs(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	text, err := os.ReadFile("../../docs/run.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?m)^```sh\n((?:.*\n)*?)```").FindAllStringSubmatch(string(text), -1)
	want := map[string]struct {
		status int
		says   string
	}{
		"ipcmk":          {0, "1 object left behind; 0 lost"},
		"--cleanup":      {1, "(removed)"},
		"--leaks-allow":  {0, "(allowed)"},
		"--fail-on-fail": {1, "1 ENOSPC"},
		"--user":         {0, "nobody\n"},
		"fakeroot":       {0, "nothing left behind"},
	}
	if len(commands) != len(want) {
		t.Errorf("%d commands, %d known", len(commands), len(want))
	}
	// What the page calls make check.
	checks := map[string]string{
		"--cleanup":      "ipcmk -Q",
		"--leaks-allow":  kerneltest.Maker64(t) + " keep msgget:0x0052e2c1:01600",
		"--fail-on-fail": "unshare --ipc sh -c 'echo 0 >/proc/sys/kernel/msgmni; ipcmk -Q'; true",
	}
	for _, c := range commands {
		for name, w := range want {
			if !strings.Contains(c[1], name) || name == "--cleanup" && strings.Contains(c[1], "allow") {
				continue
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte("check:\n\t"+checks[name]+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", "-c", c[1])
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if cmd.ProcessState.ExitCode() != w.status || !strings.Contains(string(out), w.says) {
				t.Errorf("%s: exit status %d, %s", c[1], cmd.ProcessState.ExitCode(), out)
			}
			removeTold(t, string(out))
		}
	}
}

// removeTold runs the lines that a report says remove what is left.
func removeTold(t *testing.T, report string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)(ipcrm -[qms] \d+)(?:  \((\w+)\))?$`).FindAllStringSubmatch(report, -1) {
		if m[2] == noteRemoved {
			continue
		}
		if out, err := exec.Command("sh", "-c", m[1]).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", m[1], err, out)
		}
	}
}

// TestRunDocsFields: every field of the report is on the page.
func TestRunDocsFields(t *testing.T) {
	text, err := os.ReadFile("../../docs/run.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[jsonRun](), reflect.TypeFor[jsonDoings](), reflect.TypeFor[jsonCounts](),
		reflect.TypeFor[jsonLeft](), reflect.TypeFor[jsonRunLosses](),
	} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(string(text), "`"+name+"`") {
				t.Errorf("nothing about %s", name)
			}
		}
	}
}
