package tracer

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKernelAttempts: an attempt that is given up tells nothing, and leaves the next
// one all that it needs.
func TestKernelAttempts(t *testing.T) {
	needRoot(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with its namespace
		attempts(t)
	}()
	<-done
}

func attempts(t *testing.T) {
	var own unix.Stat_t
	if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
		t.Error(err)
		return
	}
	if err := unix.Stat("/proc/thread-self/ns/ipc", &own); err != nil {
		t.Error(err)
		return
	}
	cfg := Config{RingBytes: 1 << 16, Namespaces: []uint32{uint32(own.Ino)}}
	l, err := newLoader(cfg)
	if err != nil {
		t.Error(err)
		return
	}
	defer l.close()
	var last *Tracer
	for _, tier := range []Tier{Fentry, Syscall, Syscall} {
		attempt, err := attachAll(cfg, tier, tier.hooks(), l)
		if err != nil {
			continue
		}
		if last != nil {
			last.release()
		}
		last = attempt
		msgget(t)
	}
	if last == nil {
		t.Error("no tier attaches")
		return
	}
	if err := last.begin(l); err != nil {
		last.release()
		t.Error(err)
		return
	}
	defer last.Close()
	id := msgget(t)
	last.Stop()
	var made []int32
	for e, err := range last.Events() {
		if errors.Is(err, ErrSkipped) {
			t.Log(err) // of a stranger's call, or the queue will be missing
			continue
		}
		if err != nil {
			t.Error(err)
		}
		if e.Action == ActionCreate && e.Kind == Msg {
			made = append(made, e.ID)
		}
	}
	if len(made) != 1 || made[0] != id {
		t.Errorf("told that queues %v were made, want %d", made, id)
	}
}

func msgget(t *testing.T) int32 {
	t.Helper()
	id, _, e := unix.Syscall(unix.SYS_MSGGET, 0, 0o600, 0)
	if e != 0 {
		t.Error(e)
	}
	return int32(id)
}
