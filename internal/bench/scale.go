package main

import (
	"bufio"
	"context"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// measureScale is what an event costs with more and more namespaces, in which the
// calls are made in turn, and with more and more processes. Those of each size
// are there for all its rounds: they are not made anew for each.
func (b *bench) measureScale(ctx context.Context, r *report) {
	processes, namespaces := growth{what: "processes"}, growth{what: "namespaces"}
	for _, n := range b.processes {
		processes.add(b.amongProcesses(ctx, n))
	}
	for _, n := range b.namespaces {
		namespaces.add(b.amongNamespaces(ctx, n))
	}
	r.growth(&namespaces)
	r.growth(&processes)
}

// growth is what was measured at each size of a thing.
type growth struct {
	what  string
	sizes []size
}

type size struct {
	n, asked int
	series   *series
	err      error
}

// add takes what was measured; what there was no time for is told as well.
func (g *growth) add(s size) { g.sizes = append(g.sizes, s) }

func (b *bench) amongNamespaces(ctx context.Context, n int) size {
	if !b.time() {
		return size{asked: n, err: errTime}
	}
	b.say("scale: making %d namespaces", n)
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: n}, nil)
	if err != nil {
		return size{asked: n, err: err}
	}
	defer p.Close()
	return size{n: n, asked: n, series: b.atSize(ctx, fmt.Sprintf("scale: %d namespaces", n), p)}
}

// amongProcesses makes as many as the machine lets it.
func (b *bench) amongProcesses(ctx context.Context, n int) size {
	if !b.time() {
		return size{asked: n, err: errTime}
	}
	b.say("scale: making %d processes", n)
	made, end, err := startCrowd(ctx, n)
	if err != nil {
		return size{asked: n, err: err}
	}
	defer end()
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: 1}, nil)
	if err != nil {
		return size{asked: n, err: err}
	}
	defer p.Close()
	return size{n: made, asked: n, series: b.atSize(ctx, fmt.Sprintf("scale: %d processes", made), p)}
}

// startCrowd yields how many processes there are, and what ends them.
func startCrowd(ctx context.Context, n int) (made int, end func(), err error) {
	argv, err := inRole("crowd", strconv.Itoa(n))
	if err != nil {
		return 0, nil, err
	}
	cmd := command(ctx, argv...)
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWPID // when its first process ends, so do all
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	end = func() {
		stdin.Close()
		_ = cmd.Wait() // killed or not, it is gone
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &made)
	}
	if err != nil {
		end()
		return 0, nil, fmt.Errorf("make processes: %w", err)
	}
	return made, end, nil
}

// atSize compares nothing attached and ipctrace, in a third of the rounds.
func (b *bench) atSize(ctx context.Context, title string, p *producer) *series {
	calls := order{Call: "msgget", Calls: b.calls, Burst: burst}
	return b.interleave(ctx, title, max(b.rounds/3, 1),
		variant{bare, func(context.Context) (numbers, error) {
			got, err := p.run(calls)
			return numbers{"ns": got.Cost}, err
		}},
		variant{recordName, func(ctx context.Context) (numbers, error) { return b.costAtSize(ctx, p, calls) }},
	)
}

// costAtSize is what a call costs its caller, and what its event costs ipctrace:
// its CPU time until it ends, without that of its start, over the events that it
// wrote. How much it uses when nothing happens is measured apart.
func (b *bench) costAtSize(ctx context.Context, p *producer, o order) (numbers, error) {
	var got pace
	var idle, before float64
	a, err := b.record(ctx, func(t *tool) (err error) {
		if idle, err = t.share(b.idle); err != nil {
			return err
		}
		if before, err = t.cpu(); err != nil {
			return err
		}
		got, err = p.run(o)
		return err
	})
	if err != nil {
		return nil, err
	}
	found := numbers{"ns": got.Cost, "lost": a.lost(), "ready": a.tool.ready.Seconds(), "idle": idle}
	if a.Written > 0 {
		found["cpu"] = (a.tool.used() - before) / float64(a.Written)
	}
	return found, nil
}

// share is the part of a CPU that a tool uses while nothing happens.
func (t *tool) share(d time.Duration) (float64, error) {
	before, err := t.cpu()
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := t.cpu()
	return (after - before) / float64(d), err
}

// flat is how much a cost may grow by from the smallest size to the largest and
// still be called flat.
const flat = 1.25

func (r *report) growth(g *growth) {
	t := table{
		title:  "Cost of an event by number of " + g.what,
		header: []string{g.what, "added to a call: ns", "CPU time of ipctrace an event: ns", "CPU it uses just after, when nothing happens", "start until attached", "lost"},
	}
	added, used := line{name: "added to a call"}, line{name: "CPU time of ipctrace"}
	var first, last *size
	for i := range g.sizes {
		s := &g.sizes[i]
		if s.err == nil {
			s.err = s.series.why(bare, recordName)
		}
		if s.err != nil {
			t.add(number(float64(s.asked)), "cannot be measured: "+s.err.Error())
			if i == len(g.sizes)-1 { // how far it should have come
				r.failed(fmt.Sprintf("Cost of an event with %s %s", number(float64(s.asked)), g.what), s.err)
			}
			continue
		}
		if first == nil {
			first = s
		}
		last = s
		n := number(float64(s.n))
		if s.n < s.asked {
			n += fmt.Sprintf(" (this machine makes no more of %s)", number(float64(s.asked)))
		}
		in := func(name string) []float64 { return s.series.of(recordName, name) }
		t.add(n, show(s.series.added(recordName, "ns"), ""), show(in("cpu"), ""), show(percent(in("idle")), "%"), show(in("ready"), "s"), show(percent(in("lost")), "%"))
		added.add(float64(s.n), summarize(s.series.added(recordName, "ns")).median)
		used.add(float64(s.n), summarize(in("cpu")).median)
	}
	r.flat(g.what, first, last)
	r.tables = append(r.tables, t)
	r.plot(g.what, &plot{title: "Cost of an event by number of " + g.what, x: g.what, y: "ns an event", lines: []line{added, used}})
}

// flat compares the largest size with the smallest.
func (r *report) flat(what string, first, last *size) {
	if first == last { // it is said why there are not two
		return
	}
	aim := fmt.Sprintf("with %s %s: ÷ with %s", number(float64(last.n)), what, number(float64(first.n)))
	r.atMost("Added to a call "+aim, flat, "", over(last.series.added(recordName, "ns"), first.series.added(recordName, "ns")), nil)
	r.atMost("CPU time of ipctrace an event "+aim, flat, "", over(last.series.of(recordName, "cpu"), first.series.of(recordName, "cpu")), nil)
}
