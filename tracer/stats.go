package tracer

import "fmt"

// Stats are totals since Open. They only grow, but for Pending.
type Stats struct {
	Produced   uint64 // events the filters let through
	Delivered  uint64 // of these, yielded by Events
	Lost       uint64 // of these, no room in the ring
	Pending    uint64 // of these, still in the ring
	Skipped    uint64 // runs of hooks that the kernel skipped: at most so many events more, see ErrSkipped
	Unfollowed uint64 // processes not followed, nor their descendants: too many of the tree lived at once

	Cgroups     uint64 // cgroups made, where Config.Cgroup is told of them
	CgroupsLost uint64 // of these, not told: no room in their ring, or too long a path
}

// Stats is safe to call at any time, from any goroutine, also after Close.
func (t *Tracer) Stats() Stats {
	t.freeing.RLock()
	defer t.freeing.RUnlock()
	if last := t.last.Load(); last != nil {
		return *last
	}
	return t.read()
}

// Ring is how much of the ring buffer is taken by what was not read yet, and how
// large it is, in bytes; 0 of 0 after Close. Safe like Stats.
func (t *Tracer) Ring() (used, size int) {
	t.freeing.RLock()
	defer t.freeing.RUnlock()
	if t.last.Load() != nil {
		return 0, 0
	}
	return t.ring.fill()
}

func (t *Tracer) read() Stats {
	// Delivered before produced: what is delivered in between counts as pending.
	s := Stats{Delivered: t.delivered.Load(), Skipped: t.skipped()}
	if n, err := t.treeCounter(ipctraceVarNotEntered); err == nil {
		s.Unfollowed = uint64(n)
	}
	s.readCgroups(t)
	counters, err := t.counters()
	if err != nil {
		return s
	}
	for _, c := range counters {
		s.Produced += c.Produced
		s.Lost += c.Lost
	}
	s.Pending = s.Produced - s.Delivered - s.Lost
	return s
}

func (t *Tracer) counters() ([]ipctraceCounters, error) {
	var counters []ipctraceCounters
	if err := t.coll.Maps[ipctraceMapCounts].Lookup(uint32(0), &counters); err != nil {
		return nil, fmt.Errorf("read counters: %w", err)
	}
	return counters, nil
}

// skipped is counted from 5.12 on (9ed9e9ba2337, "bpf: Count the number of times
// recursion was prevented").
func (t *Tracer) skipped() uint64 {
	var sum uint64
	for name, program := range t.coll.Programs {
		if name == ipctraceProgCgroupMkdir {
			continue // it tells of no event
		}
		if stats, err := program.Stats(); err == nil {
			sum += stats.RecursionMisses
		}
	}
	return sum
}
