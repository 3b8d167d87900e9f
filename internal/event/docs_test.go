package event_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/eventtest"
)

// block is a fenced block of docs/events.md.
type block struct{ language, text string }

func readDocs(t *testing.T) (text string, blocks []block) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "events.md"))
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	for line := range strings.Lines(string(b)) {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && open == nil:
			open = &block{language: strings.TrimSpace(fence)}
		case isFence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line
		}
	}
	if open != nil {
		t.Fatalf("a block of %q is not closed", open.language)
	}
	return string(b), blocks
}

// TestDocsExamples: the lines in the docs are those that the golden test fixes,
// all of them, and they read back to themselves.
func TestDocsExamples(t *testing.T) {
	var want, got []string
	for _, x := range append(session, elsewhere...) {
		want = append(want, x.line)
	}
	_, blocks := readDocs(t)
	for _, b := range blocks {
		if b.language != "json" {
			continue
		}
		for line := range strings.Lines(b.text) {
			line = strings.TrimSuffix(line, "\n")
			eventtest.Check(t, []byte(line))
			e, err := event.Parse([]byte(line))
			if err != nil {
				t.Errorf("%v: %s", err, line)
				continue
			}
			if diff := cmp.Diff(line, string(e.AppendJSON(nil))); diff != "" {
				t.Errorf("-docs +written again:\n%s", diff)
			}
			got = append(got, line)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-golden +docs:\n%s", diff)
	}
}

// TestDocsNames: the docs explain every field and every event there is.
func TestDocsNames(t *testing.T) {
	text, _ := readDocs(t)
	paths := names(t, every("shm").AppendJSON(nil))
	maps.Copy(paths, names(t, every("mq").AppendJSON(nil)))
	for path := range paths {
		name := path[strings.LastIndexByte(path, '.')+1:]
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("nothing about %s", path)
		}
	}
	for _, typ := range append(slices.Clone(event.Types), event.ObjectState, event.NamespaceState, event.TraceState, event.TraceStart, event.TraceStop, event.TraceLost, event.TraceSeal) {
		if !strings.Contains(text, "### `"+string(typ)+"`\n") {
			t.Errorf("nothing about %s", typ)
		}
	}
}

// TestDocsRecipes runs the commands in the docs on the trace in the docs.
func TestDocsRecipes(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("n/a: no jq")
	}
	dir := t.TempDir()
	var log strings.Builder
	for _, x := range session {
		log.WriteString(x.line + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "trace.jsonl"), []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, blocks := readDocs(t)
	recipes := 0
	for i, b := range blocks {
		if b.language != "sh" {
			continue
		}
		recipes++
		if i+1 == len(blocks) || blocks[i+1].language != "text" {
			t.Fatalf("no output after %s", b.text)
		}
		command := exec.Command("sh", "-c", b.text)
		command.Dir = dir
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", b.text, err, out)
			continue
		}
		if diff := cmp.Diff(blocks[i+1].text, string(out)); diff != "" {
			t.Errorf("%s: -docs +jq:\n%s", b.text, diff)
		}
	}
	if recipes != 5 {
		t.Errorf("%d recipes, want 5", recipes)
	}
}
