package tracer

import (
	"errors"
	"fmt"
	"time"
)

// What [Open] returns, possibly wrapped; test with [errors.Is].
var (
	// ErrPrivilege: the process may not load these programs.
	ErrPrivilege = errors.New("needs CAP_BPF and CAP_PERFMON in the initial user namespace: run with sudo")
	// ErrNoBTF: the kernel does not describe its own types.
	ErrNoBTF = errors.New("this kernel has no BTF (/sys/kernel/btf/vmlinux): needs CONFIG_DEBUG_INFO_BTF=y")
	// ErrNoHooks: the hooks that were asked for do not attach.
	ErrNoHooks = errors.New("hooks do not attach")
)

// ErrRingFull is what every [*Loss] is, by [errors.Is].
var ErrRingFull = errors.New("ring buffer full")

// Loss says that events are missing at this place in the stream. [Tracer.Events]
// yields it as an error and goes on.
type Loss struct {
	Count    uint64    // events lost, 1 and up
	From, To time.Time // between these two moments
}

// Error implements error.
func (l *Loss) Error() string {
	return fmt.Sprintf("%d events lost between %s and %s: %v", l.Count,
		l.From.Format(time.RFC3339Nano), l.To.Format(time.RFC3339Nano), ErrRingFull)
}

// Is reports that every Loss is [ErrRingFull].
func (l *Loss) Is(target error) bool { return target == ErrRingFull }
