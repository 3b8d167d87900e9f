package snapshot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/nsresolve"
	"go.uber.org/goleak"
)

// takeOnly makes the test binary a program that takes a snapshot, tells of it
// and exits. It runs as other users.
const takeOnly = "IPCTRACE_TEST_SNAPSHOT"

// The main thread never ends, so no test that moves its thread may have it.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	if os.Getenv(takeOnly) != "" {
		os.Exit(tell())
	}
	goleak.VerifyTestMain(m)
}

// told is what is said of a namespace.
type told struct {
	Inode uint64
	Err   string
}

func tell() int {
	s, err := snapshot.Take(context.Background(), nsresolve.New(snapshot.Options(nsresolve.Options{})))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for _, n := range s.Namespaces {
		t := told{Inode: n.Inode}
		if n.Err != nil {
			t.Err = n.Err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
			return 1
		}
	}
	return 0
}
