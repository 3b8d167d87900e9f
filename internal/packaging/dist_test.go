// Package packaging_test makes the packages, and uses them as those do who get them.
package packaging_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// made is what dist and deb made of a clone.
type made struct{ dir, version string }

var (
	scratch string
	once    = sync.OnceValues(makeAll)
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ipctrace-packaging-")
	if err != nil {
		panic(err)
	}
	scratch = dir
	status := m.Run()
	os.RemoveAll(scratch)
	os.Exit(status)
}

// packages are made once, for all tests.
func packages(t *testing.T) made {
	t.Helper()
	if testing.Short() {
		t.Skip("n/a with -short: it builds the program four times")
	}
	for _, name := range []string{"git", "make", "jq", "gzip", "tar"} {
		kerneltest.NeedProgram(t, name)
	}
	m, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func makeAll() (made, error) {
	clone := filepath.Join(scratch, "clone")
	if err := cloned(clone); err != nil {
		return made{}, err
	}
	return makeIn(clone, command(clone, "make", "-s", "deb"))
}

// cloned makes a clone of this repository, in which what is not committed here is. It
// copies, as git clones neither what another user owns nor all that is shallow. Of an
// unpacked tarball it makes a copy, too.
func cloned(dir string) error {
	if _, err := os.Stat("../../VERSION"); err == nil {
		return run(exec.Command("cp", "-R", "../..", dir))
	}
	return run(exec.Command("bash", "-c", `set -eu -o pipefail
		mkdir "$0"
		cp -R "$(git -C .. rev-parse --path-format=absolute --git-common-dir)" "$0/.git"
		git -C "$0" reset -q --hard "$(git -C .. rev-parse HEAD)"
		git -C .. diff --binary HEAD >"$0.diff"
		[ ! -s "$0.diff" ] || {
			git -C "$0" apply --index "$0.diff"
			git -C "$0" -c user.name=ipctrace -c user.email=ipctrace@localhost commit -q -m "what is not committed"
		}`, dir))
}

func makeIn(dir string, cmd *exec.Cmd) (made, error) {
	if err := run(cmd); err != nil {
		return made{}, err
	}
	version, err := command(dir, "internal/packaging/version").Output()
	if err != nil {
		return made{}, err
	}
	name, _, _ := strings.Cut(string(version), " ")
	return made{filepath.Join(dir, "dist"), name}, nil
}

func command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	return cmd
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.New(strings.Join(cmd.Args, " ") + ": " + err.Error() + "\n" + string(out))
	}
	return nil
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, stderr.String())
	}
	return string(out)
}

// goEnv is where the go command keeps what another HOME would have it fetch anew.
func goEnv(t *testing.T) []string {
	t.Helper()
	var env []string
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		env = append(env, name+"="+strings.TrimSpace(output(t, exec.Command("go", "env", name))))
	}
	return env
}

// TestReproducible: from the tarball of the sources, elsewhere and by somebody with
// other settings, the same bytes are made as from the clone.
func TestReproducible(t *testing.T) {
	first := packages(t)
	other := t.TempDir()
	if err := run(exec.Command("tar", "-xzf", filepath.Join(first.dir, "ipctrace-"+first.version+".tar.gz"), "-C", other)); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(other, "ipctrace-"+first.version)
	cmd := command(dir, "bash", "-c", "umask 077; find . -exec touch {} +; make -s deb")
	cmd.Env = append(append(os.Environ(), goEnv(t)...), "HOME="+t.TempDir(), "TMPDIR="+t.TempDir(), "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8",
		"GOFLAGS=-tags=other", "GOAMD64=v3", "DESTDIR=/nonexistent", "PREFIX=/nonexistent", "VERSION=1")
	second, err := makeIn(dir, cmd)
	if err != nil {
		t.Fatal(err)
	}
	names := listed(t, first.dir)
	if diff := cmp.Diff(names, listed(t, second.dir)); diff != "" {
		t.Fatal(diff)
	}
	if want := 1 + 1 + 2*3; len(names) != want { // sums, sources, and of each architecture a tarball, an SBOM, a package
		t.Errorf("%d files, want %d: %q", len(names), want, names)
	}
	for _, name := range names {
		if !bytes.Equal(read(t, filepath.Join(first.dir, name)), read(t, filepath.Join(second.dir, name))) {
			t.Errorf("%s is not the same twice", name)
		}
	}
	output(t, command(first.dir, "sha256sum", "--check", "--strict", "SHA256SUMS"))
}

func listed(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unpacked is the directory that the tarball of an architecture unpacks to.
func (m made) unpacked(t *testing.T, arch string) string {
	t.Helper()
	name := "ipctrace-" + m.version + "-linux-" + arch
	dir := t.TempDir()
	output(t, exec.Command("tar", "-xzf", filepath.Join(m.dir, name+".tar.gz"), "-C", dir))
	return filepath.Join(dir, name)
}

// TestTarball: the program runs out of it, says the version of its name, and the rest is
// where /usr/local has it.
func TestTarball(t *testing.T) {
	m := packages(t)
	for _, arch := range []string{"amd64", "arm64"} {
		dir := m.unpacked(t, arch)
		for _, name := range []string{"bin/ipctrace", "share/man/man8/ipctrace.8", "lib/systemd/system/ipctrace.service",
			"share/bash-completion/completions/ipctrace", "share/zsh/site-functions/_ipctrace",
			"share/fish/vendor_completions.d/ipctrace.fish", "share/doc/ipctrace/README.md", "share/doc/ipctrace/sbom.json"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
		built := output(t, exec.Command("go", "version", "-m", filepath.Join(dir, "bin/ipctrace")))
		for _, want := range []string{"GOARCH=" + arch, "CGO_ENABLED=0", "-trimpath=true"} {
			if !strings.Contains(built, want) {
				t.Errorf("%s: not built with %s", arch, want)
			}
		}
	}
	said := output(t, exec.Command(filepath.Join(m.unpacked(t, runtime.GOARCH), "bin/ipctrace"), "version"))
	if !strings.Contains(said, m.version) {
		t.Errorf("ipctrace version says %q, want %s", said, m.version)
	}
}

// sbom is what is looked at of an SBOM in CycloneDX's format.
type sbom struct {
	BOMFormat    string `json:"bomFormat"`
	SpecVersion  string `json:"specVersion"`
	SerialNumber string `json:"serialNumber"`
	Metadata     struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	} `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []struct {
		Ref string `json:"ref"`
	} `json:"dependencies"`
}

type component struct {
	Ref      string `json:"bom-ref"`
	Name     string `json:"name"`
	Version  string `json:"version"`
	PURL     string `json:"purl"`
	Evidence struct {
		Licenses []any `json:"licenses"`
	} `json:"evidence"`
}

// TestSBOM: it lists what the program says is linked into it, and no more, each with a
// licence; and the texts of the licences are there.
func TestSBOM(t *testing.T) {
	m := packages(t)
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			dir := m.unpacked(t, arch)
			text := read(t, filepath.Join(dir, "share/doc/ipctrace/sbom.json"))
			if !bytes.Equal(text, read(t, filepath.Join(m.dir, "ipctrace-"+m.version+"-linux-"+arch+".cdx.json"))) {
				t.Error("the SBOM in the tarball is not the one beside it")
			}
			var s sbom
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			checkHead(t, &s, m.version, arch)
			want := linked(t, filepath.Join(dir, "bin/ipctrace"))
			if diff := cmp.Diff(want, names(s.Components)); diff != "" {
				t.Error(diff)
			}
			checkLicences(t, &s, string(read(t, filepath.Join(dir, "share/doc/ipctrace/licences.txt"))))
		})
	}
}

func checkHead(t *testing.T, s *sbom, version, arch string) {
	t.Helper()
	if s.BOMFormat != "CycloneDX" || s.SpecVersion != "1.6" || s.SerialNumber != "" || s.Metadata.Timestamp != "" {
		t.Errorf("format %q %q, serial number %q, time %q", s.BOMFormat, s.SpecVersion, s.SerialNumber, s.Metadata.Timestamp)
	}
	of := s.Metadata.Component
	if of.Version != version || !strings.Contains(of.PURL, "goarch="+arch) {
		t.Errorf("it is of %q, %q", of.Version, of.PURL)
	}
	refs := map[string]bool{of.Ref: true}
	for _, c := range s.Components {
		if refs[c.Ref] {
			t.Errorf("%s is there twice", c.Ref)
		}
		refs[c.Ref] = true
	}
	for _, d := range s.Dependencies {
		if !refs[d.Ref] {
			t.Errorf("dependencies of %s, which is no component", d.Ref)
		}
	}
}

// linked are the modules that go says a program has.
func linked(t *testing.T, program string) []string {
	t.Helper()
	text := output(t, exec.Command("go", "version", "-m", program))
	all := []string{"std " + regexp.MustCompile(`go1\S*`).FindString(text)}
	for _, dep := range regexp.MustCompile(`(?m)^\tdep\t(\S+)\t(\S+)`).FindAllStringSubmatch(text, -1) {
		all = append(all, dep[1]+" "+dep[2])
	}
	slices.Sort(all)
	return all
}

func names(components []component) []string {
	var all []string
	for _, c := range components {
		all = append(all, c.Name+" "+c.Version)
	}
	slices.Sort(all)
	return all
}

func checkLicences(t *testing.T, s *sbom, texts string) {
	t.Helper()
	for _, c := range s.Components {
		module := c.Name + " " + c.Version
		if c.Name == "std" { // whose licence is no module's
			module = "Go " + c.Version
		} else if len(c.Evidence.Licenses) == 0 {
			t.Errorf("%s: no licence", module)
		}
		if !strings.Contains(texts, "\n"+module+"\n") {
			t.Errorf("%s: no text of a licence", module)
		}
	}
}
