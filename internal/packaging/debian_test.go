package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// debian is a Debian with nothing in it, in a directory.
type debian struct {
	t   *testing.T
	dir string
}

// inRoot runs its arguments in the root $0, with /proc and /sys, in a mount namespace
// that ends with them.
const inRoot = `mount -t proc proc "$0/proc" && mount --rbind /sys "$0/sys" && exec chroot "$0" "$@"`

func newDebian(t *testing.T) *debian {
	t.Helper()
	kerneltest.NeedRoot(t)
	for _, name := range []string{"debootstrap", "unshare", "chroot"} {
		kerneltest.NeedProgram(t, name)
	}
	clean := strings.TrimSpace(output(t, exec.Command("./cleanroot")))
	dir := filepath.Join(t.TempDir(), "root")
	output(t, exec.Command("cp", "-a", "--reflink=auto", clean, dir))
	return &debian{t, dir}
}

func (d *debian) command(args ...string) *exec.Cmd {
	cmd := exec.Command("unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", inRoot, d.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TERM=dumb", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

func (d *debian) run(args ...string) string {
	d.t.Helper()
	return output(d.t, d.command(args...))
}

// install has dpkg install a package that is outside, and answers no questions.
func (d *debian) install(deb string) {
	d.t.Helper()
	output(d.t, exec.Command("cp", deb, filepath.Join(d.dir, "ipctrace.deb")))
	d.run("dpkg", "-i", "/ipctrace.deb")
	if err := os.Remove(filepath.Join(d.dir, "ipctrace.deb")); err != nil {
		d.t.Fatal(err)
	}
}

// files are those that there are, but for what dpkg and man-db keep for themselves and
// what is gone with the next boot.
func (d *debian) files() []string {
	d.t.Helper()
	var files []string
	for line := range strings.Lines(output(d.t, command(d.dir, "find", ".", "-mindepth", "1", "-printf", "%P %y %l\n"))) {
		others := slices.ContainsFunc([]string{"run/", "var/log/dpkg.log", "var/cache/man/"}, func(dir string) bool { return strings.HasPrefix(line, dir) })
		if !others && (!strings.HasPrefix(line, "var/lib/dpkg/") || strings.Contains(line, "ipctrace")) {
			files = append(files, strings.TrimSpace(line))
		}
	}
	slices.Sort(files)
	return files
}

func (d *debian) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

func (m made) deb(arch string) string {
	return filepath.Join(m.dir, "ipctrace_"+m.version+"_"+arch+".deb")
}

// older is the package of an older version of the same.
func (m made) older(t *testing.T) string {
	t.Helper()
	dir, name := filepath.Join(scratch, "older"), "ipctrace-0.0.0-rc1-linux-"+runtime.GOARCH
	deb := filepath.Join(dir, "ipctrace_0.0.0~rc1_"+runtime.GOARCH+".deb")
	if _, err := os.Stat(deb); err == nil {
		return deb
	}
	tree := m.unpacked(t, runtime.GOARCH)
	output(t, exec.Command("mkdir", dir))
	output(t, exec.Command("tar", "-C", filepath.Dir(tree), "--transform", "s#^[^/]*#"+name+"#", "-czf", filepath.Join(dir, name+".tar.gz"), filepath.Base(tree)))
	output(t, exec.Command("./deb", filepath.Join(dir, name+".tar.gz")))
	return deb
}

// TestLintian: Debian's own tool finds nothing wrong with the packages.
func TestLintian(t *testing.T) {
	m := packages(t)
	lintian := kerneltest.NeedProgram(t, "lintian")
	said := output(t, exec.Command(lintian, "--allow-root", "--fail-on", "error,warning,info", m.deb("amd64"), m.deb("arm64")))
	if said != "" {
		t.Error(said)
	}
}

// TestDebian is the life of a package: installed in a clean root, used, replaced by the
// next version, removed, purged, after which nothing of it is left.
func TestDebian(t *testing.T) {
	m, d := packages(t), newDebian(t)
	before := d.files()
	d.install(m.older(t))
	checkInstalled(d)

	const mine = "metrics:\n  listen: 127.0.0.1:9465\n"
	d.write("etc/ipctrace/serve.yaml", mine)
	d.install(m.deb(runtime.GOARCH))
	if said := d.run("ipctrace", "version"); !strings.Contains(said, m.version) {
		t.Errorf("upgraded: %s", said)
	}
	if got := d.run("cat", "/etc/ipctrace/serve.yaml"); got != mine {
		t.Errorf("the upgrade made the configuration %q", got)
	}
	d.write("var/lib/private/ipctrace/seals", "kept")
	d.run("ln", "-s", "private/ipctrace", "/var/lib/ipctrace")

	d.run("dpkg", "-r", "ipctrace")
	if got := d.run("cat", "/etc/ipctrace/serve.yaml", "/var/lib/ipctrace/seals"); got != mine+"kept" {
		t.Errorf("removed: of what is to be kept there is %q", got)
	}
	if d.command("ipctrace", "version").Run() == nil {
		t.Error("removed: the program is still there")
	}

	d.run("dpkg", "-P", "ipctrace")
	if diff := cmp.Diff(before, d.files()); diff != "" {
		t.Errorf("purged: left behind:\n%s", diff)
	}
}

// checkInstalled uses what was installed.
func checkInstalled(d *debian) {
	t := d.t
	t.Helper()
	if said := d.run("dpkg", "--verify", "ipctrace"); said != "" {
		t.Errorf("dpkg --verify: %s", said)
	}
	d.run("ipctrace", "version")
	if said := d.run("ipctrace", "doctor"); !strings.Contains(said, "tier") {
		t.Errorf("doctor: %s", said)
	}
	if said := d.run("man", "ipctrace"); !strings.Contains(said, "NAMESPACE") && !strings.Contains(said, "namespace") {
		t.Errorf("man ipctrace: %s", said)
	}
	if said := d.run("systemd-analyze", "verify", "ipctrace.service"); said != "" {
		t.Errorf("systemd-analyze: %s", said)
	}
	enabled, _ := d.command("systemctl", "is-enabled", "ipctrace.service").Output()
	if string(enabled) != "disabled\n" {
		t.Errorf("the unit is %q", enabled)
	}
}

// TestDebianSystemd: where systemd runs it is told, and what the administrator chose
// holds: nothing is started unasked, what runs is restarted by an upgrade and stopped by
// a removal, and what was enabled is so again after it.
func TestDebianSystemd(t *testing.T) {
	m, d := packages(t), newDebian(t)
	d.write("run/systemd/system/.keep", "")
	d.write("usr/local/bin/systemctl", "#!/bin/sh\necho \"$@\" >>/systemctl.log\nexec /usr/bin/systemctl --root=/ \"$@\" 2>/dev/null || :\n")
	told := func() string { // what systemctl was called with since, but for how often it reloaded
		log := filepath.Join(d.dir, "systemctl.log")
		calls := strings.Split(strings.ReplaceAll(string(read(t, log)), "--system ", ""), "\n")
		output(t, exec.Command("rm", log))
		return strings.Join(slices.Compact(calls), "\n")
	}
	older := m.older(t)
	upgrade := func() { d.install(m.deb(runtime.GOARCH)) }
	for _, step := range []struct {
		name string
		do   func()
		told string
	}{
		{"install", func() { d.install(older) }, "daemon-reload\n"},
		{"enable", func() { d.run("systemctl", "enable", "ipctrace.service") }, "enable ipctrace.service\n"},
		{"upgrade", upgrade, "daemon-reload\ntry-restart ipctrace.service\n"},
		{"remove", func() { d.run("dpkg", "-r", "ipctrace") }, "stop ipctrace.service\ndaemon-reload\n"},
		{"install again", upgrade, "daemon-reload\ntry-restart ipctrace.service\n"},
	} {
		step.do()
		if diff := cmp.Diff(step.told, told()); diff != "" {
			t.Errorf("%s: systemctl was called with: %s", step.name, diff)
		}
	}
	if enabled, _ := d.command("/usr/bin/systemctl", "--root=/", "is-enabled", "ipctrace.service").Output(); string(enabled) != "enabled\n" {
		t.Errorf("it was enabled, was removed, is installed again, and is %q", enabled)
	}
	d.run("dpkg", "-P", "ipctrace")
	if got := output(t, command(d.dir, "find", "etc/systemd", "var/lib/systemd", "-name", "*ipctrace*")); got != "" {
		t.Errorf("purged: left behind: %s", got)
	}
}
