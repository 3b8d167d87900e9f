package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// A runExample is a command of docs/run.md, and what becomes of it.
type runExample struct {
	of     string // what the command has and no other
	check  string // what the page calls make check: a line of a Makefile
	status int
	says   string
	before func(t *testing.T, dir string) // what the page takes for granted; the command is run in dir
}

func runExamples(t *testing.T) []runExample {
	maker := kerneltest.Maker64(t)
	return []runExample{
		{of: "-q -- ipcmk", says: "1 object left behind; 0 lost"},
		{of: "--cleanup -- make", check: "ipcmk -Q", status: 1, says: "(removed)"},
		{of: "--leaks-allow", check: maker + " keep msgget:0x0052e2c1:01600", says: "(allowed)"},
		{of: "--fail-on-fail", check: "unshare --ipc sh -c 'echo 0 >/proc/sys/kernel/msgmni; ipcmk -Q'; true", status: 1, says: "1 ENOSPC"},
		{of: "nobody", says: "nobody\n"},
		{of: "fakeroot", says: "nothing left behind"},
		{of: "pg_ctl", check: "true", says: "nothing left behind", before: database},
		{of: "pg_ctl", check: "kill -KILL $$(head -n 1 $$PGDATA/postmaster.pid)", status: 1, says: "1 object left behind", before: database},
		{of: "runc", says: "1 object gone with their namespaces", before: func(t *testing.T, dir string) { bundle(t, dir, true) }},
		{of: "runc", status: 1, says: "1 object left behind", before: func(t *testing.T, dir string) { bundle(t, dir, false) }},
	}
}

// TestRunDocs: the commands of docs/run.md do what it says of them.
func TestRunDocs(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	text, err := os.ReadFile("../../docs/run.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := map[string]bool{} // whether it was run
	for _, block := range regexp.MustCompile("(?m)^```sh\n((?:.*\n)*?)```").FindAllStringSubmatch(string(text), -1) {
		commands[block[1]] = false
	}
	for _, e := range runExamples(t) {
		for command := range commands {
			if strings.Contains(command, e.of) {
				commands[command] = true
				t.Run(e.of, func(t *testing.T) { e.run(t, command) })
			}
		}
	}
	for command, run := range commands {
		if !run {
			t.Errorf("not run: %s", command)
		}
	}
}

func (e runExample) run(t *testing.T, command string) {
	dir := reachable(t)
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte("check:\n\t"+e.check+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if e.before != nil {
		e.before(t, dir)
	}
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if cmd.ProcessState.ExitCode() != e.status || !strings.Contains(string(out), e.says) {
		t.Errorf("%s: exit status %d, %s", command, cmd.ProcessState.ExitCode(), out)
	}
	removeTold(t, string(out))
}

// reachable is a directory that other users get to, whatever the umask is.
func reachable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// database makes a server's data, with no way in but a socket beside it.
func database(t *testing.T, dir string) {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(programs) == 0 {
		kerneltest.Lacks(t, "no PostgreSQL: .ci/setup test")
	}
	data := filepath.Join(dir, "data")
	t.Setenv("PATH", programs[len(programs)-1]+":"+os.Getenv("PATH"))
	t.Setenv("PGDATA", data)
	makeDirectory := exec.Command("install", "-d", "-o", "postgres", data)
	initialize := exec.Command("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups",
		"initdb", "-A", "peer", "--no-sync")
	initialize.Dir = dir
	configure := exec.Command("tee", "-a", filepath.Join(data, "postgresql.conf"))
	configure.Stdin = strings.NewReader("listen_addresses = ''\nunix_socket_directories = '" + data + "'\n")
	for _, cmd := range []*exec.Cmd{makeDirectory, initialize, configure} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd, err, out)
		}
	}
}

// bundle makes one for runc, whose program makes a queue: in an IPC namespace of
// its own, or in the host's.
func bundle(t *testing.T, dir string, own bool) {
	runc := kerneltest.NeedProgram(t, "runc")
	maker, err := os.ReadFile(kerneltest.Maker64(t))
	if err != nil {
		t.Fatal(err)
	}
	container := filepath.Join(dir, "container")
	root := filepath.Join(container, "rootfs")
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "job"), maker, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(runc, "spec", "--bundle", container).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(container, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	process, linux := config["process"].(map[string]any), config["linux"].(map[string]any)
	process["terminal"] = false
	process["args"] = []string{"/job", "keep", "msgget:0:0600"}
	linux["namespaces"] = slices.DeleteFunc(linux["namespaces"].([]any), func(n any) bool {
		return !own && n.(map[string]any)["type"] == "ipc"
	})
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
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
