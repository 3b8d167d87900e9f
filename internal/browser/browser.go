// Package browser has headless Chromium look at pages, for tests: a script that
// Playwright runs. The program does not link it.
package browser

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// What npm installs, and the hashes of it.
var (
	//go:embed package.json
	manifest []byte
	//go:embed package-lock.json
	lock []byte
)

// Run runs a script with node, which finds playwright-core and axe-core, and Chromium
// by CHROMIUM. What it writes goes to the test's log; that it fails, fails the test.
// Where the programs or the packages cannot be had, the test is skipped; in CI it fails.
func Run(t *testing.T, script string, args ...string) {
	t.Helper()
	node, chromium := kerneltest.NeedProgram(t, "node"), kerneltest.NeedProgram(t, "chromium")
	modules, err := install(kerneltest.NeedProgram(t, "npm"))
	if err != nil {
		kerneltest.Lacks(t, err.Error())
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{script}, args...)...)
	cmd.Env = append(os.Environ(), "NODE_PATH="+modules, "CHROMIUM="+chromium)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("%s: %v", filepath.Base(script), err)
	}
}

// install is where the packages are. The first time they are fetched.
func install(npm string) (modules string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for what the browser tests need: %w", err)
	}
	sum := sha256.Sum256(append(bytes.Clone(manifest), lock...))
	dir := filepath.Join(cache, "ipctrace", "browser", hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	held, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil { // another test may be at it
		return "", err
	}
	modules = filepath.Join(dir, "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return modules, nil
	}
	for name, text := range map[string][]byte{"package.json": manifest, "package-lock.json": lock} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return "", err
		}
	}
	cmd := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci for the browser tests: %w: %s", err, bytes.TrimSpace(out))
	}
	return modules, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o644)
}
