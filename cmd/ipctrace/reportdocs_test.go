package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestReportDocs: the commands of docs/report.md make what it says, of a log that is sealed.
func TestReportDocs(t *testing.T) {
	text := string(readFile(t, "../../docs/report.md"))
	file, key := sealedLog(t)
	dir := t.TempDir()
	for name, from := range map[string]string{"trace.jsonl": file, "key.pub": key} {
		if out, err := exec.Command("cp", from, filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Setenv("TZ", "UTC")
	commands := regexp.MustCompile("(?m)^```sh\n((?:.*\n)*?)```").FindAllStringSubmatch(text, -1)
	made := regexp.MustCompile(`-o (\S+)`)
	for _, c := range commands {
		cmd := exec.Command("sh", "-ec", c[1])
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v: %s", c[1], err, out)
			continue
		}
		page := string(readFile(t, filepath.Join(dir, made.FindStringSubmatch(c[1])[1])))
		if !strings.Contains(page, "Whole: as it was written") {
			t.Errorf("%s: no verdict", c[1])
		}
	}
	if len(commands) != 4 {
		t.Errorf("%d commands", len(commands))
	}
}

// TestReportDocsWords: every flag is in docs/report.md, and every word of the filter.
func TestReportDocsWords(t *testing.T) {
	text := string(readFile(t, "../../docs/report.md"))
	newReport().LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "output" && !strings.Contains(text, "--"+f.Name) {
			t.Errorf("nothing about --%s", f.Name)
		}
	})
	script := string(readFile(t, "../../internal/view/report/script/filter.js"))
	list := regexp.MustCompile(`filterWords = \[(.*)\];`).FindStringSubmatch(script)
	if list == nil {
		t.Fatal("no filterWords in filter.js")
	}
	_, filter, _ := strings.Cut(text, "## The filter")
	filter, _, _ = strings.Cut(filter, "\n## ")
	var told []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?`) \\|").FindAllStringSubmatch(filter, -1) {
		told = append(told, strings.Fields(strings.ReplaceAll(row[1], "`", ""))...)
	}
	var words []string
	for _, word := range strings.Split(list[1], ", ") {
		words = append(words, strings.Trim(word, "'"))
	}
	slices.Sort(told)
	slices.Sort(words)
	if !slices.Equal(told, words) {
		t.Errorf("docs/report.md tells of %q, the filter takes %q", told, words)
	}
}
