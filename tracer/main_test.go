package tracer_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/ipctrace/ipctrace/tracer"
	"go.uber.org/goleak"
)

// openOnly makes the test binary a program that opens a tracer of the tier that
// the variable names, tells how that went and exits. It runs as other users.
const openOnly = "IPCTRACE_TEST_OPEN"

// Tests that enter namespaces do it on threads of their own, which end with it.
// The main thread never ends: no test gets it.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if tier := os.Getenv(openOnly); tier != "" {
		os.Exit(tellOpen(tier))
	}
	goleak.VerifyTestMain(m)
}

func tellOpen(name string) int {
	tier, err := tracer.ParseTier(name)
	if err != nil {
		fmt.Println(err)
		return 2
	}
	t, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: 1 << 16})
	switch {
	case errors.Is(err, tracer.ErrPrivilege):
		fmt.Println("ErrPrivilege:", err)
		return 3
	case err != nil:
		fmt.Println(err)
		return 1
	}
	defer t.Close()
	fmt.Println("attached", t.Tier())
	return 0
}
