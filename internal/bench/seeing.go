package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// measureSeeing is the time from the return of a call until the line that tells of
// it is on ipctrace's stdout.
func (b *bench) measureSeeing(ctx context.Context, r *report) {
	var all []seen
	s := b.interleave(ctx, "time to see", b.rounds, variant{liveName, func(ctx context.Context) (numbers, error) {
		found, err := b.see(ctx)
		all = append(all, found...)
		return nil, err
	}})
	r.seeing(b, s, all)
}

// seen are the times, in ms, of calls at a rate; what was never seen has none.
type seen struct {
	rate    int
	reached float64 // calls a second
	made    int
	times   []float64
}

// see has calls made at each rate.
func (b *bench) see(ctx context.Context) ([]seen, error) {
	rates := slices.Sorted(maps.Keys(b.seeing))
	total := 0
	for _, rate := range rates {
		total += b.seeing[rate]
	}
	file, stamps, err := newStamps(total)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unmapStamps(stamps) }() // of what was mapped
	defer file.Close()
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: 1, Stamps: total}, file)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	t, err := b.startIpctrace(ctx, in, "live", "-o", "json")
	in.Close()
	if err != nil {
		return nil, err
	}
	w := watch(out, stamps)
	found, err := b.seeEach(rates, p, w)
	err = errors.Join(err, t.stop())
	<-w.ended // it uses the stamps
	return found, err
}

func (b *bench) seeEach(rates []int, p *producer, w *watcher) (found []seen, err error) {
	made := 0
	for _, rate := range rates {
		got, err := p.run(order{Call: "miss", Calls: b.seeing[rate], Batch: 1, Rate: rate})
		if err != nil {
			return found, err
		}
		first := made
		made += b.seeing[rate]
		w.wait(made - 1)
		found = append(found, seen{
			rate: rate, made: made - first, reached: float64(made-first-1) / got.Seconds, times: w.times(first, made),
		})
	}
	return found, nil
}

// A watcher reads what ipctrace writes, and notes how long after its call each line
// came.
type watcher struct {
	clock  stopwatch
	stamps []atomic.Int64
	late   []atomic.Int64 // ns, and 1 more; 0: not seen
	ended  chan struct{}
}

func watch(out *os.File, stamps []atomic.Int64) *watcher {
	w := &watcher{clock: newStopwatch(), stamps: stamps, late: make([]atomic.Int64, len(stamps)), ended: make(chan struct{})}
	// From here on reads block: the runtime's poller would add to the time.
	fd := int(out.Fd())
	go func() {
		defer close(w.ended)
		buffer := make([]byte, 1<<20)
		for used := 0; ; {
			n, err := unix.Read(fd, buffer[used:])
			if err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 {
				return
			}
			rest := w.take(buffer[:used+n], w.clock.now())
			used = copy(buffer, rest)
		}
	}()
	return w
}

var missWord = []byte(`"key":"0x`)

// take notes the calls in whole lines, and yields what is left. A line longer than
// the buffer is nothing that is looked for.
func (w *watcher) take(text []byte, now int64) (rest []byte) {
	end := bytes.LastIndexByte(text, '\n') + 1
	rest = text[end:]
	if len(rest) == cap(text) {
		rest = nil
	}
	for text = text[:end]; ; {
		i := bytes.Index(text, missWord)
		if i < 0 {
			return rest
		}
		text = text[i+len(missWord):]
		key, err := strconv.ParseUint(string(text[:min(8, len(text))]), 16, 32)
		if call := int(key) - missKey; err == nil && call >= 0 && call < len(w.stamps) {
			w.note(call, now)
		}
	}
}

// note: a line may be there before its call has said that it returned.
func (w *watcher) note(call int, now int64) {
	late := int64(0)
	if at := w.stamps[call].Load(); at > 0 {
		late = max(now-at, 0)
	}
	w.late[call].Store(late + 1)
}

// wait waits for the line of a call, which may be lost.
func (w *watcher) wait(call int) {
	for end := time.Now().Add(3 * time.Second); w.late[call].Load() == 0 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
}

func (w *watcher) times(from, to int) []float64 {
	var ms []float64
	for i := from; i < to; i++ {
		if late := w.late[i].Load(); late > 0 {
			ms = append(ms, float64(late-1)/1e6)
		}
	}
	return ms
}

// seeing tells of it. Where there are few calls in a round, those of all rounds
// are taken together.
func (r *report) seeing(b *bench, s *series, all []seen) {
	t := table{
		title:  "From the return of a call until its line is read from ipctrace's stdout",
		header: []string{"calls a second", "reached", "p50: ms", "p99: ms", "of calls", "not seen"},
	}
	for _, rate := range slices.Sorted(maps.Keys(b.seeing)) {
		of := slices.DeleteFunc(slices.Clone(all), func(s seen) bool { return s.rate != rate })
		sum := together(of)
		limit := 5.0
		if rate > 10_000 {
			limit = 50
		}
		p50, p99 := quantiles(of, 0.5), quantiles(of, 0.99)
		if b.seeing[rate] < 100 {
			p50, p99 = quantiles([]seen{sum}, 0.5), quantiles([]seen{sum}, 0.99)
		}
		r.atMost(fmt.Sprintf("Time to see at %s calls a second: p99", number(float64(rate))), limit, "ms", p99, s.why(liveName))
		if sum.made > 0 {
			t.add(number(float64(rate)), number(sum.reached), show(p50, ""), show(p99, ""), number(float64(sum.made)), number(float64(sum.made-len(sum.times))))
		}
	}
	r.tables = append(r.tables, t)
}

func together(of []seen) (sum seen) {
	for _, s := range of {
		sum.made += s.made
		sum.reached += s.reached / float64(len(of))
		sum.times = append(sum.times, s.times...)
	}
	return sum
}

func quantiles(of []seen, q float64) []float64 {
	out := make([]float64, len(of))
	for i, s := range of {
		times := slices.Sorted(slices.Values(s.times))
		if out[i] = quantile(times, q); len(times) == 0 {
			out[i] = math.NaN()
		}
	}
	return out
}
