package tracer_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// BenchmarkCall is what a call costs its caller, bare and with each tier: a call
// that is traced, and one that is not. Read the ratios. Of the traced calls, it
// also says how many were lost.
func BenchmarkCall(b *testing.B) {
	kerneltest.NeedRoot(b)
	missing := uintptr(key()) // a key that leads nowhere: the call looks it up and fails
	calls := map[string]func(){
		"msgget":  func() { unix.RawSyscall(unix.SYS_MSGGET, missing, 0, 0) },
		"getppid": func() { unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) },
	}
	for name, call := range calls {
		b.Run(name+"/bare", func(b *testing.B) {
			for b.Loop() {
				call()
			}
		})
		for _, tier := range kerneltest.Tiers() {
			b.Run(name+"/"+tier.String(), func(b *testing.B) { benchTraced(b, tier, call) })
		}
	}
}

func benchTraced(b *testing.B, tier tracer.Tier, call func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tr, err := tracer.Open(tracer.Config{Tier: tier})
	if err != nil {
		b.Fatal(err)
	}
	read := make(chan error, 1)
	go func() {
		for _, err := range tr.Events() {
			if err != nil && !errors.Is(err, tracer.ErrRingFull) && !errors.Is(err, tracer.ErrSkipped) {
				read <- err
				return
			}
		}
		read <- nil
	}()
	for b.Loop() {
		call()
	}
	b.StopTimer()
	tr.Stop()
	if err := <-read; err != nil {
		b.Error(err)
	}
	tr.Close()
	if s := tr.Stats(); s.Produced > 0 {
		b.ReportMetric(float64(s.Lost)/float64(s.Produced), "lost/event")
	}
}
