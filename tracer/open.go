package tracer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Tracer is a set of attached hooks and the ring buffer they write to.
type Tracer struct {
	tier   Tier
	gaps   []string
	follow bool
	start  time.Duration // boot time since when nothing is missed
	idle   func(time.Duration) error
	cgroup func(id uint64, path string)

	// The kernel detaches a program when the last reference to it goes.
	coll     *ebpf.Collection
	links    []link.Link
	ring     *ring
	cgroups  *ring
	clock    Clock
	comms    comms
	cpus     []cpu
	owing    bool          // losses on some of them
	missed   uint64        // skipped runs told so far
	looked   time.Duration // boot time when skipped runs were last looked for
	held     []byte        // a record that was read and not yielded
	stopping sync.Once
	closing  sync.Once
	reading  sync.Mutex   // held while Events runs
	freeing  sync.RWMutex // held for reading while maps are looked into

	stopped   atomic.Bool // all hooks are gone
	delivered atomic.Uint64
	last      atomic.Pointer[Stats] // once closed
}

// Open loads and attaches the hooks. When it returns, nothing that Config
// selects and that is made from then on is missed, but for what [Tracer.Gaps]
// names and what is told as lost. Errors: ErrPrivilege, ErrMemlock, ErrNoBTF,
// ErrNoHooks, ErrConfig. The Tracer must be closed.
func Open(cfg Config) (*Tracer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	// Before 5.11 maps count against RLIMIT_MEMLOCK. Where it cannot be raised
	// it may be high enough all the same.
	limit := rlimit.RemoveMemlock()
	l, err := newLoader(cfg)
	if err != nil {
		return nil, err
	}
	defer l.close()

	tiers := []Tier{cfg.Tier}
	if cfg.Tier == Auto {
		tiers = []Tier{Fentry, Syscall}
	}
	var refusals []error
	for _, tier := range tiers {
		t, err := open(cfg, tier, l)
		if err == nil {
			if tier != tiers[0] {
				t.gaps = append(t.gaps, fmt.Sprintf("tier %s does not attach: %v", tiers[0], reason(refusals[0])))
			}
			return t, nil
		}
		refusals = append(refusals, err)
	}
	if limit != nil && privileged() && all(refusals, unix.EPERM) {
		return nil, ErrMemlock
	}
	return nil, refused(tiers, refusals)
}

// refused says why no tier could be had. The tiers' own errors stay within
// reach of errors.As, for the verifier's whole log.
func refused(tiers []Tier, refusals []error) error {
	if !privileged() && all(refusals, unix.EPERM) {
		return ErrPrivilege
	}
	err := ErrNoHooks
	for i, tier := range tiers {
		err = fmt.Errorf("%w; tier %s: %w", err, tier, reason(refusals[i]))
	}
	return err
}

func all(errs []error, target error) bool {
	for _, err := range errs {
		if !errors.Is(err, target) {
			return false
		}
	}
	return true
}

// open tries a tier with all its hooks, then without those that do not attach, as
// long as it is something without them.
func open(cfg Config, tier Tier, l *loader) (*Tracer, error) {
	hooks := tier.hooks()
	if cfg.Follow {
		hooks = append(treeHooks(), hooks...)
	}
	if cfg.Cgroup != nil {
		hooks = append(cgroupHooks(), hooks...)
	}
	t, err := attachAll(cfg, tier, hooks, l)
	if err != nil {
		needed, optional := split(hooks)
		less, _ := attachAll(cfg, tier, needed, l)
		if less == nil {
			return nil, err
		}
		less.release()
		kept, gaps := attachable(optional, l)
		if t, err = attachAll(cfg, tier, append(needed, kept...), l); err != nil {
			return nil, err
		}
		t.gaps = append(t.gaps, gaps...)
	}
	if err := t.begin(l); err != nil {
		t.release()
		return nil, err
	}
	return t, nil
}

func split(hooks []hook) (needed, optional []hook) {
	for _, h := range hooks {
		if h.without == "" {
			needed = append(needed, h)
		} else {
			optional = append(optional, h)
		}
	}
	return needed, optional
}

// attachable are the hooks that attach, and what is not seen without the others.
// Hooks without which the same is not seen go together: half of them would tell
// wrong things.
func attachable(hooks []hook, l *loader) (kept []hook, gaps []string) {
	for _, h := range hooks {
		if slices.Contains(gaps, h.without) {
			continue
		}
		if _, _, err := l.try(h); err != nil {
			gaps = append(gaps, h.without)
		}
	}
	for _, h := range hooks {
		if !slices.Contains(gaps, h.without) {
			kept = append(kept, h)
		}
	}
	return kept, gaps
}

// attachAll attaches hooks. None of them speaks before [Tracer.begin].
func attachAll(cfg Config, tier Tier, hooks []hook, l *loader) (_ *Tracer, err error) {
	t := &Tracer{tier: tier, gaps: tier.unseen(), follow: cfg.Follow, idle: cfg.Idle, cgroup: cfg.Cgroup}
	defer func() {
		if err != nil {
			t.release()
		}
	}()
	hooks, gaps := l.present(hooks)
	t.gaps = append(t.gaps, gaps...)
	if t.coll, err = l.loadAll(hooks); err != nil {
		return nil, err
	}
	for _, h := range hooks {
		attached, err := l.attach(t.coll.Programs[h.program], h)
		if err != nil {
			return nil, err
		}
		t.links = append(t.links, attached)
	}
	return t, nil
}

// begin takes the maps over and opens the gate: until all hooks are there none of
// them speaks.
func (t *Tracer) begin(l *loader) error {
	if err := l.introduce(); err != nil {
		return err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count CPUs: %w", err)
	}
	t.cpus = make([]cpu, cpus)
	t.coll.Variables = l.maps.Variables
	if err := t.setLive(true); err != nil {
		return err
	}
	t.start = t.clock.Boot()
	t.looked = t.start
	t.coll.Maps, t.ring, t.cgroups = l.maps.Maps, l.ring, l.cgroups
	l.maps, l.ring, l.cgroups = nil, nil, nil
	return nil
}

func (t *Tracer) setLive(live bool) error {
	if err := t.coll.Variables[ipctraceVarLive].Set(live); err != nil {
		return fmt.Errorf("open the gate: %w", err)
	}
	return nil
}

// Tier is the tier in use: Fentry or Syscall.
func (t *Tracer) Tier() Tier { return t.tier }

// Gaps is what this tracer cannot see on this kernel, a sentence each.
func (t *Tracer) Gaps() []string { return t.gaps }

// Start is the boot time since when nothing is missed.
func (t *Tracer) Start() time.Duration { return t.start }

// Offset is CLOCK_REALTIME − CLOCK_BOOTTIME, measured now.
func (t *Tracer) Offset() time.Duration {
	var now Clock
	return now.Offset()
}

// Stop ends the recording. Events goes on with what the kernel had recorded,
// then ends. Safe to call at any time, from any goroutine, more than once.
func (t *Tracer) Stop() {
	t.stopping.Do(func() {
		// The gate first: see live in bpf/ipctrace.bpf.c. It cannot fail where
		// opening it did not, and the links go all the same.
		_ = t.setLive(false)
		for _, l := range t.links {
			_ = l.Close()
		}
		awaitPrograms()
		t.stopped.Store(true)
	})
}

// awaitPrograms waits until programs that were running have ended, so that the
// counters stand still: they run inside RCU read-side sections, and
// MEMBARRIER_CMD_GLOBAL is synchronize_rcu (kernel/sched/membarrier.c). Where it
// cannot be had (nohz_full), what ends too late shows as pending.
func awaitPrograms() {
	const global = 1
	_, _, _ = unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0)
}

// Close stops the recording, waits until a running Events has drained what was
// recorded, and frees everything. Not to be called from within Events: break out
// of it, or call Stop.
func (t *Tracer) Close() error {
	t.closing.Do(func() {
		t.Stop()
		t.reading.Lock()
		defer t.reading.Unlock()
		stats := t.read()
		t.freeing.Lock()
		defer t.freeing.Unlock()
		t.last.Store(&stats)
		t.release()
	})
	return nil
}

// release undoes a complete or half-made tracer. Links before the collection:
// without its link a program is dead, without its program a link is not.
func (t *Tracer) release() {
	for _, l := range t.links {
		_ = l.Close()
	}
	for _, r := range []*ring{t.ring, t.cgroups} {
		if r != nil {
			_ = r.close()
		}
	}
	if t.coll != nil {
		t.coll.Close()
	}
}
