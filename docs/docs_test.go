package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestArchitecture: the page says what each package is for, once, and of none that there
// is not.
func TestArchitecture(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## What is which")
	dirs, err := filepath.Glob("../internal/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	for _, dir := range append(dirs, "../tracer", "../nsresolve", "../cmd/ipctrace", "../bpf", "../deploy") {
		name := strings.TrimPrefix(dir, "../")
		if n := strings.Count(table, "\n| `"+name+"` | "); n != 1 {
			t.Errorf("%d rows about %s", n, name)
		}
	}
	for row := range strings.Lines(table) {
		name, _, ok := strings.Cut(strings.TrimPrefix(row, "| `"), "` | ")
		if !ok {
			continue
		}
		if info, err := os.Stat(filepath.Join("..", name)); err != nil || !info.IsDir() {
			t.Errorf("there is no %s", name)
		}
	}
}

// TestLinks: pages that a document leads to are there, and so are the sections.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, rest := range strings.Split(string(text), "](")[1:] {
			target, _, _ := strings.Cut(rest, ")")
			file, section, _ := strings.Cut(target, "#")
			if strings.Contains(target, "://") || strings.ContainsAny(target, " \n") {
				continue
			}
			path := page
			if file != "" {
				path = filepath.Join(filepath.Dir(page), file)
			}
			to, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("%s: %s: %v", page, target, err)
				continue
			}
			if section != "" && !hasSection(string(to), section) {
				t.Errorf("%s: %s has no section %s", page, path, section)
			}
		}
	}
}

// hasSection: headings are linked to by their words, in lower case, with hyphens.
func hasSection(text, section string) bool {
	for line := range strings.Lines(text) {
		title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if !ok || !strings.HasPrefix(line, "#") {
			continue
		}
		anchor := strings.Map(func(r rune) rune {
			if r == ' ' {
				return '-'
			}
			if strings.ContainsRune("`.,:;()?'\n", r) {
				return -1
			}
			return r
		}, strings.ToLower(title))
		if anchor == section {
			return true
		}
	}
	return false
}
