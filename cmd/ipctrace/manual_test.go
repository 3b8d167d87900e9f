package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/manual"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write what is generated, the man pages, what --help says and screens, instead of comparing it")

const (
	manualDir = "../../docs/man"
	helpDir   = "testdata/help"
)

// see are the pages of others that every page refers to.
var see = []string{"ipcs(1)", "lsns(8)", "ipc_namespaces(7)", "mq_overview(7)", "sysvipc(7)"}

// documented are the commands that users see, the root first.
func documented() []*cobra.Command {
	root := newRoot()
	root.InitDefaultHelpFlag()
	root.InitDefaultVersionFlag()
	all := []*cobra.Command{root}
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			c.InitDefaultHelpFlag()
			all = append(all, c)
		}
	}
	return all
}

// golden compares the files of a directory with what was generated, and says how to
// write them anew.
func golden(t *testing.T, dir, pattern string, generated map[string][]byte) {
	t.Helper()
	there, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range there {
		if generated[filepath.Base(path)] != nil {
			continue
		}
		if *update {
			os.Remove(path)
			continue
		}
		t.Errorf("%s is of no command: make manual", path)
	}
	for name, text := range generated {
		path := filepath.Join(dir, name)
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		old, _ := os.ReadFile(path)
		if diff := cmp.Diff(string(old), string(text)); diff != "" {
			t.Errorf("%s is not what is generated: make manual: -there +generated:\n%s", path, diff)
		}
	}
}

// TestManual: docs/man has a page of each command, as generated.
func TestManual(t *testing.T) {
	pages := map[string][]byte{}
	for _, c := range documented() {
		pages[manual.Name(c)+".8"] = manual.Page(c, see)
	}
	golden(t, manualDir, "*.8", pages)
}

// TestManualLint: those who format the pages find nothing wrong with them.
func TestManualLint(t *testing.T) {
	mandoc, groff := kerneltest.NeedProgram(t, "mandoc"), kerneltest.NeedProgram(t, "groff")
	pages, _ := filepath.Glob(filepath.Join(manualDir, "*.8"))
	if len(pages) != len(documented()) {
		t.Fatalf("%d pages of %d commands", len(pages), len(documented()))
	}
	for _, page := range pages {
		// A page without a date is a page that does not change by itself.
		lint, _ := exec.Command(mandoc, "-T", "lint", "-W", "warning", page).CombinedOutput()
		for line := range bytes.Lines(lint) {
			if !bytes.Contains(line, []byte("missing date")) {
				t.Errorf("%s", line)
			}
		}
		if complaints, err := exec.Command(groff, "-ww", "-K", "utf8", "-man", "-T", "utf8", "-z", page).CombinedOutput(); err != nil || len(complaints) > 0 {
			t.Errorf("%s: %v: %s", page, err, complaints)
		}
	}
}

// TestHelp: what --help says is as it was, and no line of it is too wide.
func TestHelp(t *testing.T) {
	help := map[string][]byte{}
	for _, c := range documented() {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append(strings.Fields(c.CommandPath())[1:], "--help"))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		const widest = 100
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > widest {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		help[manual.Name(c)+".txt"] = out.Bytes()
	}
	golden(t, helpDir, "*.txt", help)
}

// TestEveryCommandHas: a command says what it is for, how it ends, and has an example.
func TestEveryCommandHas(t *testing.T) {
	for _, c := range documented() {
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s: short %q, long %q, example %q", c.CommandPath(), c.Short, c.Long, c.Example)
		}
	}
}
