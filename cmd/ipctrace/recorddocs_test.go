package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestRecordDocs: the commands of docs/record.md do what it says, on a log with
// two seals that are signed.
func TestRecordDocs(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, name := range []string{"jq", "openssl", "xxd", "logger"} {
		kerneltest.NeedProgram(t, name)
	}
	text := string(readFile(t, "../../docs/record.md"))
	dir := t.TempDir()
	run := func(command string) string {
		t.Helper()
		cmd := exec.Command("sh", "-ec", command)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", command, err, out)
		}
		return string(out)
	}
	run("ipctrace keygen key; ipctrace record -o trace.jsonl --sign key --duration 1500ms & sleep 1; ipcmk -Q | grep -o '[0-9]*' | xargs ipcrm -q; wait")
	whole := wholeLog(t, filepath.Join(dir, "trace.jsonl"))
	var seals []*event.Seal
	for _, e := range whole {
		if e.Seal != nil {
			seals = append(seals, e.Seal)
		}
	}
	if len(seals) < 2 {
		t.Fatalf("%d seals", len(seals))
	}
	want := []string{
		"0 dropped on the way to the file", "whole: 1 file, ",
		seals[0].Hash + "  -\n", seals[1].Hash + "  -\n", "", "Signature Verified Successfully", "0 dropped on the way to the file",
	}
	commands := regexp.MustCompile("(?m)^```sh\n((?:.*\n)*?)```").FindAllStringSubmatch(text, -1)
	if len(commands) != len(want) {
		t.Fatalf("%d commands, %d known", len(commands), len(want))
	}
	for i, c := range commands {
		command := strings.ReplaceAll(c[1], "/tmp/ipctrace-key", filepath.Join(dir, "another"))
		if i == 0 { // the log is there already
			command = strings.ReplaceAll(command, "trace.jsonl", "new.jsonl")
		}
		if out := run(command); !strings.Contains(out, want[i]) {
			t.Errorf("%s: %q, want %q", command, out, want[i])
		}
	}
}

// TestRecordDocsFields: every field of the report is on the page.
func TestRecordDocsFields(t *testing.T) {
	text, err := os.ReadFile("../../docs/record.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[jsonReport](), reflect.TypeFor[jsonLogLosses](), reflect.TypeFor[jsonFinding]()} {
		for i := range typ.NumField() {
			if name := typ.Field(i).Tag.Get("json"); !bytes.Contains(text, []byte("`"+name+"`")) {
				t.Errorf("nothing about %s", name)
			}
		}
	}
}
