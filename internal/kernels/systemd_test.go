package kernels

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestSystemd: deploy/ipctrace.service, run by this machine's systemd as the first
// process of a guest, does what docs/privileges.md says of it.
func TestSystemd(t *testing.T) {
	if os.Getenv("IPCTRACE_KERNELS_TEST") != "1" {
		t.Skip("make test-kernels runs it")
	}
	if os.Geteuid() != 0 || runtime.GOARCH != "amd64" {
		t.Skip("n/a: needs root, and a kernel of the matrix for this machine's systemd: amd64")
	}
	kerneltest.NeedProgram(t, "systemd-analyze")
	kerneltest.NeedProgram(t, "cpio")
	entries, err := Matrix()
	if err != nil {
		t.Fatal(err)
	}
	const name = "amd64-6.12"
	entries, err = Select(entries, name)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := Fetch(t.Context(), "./fetch.sh", cache, entries...); err != nil {
		unavailable(t, err)
	}
	console := string(bootSystemd(t, cache, entries[0]))
	told := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^PROBE (\S+) ?(.*?)\r?$`).FindAllStringSubmatch(console, -1) {
		told[m[1]] = m[2]
	}
	for what, want := range map[string]string{
		"state":    `active`,
		"status":   `fentry tier, metrics and health on 127\.0\.0\.1:9464.*`,
		"threads":  `CapAmb: 0+;CapEff: 0+280004;CapPrm: 0+280004;NoNewPrivs: 1;Seccomp: 2;`,
		"healthz":  `ok`,
		"events":   `[1-9]\d*`,
		"objects":  `1`,
		"limits":   `1`,
		"reload":   `0`,
		"recorded": `[1-9]\d*`,
		"restarts": `1 active`,
		"stop":     `success 0`,
	} {
		if !regexp.MustCompile("^" + want + "$").MatchString(told[what]) {
			t.Errorf("%s: %q, want %s", what, told[what], want)
		}
	}
	if t.Failed() {
		t.Logf("console:\n%s", console)
	}
}

func bootSystemd(t *testing.T, cache string, e Entry) []byte {
	t.Helper()
	dir := t.TempDir()
	builds := &builds{root: moduleRoot(t), dir: dir}
	for _, program := range []string{"./cmd/ipctrace", "./internal/ipcmaker"} {
		if err := builds.goBuild(e.Arch, "build", "-o", filepath.Join(dir, filepath.Base(program)), program); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(dir, "initramfs")
	out, err := exec.Command("systemd/pack", e.busyboxPath(cache), filepath.Join(dir, "ipctrace"), filepath.Join(dir, "ipcmaker"),
		"../../deploy/ipctrace.service", image).CombinedOutput()
	if err != nil {
		t.Fatalf("pack: %v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	console, err := Boot(ctx, e.Arch, e.kernelPath(cache), image)
	if err != nil && !strings.Contains(string(console), "PROBE end") {
		t.Errorf("%v", err)
	}
	return console
}
