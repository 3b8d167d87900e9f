package kernels

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// CacheDir is where fetch.sh keeps what it fetched.
func CacheDir() (string, error) {
	if dir := os.Getenv("IPCTRACE_KERNELS"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the kernels, set IPCTRACE_KERNELS: %w", err)
	}
	return filepath.Join(dir, "ipctrace", "kernels"), nil
}

// kernelPath is the entry's kernel image in the cache.
func (e Entry) kernelPath(cache string) string {
	return filepath.Join(cache, e.Name, "vmlinuz")
}

// busyboxPath is a static busybox of the entry's architecture in the cache.
func (e Entry) busyboxPath(cache string) string {
	return filepath.Join(cache, "busybox-"+e.Arch)
}

// Fetched reports whether all is there that running the entry takes.
func (e Entry) Fetched(cache string) bool {
	for _, path := range []string{e.kernelPath(cache), e.busyboxPath(cache)} {
		if _, err := os.Stat(path); err != nil {
			return false
		}
	}
	_, err := exec.LookPath(machines[e.Arch].program)
	return err == nil
}

// Fetch has fetch.sh, which is at script, bring the entries into the cache. Its
// error matters to those that are not there then.
func Fetch(ctx context.Context, script, cache string, entries ...Entry) error {
	args := []string{cache}
	for _, e := range entries {
		args = append(args, e.Name)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, script, args...)
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("fetch.sh: %w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	return nil
}
