package packaging_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestVersion: each commit has a version that is greater than that of the one before it,
// as dpkg compares them.
func TestVersion(t *testing.T) {
	kerneltest.NeedProgram(t, "git")
	dpkg := kerneltest.NeedProgram(t, "dpkg")
	dir := t.TempDir()
	output(t, exec.Command("install", "-D", "version", filepath.Join(dir, "internal/packaging/version")))
	git := func(args ...string) {
		t.Helper()
		output(t, command(dir, "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@localhost"}, args...)...))
	}
	git("init", "-q")
	before := "0"
	for _, step := range []struct{ time, tag, want string }{
		{"2026-01-01T00:00:00Z", "", `0\.0\.0\+20260101000000\.g[0-9a-f]{12}`},
		{"2026-01-01T00:00:01Z", "", `0\.0\.0\+20260101000001\.g[0-9a-f]{12}`},
		{"2026-01-02T00:00:00+02:00", "v1.9.0", `1\.9\.0`},
		{"2026-01-03T00:00:00+02:00", "", `1\.9\.0\+20260102220000\.g[0-9a-f]{12}`},
		{"2026-01-04T00:00:00Z", "other", `1\.9\.0\+20260104000000\.g[0-9a-f]{12}`},
		{"2026-01-05T00:00:00Z", "v1.10.0", `1\.10\.0`},
	} {
		t.Setenv("GIT_COMMITTER_DATE", step.time)
		git("commit", "-q", "--allow-empty", "-m", "a commit")
		if step.tag != "" {
			git("tag", step.tag)
		}
		version, seconds, _ := strings.Cut(output(t, command(dir, "internal/packaging/version")), " ")
		if !regexp.MustCompile("^" + step.want + "$").MatchString(version) {
			t.Errorf("the version is %q, want %s", version, step.want)
		}
		if want := output(t, command(dir, "git", "log", "-1", "--format=%ct")); seconds != want {
			t.Errorf("its time is %q, want %q", seconds, want)
		}
		output(t, exec.Command(dpkg, "--compare-versions", version, "gt", before))
		before = version
	}
	output(t, exec.Command("sh", "-c", `echo "2.0.0 1" >"$0/VERSION"`, dir))
	if got := output(t, command(dir, "internal/packaging/version")); got != "2.0.0 1\n" {
		t.Errorf("of a tarball it is %q", got)
	}
	output(t, exec.Command("rm", "-r", filepath.Join(dir, "VERSION"), filepath.Join(dir, ".git")))
	if said, err := command(dir, "internal/packaging/version").CombinedOutput(); err == nil || !strings.Contains(string(said), "build from a clone") {
		t.Errorf("without either: %v: %s", err, said)
	}
}
