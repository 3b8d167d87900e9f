package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// selfTestTime is how long what the self-test made may take to be seen.
const selfTestTime = 5 * time.Second

// sighting is an object in a namespace.
type sighting struct {
	inode uint32
	id    int32
}

// selfTest makes a queue in an IPC namespace of its own, and waits until the hooks
// have told of it, whatever the filters leave out.
func (s *server) selfTest(ctx context.Context) error {
	seen := make(chan sighting, 1)
	s.trace.spy(func(raw *tracer.Event) {
		if raw.Kind != tracer.Msg || raw.Action != tracer.ActionCreate && raw.Action != tracer.ActionGet {
			return
		}
		select {
		case seen <- sighting{raw.Namespace, raw.ID}:
		default:
		}
	})
	defer s.trace.spy(nil)
	probe, err := makeProbe()
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	defer probe.end()
	timeout := time.NewTimer(selfTestTime)
	defer timeout.Stop()
	for {
		select {
		case m := <-seen:
			if m == probe.made {
				return nil
			}
		case <-timeout.C:
			return fmt.Errorf("%w: queue %d, made in IPC namespace %d, was not seen within %v", errUnseen, probe.made.id, probe.made.inode, selfTestTime)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// errUnseen: the hooks are there, and do not see.
var errUnseen = errors.New("self-test failed")

// probe is a queue in a namespace that one thread alone is in. It is there until end:
// the namespace, and with it the queue, goes with the thread.
type probe struct {
	made sighting
	over chan struct{}
}

func makeProbe() (*probe, error) {
	p := &probe{over: make(chan struct{})}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine
		result <- p.make()
		<-p.over
	}()
	err := <-result
	if err != nil {
		p.end()
	}
	return p, err
}

func (p *probe) end() { close(p.over) }

func (p *probe) make() error {
	if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%w: make an IPC namespace: needs CAP_SYS_ADMIN: run with sudo, or without --self-test", errCannot)
		}
		return fmt.Errorf("make an IPC namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/ipc", &st); err != nil {
		return fmt.Errorf("number of the IPC namespace: %w", err)
	}
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0)
	if errno != 0 {
		return fmt.Errorf("make a queue: %w", errno)
	}
	p.made = sighting{uint32(st.Ino), int32(id)}
	return nil
}
