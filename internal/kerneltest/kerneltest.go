// Package kerneltest is what the tests on a real kernel share: the right to run
// them, and the programs they are held against.
package kerneltest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// NeedRoot skips where nothing can be loaded; in CI that is a failure.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Lacks(t, "needs root: make test-root")
	}
}

// Lacks ends a test that cannot run here, and says why; in CI that is a failure.
func Lacks(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// NeedProgram finds a program in PATH.
func NeedProgram(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Lacks(t, "needs "+name+": .ci/setup test")
	}
	return path
}

// Guest is the kernel of the matrix that the test runs on, "" outside of it.
func Guest() string { return os.Getenv("IPCTRACE_IN_GUEST") }

// Tiers that this kernel has.
var Tiers = sync.OnceValue(func() []tracer.Tier {
	var have []tracer.Tier
	for _, tier := range []tracer.Tier{tracer.Fentry, tracer.Syscall} {
		if t, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: 1 << 16}); err == nil {
			t.Close()
			have = append(have, tier)
		}
	}
	return have
})

// EachTier runs a test on every tier that this kernel has, as root.
func EachTier(t *testing.T, test func(*testing.T, tracer.Tier)) {
	t.Helper()
	NeedRoot(t)
	if len(Tiers()) == 0 {
		_, err := tracer.Open(tracer.Config{})
		t.Fatalf("no tier attaches: %v", err)
	}
	for _, tier := range Tiers() {
		t.Run(tier.String(), func(t *testing.T) { test(t, tier) })
	}
}

// Maker64 and Maker32 are the paths of internal/ipcmaker, for this machine's ABI
// and for its 32-bit one. The kernel matrix brings them along; elsewhere they
// are built.
func Maker64(t testing.TB) string { return path(t, maker64) }

// Maker32 is the 32-bit one. A test that takes it is skipped where [Have32] says no.
func Maker32(t testing.TB) string {
	t.Helper()
	if !Have32(t) {
		t.Skip("n/a: this kernel runs no 32-bit programs")
	}
	return path(t, maker32)
}

// Have32 says whether the kernel runs 32-bit programs: CONFIG_IA32_EMULATION may be
// missing, switched off at boot, or off in a virtual machine, and newer arm64 cores
// have no such mode. Those of the kernel matrix do.
func Have32(t testing.TB) bool {
	t.Helper()
	if Guest() != "" {
		return true
	}
	err := exec.Command(path(t, maker32), "-h").Run()
	return !errors.Is(err, unix.ENOEXEC)
}

var (
	maker64 = sync.OnceValues(func() (string, error) { return maker("IPCTRACE_MAKER", runtime.GOARCH) })
	maker32 = sync.OnceValues(func() (string, error) {
		return maker("IPCTRACE_MAKER32", map[string]string{"amd64": "386", "arm64": "arm"}[runtime.GOARCH])
	})
)

func path(t testing.TB, maker func() (string, error)) string {
	t.Helper()
	p, err := maker()
	if err != nil {
		t.Fatalf("build ipcmaker: %v", err)
	}
	return p
}

func maker(env, arch string) (string, error) {
	if path := os.Getenv(env); path != "" {
		return path, nil
	}
	cache, err := os.UserCacheDir() // root executes it: nobody else may write there
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "ipctrace", "ipcmaker-"+arch)
	cmd := exec.Command("go", "build", "-o", path, "github.com/ipctrace/ipctrace/internal/ipcmaker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
}

// Public copies the running test binary to where every user can execute it,
// under the given name: it lies in a directory that others may not enter.
func Public(t testing.TB, name string) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ipctrace")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, name)
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}
