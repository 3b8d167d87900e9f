package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A scale is how much is measured.
type scale struct {
	limit      time.Duration // for all
	rounds     int
	calls      int // of one run
	slowCalls  int // likewise, where each call is slow
	rates      []int
	paced      time.Duration // how long at each rate
	flood      int           // calls from all producers in which loss is counted
	seeing     map[int]int   // calls by rate, in which the time to see is taken
	bench      string        // how long each of the benchmarks of go test
	population population    // in which memory is measured
	namespaces []int
	processes  []int
	idle       time.Duration // how long it is looked at when nothing happens
	guest      time.Duration // how long one may take; 0: there is none
}

type population struct{ namespaces, objects int } // objects in each

var full = scale{
	limit: 10 * time.Minute, rounds: 9, calls: 200_000, slowCalls: 3000,
	rates: []int{1000, 10_000, 100_000, 500_000}, paced: 200 * time.Millisecond, flood: 10_000_000,
	seeing: map[int]int{1: 3, 100: 100, 10_000: 10_000, 500_000: 500_000}, bench: "200ms",
	population: population{1000, 100}, namespaces: []int{1, 10, 100, 1000, 10_000}, processes: []int{100, 1000, 5000, 20_000}, idle: 2 * time.Second, guest: 2 * time.Minute,
}

var quick = scale{
	limit: time.Minute, rounds: 3, calls: 60_000, slowCalls: 300,
	rates: []int{1000, 100_000}, paced: 50 * time.Millisecond, flood: 1_000_000,
	seeing: map[int]int{1: 2, 100: 50, 10_000: 5000, 500_000: 200_000}, bench: "50ms",
	population: population{100, 100}, namespaces: []int{1, 10, 100}, processes: []int{100, 1000}, idle: time.Second,
}

// bench is a run of this program.
type bench struct {
	scale
	stderr   io.Writer
	began    time.Time
	deadline time.Time
	dir      string // for what is written
	ipctrace string
	cpus     []int // that this program may use
	peers    peers
	machine  machine
	empty    *emptyHook
}

func newBench(size string, stderr io.Writer) (*bench, error) {
	b := &bench{scale: full, stderr: stderr, began: time.Now(), dir: filepath.Join("bin", "bench"), ipctrace: "bin/ipctrace"}
	switch size {
	case "", "full":
	case "quick":
		b.scale = quick
	default:
		return nil, fmt.Errorf("BENCH=%s: quick or full", size)
	}
	// What is cut off at the end is still to be written down.
	b.deadline = b.began.Add(b.limit - b.limit/30)
	if _, err := os.Stat(b.ipctrace); err != nil {
		return nil, fmt.Errorf("%w: make bench builds it", err)
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if b.cpus, err = usableCPUs(); err != nil {
		return nil, err
	}
	b.peers = findPeers()
	b.machine = describeMachine(len(b.cpus))
	b.empty, err = loadEmptyHook()
	return b, err
}

func usableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("which CPUs there are: %w", err)
	}
	var cpus []int
	for i := 0; len(cpus) < set.Count(); i++ {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	slices.Reverse(cpus) // the first is the one that interrupts go to
	return cpus, nil
}

// measure takes the measurements, those that matter most first, as long as there
// is time.
func (b *bench) measure(ctx context.Context) *report {
	defer b.empty.Close()
	r := &report{bench: b}
	for _, part := range []func(context.Context, *report){
		b.measureCost, b.measureLoss, b.measureUnrelated, b.measureSeeing, b.measureStall, b.measureMemory, b.measureUserSpace, b.measureScale,
	} {
		part(ctx, r)
	}
	r.took = time.Since(b.began)
	b.machine.during = usageNow().since(b.machine.began)
	return r
}

// time reports whether there is some left.
func (b *bench) time() bool { return time.Now().Before(b.deadline) }

// say tells a person how far it is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.stderr, "%4.0fs  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// scratch is a file for what a tool writes, which is removed by the second.
func (b *bench) scratch(name string) (string, func()) {
	path := filepath.Join(b.dir, name)
	remove := func() { _ = os.Remove(path) } // there need not be one
	remove()
	return path, remove
}
