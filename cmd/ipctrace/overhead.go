package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

const (
	overheadRounds = 7
	overheadCalls  = 20_000 // of each sort in a round: some milliseconds, and the ring buffer holds as many events
)

// overhead is what tracing costs this machine, in nanoseconds.
type overhead struct {
	Rounds    int    `json:"rounds"`
	Unrelated cost   `json:"unrelated"` // a system call that is not traced: getppid
	Traced    cost   `json:"traced"`    // one that is: msgget of a key that is not there
	Reader    spread `json:"reader"`    // CPU time of ipctrace for an event, to JSON
}

// cost of a system call, for who makes it.
type cost struct {
	Bare  spread `json:"bare"`  // without ipctrace
	Added spread `json:"added"` // by it
}

// spread is of the rounds.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func spreadOf(rounds []float64) spread {
	slices.Sort(rounds)
	return spread{Median: rounds[len(rounds)/2], Least: rounds[0], Most: rounds[len(rounds)-1]}
}

// weighed measures what tracing costs.
func weighed(ctx context.Context) (o *overhead, err error) {
	done := make(chan bool)
	go func() {
		defer close(done)
		o, err = measureOverhead(ctx)
	}()
	<-done
	return o, err
}

// measureOverhead makes calls without ipctrace and with it, in turn: what else the
// machine does comes upon both.
func measureOverhead(ctx context.Context) (*overhead, error) {
	// Not unlocked: the thread has an IPC namespace of its own, and ends with this
	// goroutine. Where it may not have one, its calls fail in the one it is in.
	runtime.LockOSThread()
	_ = unix.Unshare(unix.CLONE_NEWIPC)
	absent, err := absentKey()
	if err != nil {
		return nil, err
	}
	var bare, traced [2][]float64 // unrelated, and traced calls
	var reader []float64
	for range overheadRounds {
		without := [2]float64{timed(getppid), timed(absent)}
		with, cpu, err := tracedRound(ctx, absent)
		if err != nil {
			return nil, err
		}
		for i := range without {
			bare[i] = append(bare[i], without[i])
			traced[i] = append(traced[i], with[i]-without[i])
		}
		reader = append(reader, cpu)
	}
	return &overhead{
		Rounds:    overheadRounds,
		Unrelated: cost{spreadOf(bare[0]), spreadOf(traced[0])},
		Traced:    cost{spreadOf(bare[1]), spreadOf(traced[1])},
		Reader:    spreadOf(reader),
	}, nil
}

// tracedRound is the time of each sort of call while they are traced, and the CPU
// time of whoever reads and writes the events.
func tracedRound(ctx context.Context, absent func()) (calls [2]float64, reader float64, err error) {
	t, err := openTrace(ctx, tracer.Config{}, stream.Filter{}, container.Sockets{}, io.Discard)
	if err != nil {
		return calls, 0, err
	}
	defer t.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	followed := make(chan error, 1)
	go func() { followed <- t.follow(ctx, 0, &jsonSink{batch: batch{out: io.Discard}}) }()
	calls[0] = timed(getppid)
	before := otherThreads()
	calls[1] = timed(absent)
	stop()
	err = <-followed
	return calls, float64(otherThreads()-before) / overheadCalls, err
}

// timed is how long a call takes, in nanoseconds.
func timed(call func()) float64 {
	start := time.Now()
	for range overheadCalls {
		call()
	}
	return float64(time.Since(start)) / overheadCalls
}

func getppid() { _, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) }

// absentKey is a call that fails, and makes nothing.
func absentKey() (func(), error) {
	for range 100 {
		key := uintptr(1 + rand.Uint32N(1<<31-1))
		call := func() { _, _, _ = unix.RawSyscall(unix.SYS_MSGGET, key, 0, 0) }
		if _, _, errno := unix.RawSyscall(unix.SYS_MSGGET, key, 0, 0); errno == unix.ENOENT {
			return call, nil
		}
	}
	return nil, errors.New("measure: msgget finds a queue under every key")
}

// otherThreads is the CPU time of all threads but this one.
func otherThreads() time.Duration {
	var all, own unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &all) // fails only for a bad pointer
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &own)
	sum := func(u *unix.Rusage) time.Duration {
		return time.Duration(unix.TimevalToNsec(u.Utime) + unix.TimevalToNsec(u.Stime))
	}
	return sum(&all) - sum(&own)
}

func (o *overhead) write(w io.Writer) {
	text := func(s spread) string { return fmt.Sprintf("%.0f ns (%.0f to %.0f)", s.Median, s.Least, s.Most) }
	fmt.Fprintf(w, "\nwhat it costs here, medians of %d rounds (least to most):\n", o.Rounds)
	fmt.Fprintf(w, "- a system call that is not traced: %s more than %s, getppid\n", text(o.Unrelated.Added), text(o.Unrelated.Bare))
	fmt.Fprintf(w, "- one that is: %s more than %s, a msgget that fails\n", text(o.Traced.Added), text(o.Traced.Bare))
	fmt.Fprintf(w, "- to read its event and write it as JSON: %s of CPU time, of ipctrace\n", text(o.Reader))
}
