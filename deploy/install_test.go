package deploy_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestInstall: make install puts everything where it is looked for, and make uninstall
// takes all of it away.
func TestInstall(t *testing.T) {
	for _, name := range []string{"make", "go"} {
		kerneltest.NeedProgram(t, name)
	}
	dir := t.TempDir()
	run := func(target string, set ...string) {
		t.Helper()
		cmd := exec.Command("make", append([]string{"-C", "..", target, "DESTDIR=" + dir}, set...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", cmd, err, out)
		}
	}
	run("install", "PREFIX=/usr", "ZSHDIR=/usr/share/zsh/vendor-completions")
	var pages int
	var got []string
	for _, file := range files(t, dir) {
		switch {
		case strings.HasPrefix(file, "usr/share/man/man8/ipctrace"):
			pages++
		case !strings.HasPrefix(file, "usr/share/doc/ipctrace/docs/") && !strings.HasPrefix(file, "usr/share/doc/ipctrace/deploy/"):
			got = append(got, file)
		}
	}
	want := []string{
		"usr/bin/ipctrace", "usr/lib/systemd/system/ipctrace.service",
		"usr/share/bash-completion/completions/ipctrace", "usr/share/doc/ipctrace/README.md",
		"usr/share/fish/vendor_completions.d/ipctrace.fish", "usr/share/zsh/vendor-completions/_ipctrace",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if there, _ := filepath.Glob("../docs/man/*.8"); pages == 0 || pages != len(there) {
		t.Errorf("%d of %d pages of the manual", pages, len(there))
	}
	if out, err := exec.Command(filepath.Join(dir, "usr/bin/ipctrace"), "version").CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "ipctrace ") {
		t.Errorf("%v: %s", err, out)
	}
	checkLinks(t, filepath.Join(dir, "usr/share/doc/ipctrace"))
	unit := settings(t, filepath.Join(dir, "usr/lib/systemd/system/ipctrace.service"))
	if start := unit["ExecStart"]; len(start) != 1 || !strings.HasPrefix(start[0], "/usr/bin/ipctrace serve ") {
		t.Errorf("ExecStart=%q", start)
	}
	run("uninstall", "PREFIX=/usr", "ZSHDIR=/usr/share/zsh/vendor-completions")
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("not uninstalled: %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "usr/share/doc/ipctrace")); err == nil {
		t.Error("the directory of the documents is left")
	}
}

var link = regexp.MustCompile(`\]\(([^)#: ]+)[^): ]*\)`)

// checkLinks fails where a page that was installed leads to, or shows, what was not.
func checkLinks(t *testing.T, dir string) {
	t.Helper()
	checked := 0
	for _, page := range files(t, dir) {
		if filepath.Ext(page) != ".md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range link.FindAllStringSubmatch(string(text), -1) {
			checked++
			if _, err := os.Stat(filepath.Join(dir, filepath.Dir(page), to[1])); err != nil {
				t.Errorf("%s leads to what is not installed: %v", page, err)
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d links checked", checked)
	}
}

// files are the names of all below a directory.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
