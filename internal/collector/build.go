// Package collector is the OpenTelemetry Collector, for tests: built from its
// modules, as builder.yaml says, and run. The program does not link it.
package collector

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed builder.yaml
var manifest []byte

// builder makes a collector of modules.
const builder = "go.opentelemetry.io/collector/cmd/builder@v0.165.0"

// CacheDir is where collectors are kept that were built.
func CacheDir() (string, error) {
	if dir := os.Getenv("IPCTRACE_COLLECTOR"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for the collector, set IPCTRACE_COLLECTOR: %w", err)
	}
	return filepath.Join(dir, "ipctrace", "collector"), nil
}

// Build is the path of the collector. The first time takes a minute or two, and needs
// a module proxy.
func Build(ctx context.Context) (string, error) {
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(builder), manifest...))
	path := filepath.Join(cache, hex.EncodeToString(sum[:8]))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil { // another test may be building it
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	return path, build(ctx, path)
}

func build(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".build-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "builder.yaml"), manifest, 0o644); err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "run", builder, "--config", "builder.yaml")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath")
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build a collector: %w\n%s", err, bytes.TrimSpace(out.Bytes()))
	}
	return os.Rename(filepath.Join(dir, "collector", "collector"), path)
}
