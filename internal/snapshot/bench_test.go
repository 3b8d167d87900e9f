package snapshot_test

import (
	"bufio"
	"errors"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/nsresolve"
	"golang.org/x/sys/unix"
)

// BenchmarkSnapshot takes snapshots of 200 namespaces with 5,000 processes and
// 600 objects in them, by turns with lsns, which says nothing of objects. x-lsns
// is how many times as long as lsns it takes.
func BenchmarkSnapshot(b *testing.B) {
	lsns := kerneltest.NeedProgram(b, "lsns")
	crowd(b, 200, 25)
	for name, o := range sources() {
		b.Run(name, func(b *testing.B) {
			r := nsresolve.New(o)
			_, _ = snapshot.Take(b.Context(), r) // loads what is loaded once
			var own, other time.Duration
			var s *snapshot.Snapshot
			for b.Loop() {
				begun := time.Now()
				var err error
				if s, err = snapshot.Take(b.Context(), r); err != nil {
					b.Fatal(err)
				}
				own += time.Since(begun)
				begun = time.Now()
				if out, err := exec.Command(lsns, "-t", "ipc").CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				other += time.Since(begun)
			}
			processes, objects := 0, 0
			for _, n := range s.Namespaces {
				processes += len(n.Processes)
				objects += len(n.Objects)
			}
			b.ReportMetric(float64(own.Nanoseconds())/float64(b.N), "ns/op")
			b.ReportMetric(float64(own)/float64(other), "x-lsns")
			b.ReportMetric(float64(len(s.Namespaces)), "namespaces")
			b.ReportMetric(float64(processes), "processes")
			b.ReportMetric(float64(objects), "objects")
		})
	}
}

// crowd starts processes in namespaces of their own, each with three objects.
func crowd(b *testing.B, namespaces, processes int) {
	b.Helper()
	kerneltest.NeedRoot(b)
	unshare := kerneltest.NeedProgram(b, "unshare")
	script := fmt.Sprintf(`ipcmk -Q -M 4096 -S 1 >&2
		i=1; while [ $i -lt %d ]; do sleep 3600 >/dev/null & i=$((i+1)); done; echo; wait`, processes)
	for range namespaces {
		cmd := exec.Command(unshare, "--ipc", "sh", "-c", script)
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		stdout, err := cmd.StdoutPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
			_ = cmd.Wait()
		})
		if _, err := bufio.NewReader(stdout).ReadByte(); err != nil {
			b.Fatal(err)
		}
	}
}
