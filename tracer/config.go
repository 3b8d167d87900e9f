package tracer

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/cilium/ebpf"
)

// Tier is a set of hooks.
type Tier int

// The tiers.
const (
	Auto    Tier = iota // the first of the following that attaches
	Fentry              // exits of the kernel's own functions: certain, free for other system calls
	Syscall             // the exit of every system call
)

// String is "auto", "fentry" or "syscall".
func (t Tier) String() string { return name(tierNames[:], uint32(t)) }

// ParseTier is the reverse of String.
func ParseTier(s string) (Tier, error) {
	for i, n := range tierNames {
		if s == n {
			return Tier(i), nil
		}
	}
	return 0, fmt.Errorf("unknown hooks %q: auto, fentry or syscall", s)
}

var tierNames = [...]string{Auto: "auto", Fentry: "fentry", Syscall: "syscall"}

// The size of the ring buffer when Config does not say: all CPUs write into it, and
// the reader may have to wait for one of them.
const (
	ringBytesPerCPU = 4 << 20
	leastRingBytes  = 8 << 20
	mostRingBytes   = 64 << 20
)

// DefaultRingBytes is the size of the ring buffer when Config does not say: a power
// of two from 8 to 64 MiB, 4 MiB or more for each CPU that this process may use up
// to that.
func DefaultRingBytes() int {
	size := leastRingBytes
	for size < mostRingBytes && size < runtime.NumCPU()*ringBytesPerCPU {
		size *= 2
	}
	return size
}

// MaxRingBytes is what still fits the kernel's 32 bits with its data mapped twice
// (ringbuf_map_alloc, kernel/bpf/ringbuf.c).
const MaxRingBytes = 1 << 30

// maxSelectors is the room in the kernel's table of filters (bpf/ipctrace.bpf.c).
const maxSelectors = 1024

// Config says what to trace. The zero Config traces everything. What a filter
// leaves out costs no room in the ring buffer; filters of several fields must
// all match, values within a field are alternatives.
type Config struct {
	Tier            Tier
	RingBytes       int      // a power of two from a page to 1 GiB; 0: DefaultRingBytes
	Kinds           []Kind   // none: all
	Namespaces      []uint32 // inode numbers; none: all
	ExceptNamespace uint32   // inode number; 0: none
	PIDs            []uint32 // processes (thread groups), numbers of the initial pid namespace; none: all
	UIDs            []uint32 // real, of the initial user namespace; none: all

	// Follow: of calls only those of processes that [Tracer.Adopt] follows, and in
	// tier Syscall also others' that may have made an object that these found. What
	// ends an object or a namespace is told whoever does it; see Event.Followed.
	Follow bool

	// Cgroup, if not nil, is called by Events with the number and the path of each
	// cgroup (v2) that is made, before it yields what happened in it: so that its path
	// is known also when it is gone by then. The path is from the root of the
	// hierarchy, also within a cgroup namespace: raw bytes, at most 1022. What is not
	// told is counted in Stats.CgroupsLost. It must not call the Tracer.
	Cgroup func(id uint64, path string)

	// Idle, if not nil, is called by Events whenever there is nothing more to
	// yield, and several hundred times a second while that is so: all that was
	// recorded before boot time at has been yielded. Its error ends Events.
	Idle func(at time.Duration) error
}

func (c *Config) validate() error {
	size := c.ringBytes()
	if size < os.Getpagesize() || size > MaxRingBytes || size&(size-1) != 0 {
		return fmt.Errorf("%w: ring buffer of %d bytes: must be a power of two from %d to %d",
			ErrConfig, size, os.Getpagesize(), MaxRingBytes)
	}
	if c.Tier < Auto || c.Tier > Syscall {
		return fmt.Errorf("%w: tier %d", ErrConfig, c.Tier)
	}
	for _, k := range c.Kinds {
		if int(k) >= len(kindNames) {
			return fmt.Errorf("%w: kind %d", ErrConfig, k)
		}
	}
	if n := len(c.Namespaces) + len(c.PIDs) + len(c.UIDs); n > maxSelectors {
		return fmt.Errorf("%w: %d namespaces, pids and uids to select: at most %d", ErrConfig, n, maxSelectors)
	}
	return nil
}

func (c *Config) ringBytes() int {
	if c.RingBytes == 0 {
		return DefaultRingBytes()
	}
	return c.RingBytes
}

// apply sets the programs' knobs and fills their table of filters.
func (c *Config) apply(spec *ebpf.CollectionSpec) error {
	spec.Maps[ipctraceMapEvents].MaxEntries = uint32(c.ringBytes())
	spec.Maps[ipctraceMapCgroups].MaxEntries = c.cgroupRing()
	if !c.Follow {
		spec.Maps[ipctraceMapTree].MaxEntries = 1
	}
	knobs := map[string]any{
		ipctraceVarSelectNs:   len(c.Namespaces) > 0,
		ipctraceVarSelectPid:  len(c.PIDs) > 0,
		ipctraceVarSelectUid:  len(c.UIDs) > 0,
		ipctraceVarExceptNs:   c.ExceptNamespace,
		ipctraceVarSelectTree: c.Follow,
		ipctraceVarMayProbe:   !lockedDown(),
	}
	if len(c.Kinds) > 0 {
		var mask uint32
		for _, k := range c.Kinds {
			mask |= 1 << k
		}
		knobs[ipctraceVarKinds] = mask
	}
	for name, value := range knobs {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	spec.Maps[ipctraceMapSelectors].Contents = c.selectors()
	return nil
}

func (c *Config) selectors() []ebpf.MapKV {
	var entries []ebpf.MapKV
	add := func(d ipctraceDimension, values []uint32) {
		for _, v := range values {
			entries = append(entries, ebpf.MapKV{Key: ipctraceSelector{Dimension: d, Value: v}, Value: uint8(1)})
		}
	}
	add(ipctraceDimensionDIM_NS, c.Namespaces)
	add(ipctraceDimensionDIM_PID, c.PIDs)
	add(ipctraceDimensionDIM_UID, c.UIDs)
	return entries
}

// lockedDown reports lockdown=confidentiality, under which the kernel knows no
// bpf_probe_read_kernel (bpf_tracing_func_proto, kernel/trace/bpf_trace.c).
func lockedDown() bool {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(text), "[confidentiality]")
}
