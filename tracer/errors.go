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
	// ErrMemlock: before Linux 5.11, what programs may lock in memory is too little.
	ErrMemlock = errors.New("RLIMIT_MEMLOCK is too low: run «ulimit -l unlimited» first")
	// ErrNoBTF: the kernel does not describe its own types.
	ErrNoBTF = errors.New("this kernel has no BTF (/sys/kernel/btf/vmlinux): needs CONFIG_DEBUG_INFO_BTF=y")
	// ErrConfig: the Config asks for what cannot be.
	ErrConfig = errors.New("bad configuration")
	// ErrNoHooks: the hooks that were asked for do not attach.
	ErrNoHooks = errors.New("hooks do not attach")
)

// What a [*Loss] is, by [errors.Is].
var (
	// ErrRingFull: events found no room. The count is exact.
	ErrRingFull = errors.New("ring buffer full")
	// ErrSkipped: the kernel skipped runs of a hook, because the program was
	// itself interrupted on that CPU and does not nest. Each may stand for one
	// event, or for none that the filters, or the tier, would have let through:
	// the count is the most it can be. An object.open of that moment may have
	// been a creation.
	ErrSkipped = errors.New("hook skipped by the kernel")
)

// Loss says that events are missing at this place in the stream. [Tracer.Events]
// yields it as an error and goes on.
type Loss struct {
	Count    uint64        // events lost, 1 and up
	From, To time.Time     // between these two moments
	Boot     time.Duration // CLOCK_BOOTTIME of To
	Cause    error         // ErrRingFull or ErrSkipped
}

// Error implements error.
func (l *Loss) Error() string {
	return fmt.Sprintf("%d events lost between %s and %s: %v", l.Count,
		l.From.Format(time.RFC3339Nano), l.To.Format(time.RFC3339Nano), l.Cause)
}

// Unwrap is the cause.
func (l *Loss) Unwrap() error { return l.Cause }
