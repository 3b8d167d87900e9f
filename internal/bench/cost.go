package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
)

// The variants whose cost is measured. The names are those of the table.
const (
	emptyName    = "empty hook (tp_btf/sys_exit)"
	recordName   = "ipctrace record"
	liveName     = "ipctrace live -o json"
	bpftraceName = "bpftrace printf"
	perfName     = "perf trace"
	straceName   = "strace -f"
)

// steady is a rate that is no flood: between the calls a tool may fall asleep. It
// is one of those that are measured.
const steady = 100_000

// measureCost is what a traced call costs its caller, and how long the tools take
// to be attached.
func (b *bench) measureCost(ctx context.Context, r *report) {
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: 1}, nil)
	if err != nil {
		r.failed("cost per call", err)
		return
	}
	defer p.Close()
	s := b.interleave(ctx, "cost per call", b.rounds,
		variant{bare, func(context.Context) (numbers, error) { return b.paces(p) }},
		b.between(p, emptyName, b.costEmpty),
		b.between(p, recordName, b.costRecord),
		b.between(p, liveName, b.costLive),
		b.between(p, bpftraceName, b.costBpftrace),
		variant{perfName, b.costPerf},
		variant{straceName, b.costStrace},
	)
	r.cost(b, s)
}

// between is a variant that also measures the bare call, just before and after it:
// what else the machine does changes within a round too.
func (b *bench) between(p *producer, name string, cost func(context.Context, *producer) (numbers, error)) variant {
	return variant{name, func(ctx context.Context) (numbers, error) {
		calls := order{Call: "msgget", Calls: b.calls}
		before, err := p.run(calls)
		if err != nil {
			return nil, err
		}
		found, err := cost(ctx, p)
		if err != nil {
			return nil, err
		}
		after, err := p.run(calls)
		found[bareOf+"ns"], found[bareOf+"mean"] = (before.Cost+after.Cost)/2, (before.Mean+after.Mean)/2
		return found, err
	}}
}

// paces are the costs of a call, in ns: as fast as it goes, but in bursts that find
// room (what is lost is cheaper than what is recorded), and by rate.
func (b *bench) paces(p *producer) (numbers, error) {
	got, err := p.run(order{Call: "msgget", Calls: b.calls, Burst: burst})
	if err != nil {
		return nil, err
	}
	found := numbers{"ns": got.Cost, "mean": got.Mean}
	for _, rate := range b.rates {
		const batch = 10
		calls := max(int(float64(rate)*b.paced.Seconds()), batch)
		got, err := p.run(order{Call: "msgget", Calls: calls, Batch: batch, Rate: rate})
		if err != nil {
			return nil, err
		}
		found[atRate(rate)] = got.Cost
	}
	return found, nil
}

func atRate(rate int) string { return "ns@" + strconv.Itoa(rate) }

func (b *bench) costEmpty(_ context.Context, p *producer) (numbers, error) {
	hook, err := b.empty.attach()
	if err != nil {
		return nil, err
	}
	defer hook.Close()
	return b.paces(p)
}

func (b *bench) costRecord(ctx context.Context, p *producer) (numbers, error) {
	var found numbers
	a, err := b.record(ctx, func(t *tool) (err error) {
		found, err = b.paces(p)
		return err
	})
	if err != nil {
		return nil, err
	}
	found["lost"], found["ready"] = a.lost(), a.tool.ready.Seconds()
	return found, nil
}

func (b *bench) costLive(ctx context.Context, p *producer) (numbers, error) {
	t, err := b.startIpctrace(ctx, nil, "live", "-o", "json")
	if err != nil {
		return nil, err
	}
	found, err := b.paces(p)
	if stopped := t.stop(); err == nil {
		err = stopped
	}
	return found, err
}

func (b *bench) costBpftrace(ctx context.Context, p *producer) (numbers, error) {
	var found numbers
	lost, printed, err := b.bpftrace(ctx, func(t *tool) (err error) {
		found, err = b.paces(p)
		found["ready"] = t.ready.Seconds()
		return err
	})
	if err != nil {
		return nil, err
	}
	found["lost"] = float64(lost) / float64(max(lost+printed, 1))
	return found, nil
}

// costPerf and costStrace have producers of their own: these tools trace what
// they start.
func (b *bench) costPerf(ctx context.Context) (numbers, error) {
	if b.peers.perf.err != nil {
		return nil, b.peers.perf.err
	}
	file, remove := b.scratch("perf.out")
	defer remove()
	argv, err := inRole("peer", b.peers.perf.path, "trace", "-e", "msgget", "-o", file)
	if err != nil {
		return nil, err
	}
	return b.costUnder(ctx, file, argv)
}

func (b *bench) costStrace(ctx context.Context) (numbers, error) {
	if b.peers.strace.err != nil {
		return nil, b.peers.strace.err
	}
	file, remove := b.scratch("strace.out")
	defer remove()
	return b.costUnder(ctx, file, []string{b.peers.strace.path, "-f", "-qq", "-e", "trace=msgget", "-o", file})
}

func (b *bench) costUnder(ctx context.Context, file string, argv []string) (numbers, error) {
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: 1}, nil, argv...)
	if err != nil {
		return nil, err
	}
	got, err := p.run(order{Call: "msgget", Calls: b.slowCalls, Batch: 10})
	p.Close()
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() == 0 {
		return nil, fmt.Errorf("%s traced nothing", argv[0])
	}
	return numbers{"ns": got.Cost, "mean": got.Mean}, nil
}

// cost tells of it.
func (r *report) cost(b *bench, s *series) {
	recorded, empty := s.added(recordName, "ns"), s.added(emptyName, "ns")
	r.atMost("Recording, added per traced call: ÷ bpftrace's printf", 0.40, "", over(recorded, s.added(bpftraceName, "ns")), s.why(recordName, bpftraceName))
	r.atMost("the same, at "+number(steady)+" calls a second", 0.40, "", over(s.added(recordName, atRate(steady)), s.added(bpftraceName, atRate(steady))), s.why(recordName, bpftraceName))
	r.atMost("Recording, added per traced call: ÷ an empty hook", 3.5, "", over(recorded, empty), s.why(recordName, emptyName))
	r.atMost("Start until attached: ÷ bpftrace's", 0.5, "", over(s.of(recordName, "ready"), s.of(bpftraceName, "ready")), s.why(recordName, bpftraceName))

	t := table{
		title:  "What a call of msgget costs its caller",
		header: []string{"", "ns a call", "added: ns", "÷ empty hook", "÷ bpftrace", "added, of all: ns", "lost", "start until attached"},
		note:   "In a loop, as fast as it goes, by one thread, in bursts of " + number(burst) + ": what is lost would cost less. Added: beyond the same with nothing attached, just before and after; without the slowest fiftieth of the batches of 100 calls, in which something else ran on that CPU, and the mean of all.",
	}
	names := []string{bare, emptyName, recordName, liveName, bpftraceName, perfName, straceName}
	for _, name := range names {
		if err := s.missing[name]; err != nil {
			t.add(name, "cannot be run: "+err.Error())
			continue
		}
		if name == bare {
			t.add(name, show(s.of(name, "ns"), ""))
			continue
		}
		added := s.added(name, "ns")
		t.add(name, show(s.of(name, "ns"), ""), show(added, ""), show(over(added, empty), ""),
			show(over(added, s.added(bpftraceName, "ns")), ""), show(s.added(name, "mean"), ""),
			show(percent(s.of(name, "lost")), "%"), show(s.of(name, "ready"), "s"))
	}
	r.tables = append(r.tables, t)
	r.rates(b, s, slices.DeleteFunc(names[1:5], func(name string) bool { return s.missing[name] != nil }))
}

// rates are the added costs by rate, as a table and a plot.
func (r *report) rates(b *bench, s *series, names []string) {
	t := table{title: "What is added to a call, by calls a second: ns", header: []string{""}, note: "Ten at a time, evenly."}
	for _, rate := range b.rates {
		t.header = append(t.header, number(float64(rate)))
	}
	for _, name := range names {
		cells := []string{name}
		for _, rate := range b.rates {
			cells = append(cells, show(s.added(name, atRate(rate)), ""))
		}
		t.add(cells...)
	}
	r.tables = append(r.tables, t)
	r.plotRates(b, s, names)
}

func (r *report) plotRates(b *bench, s *series, names []string) {
	p := &plot{title: "Cost of a call by rate", x: "calls a second", y: "ns added per call"}
	for _, name := range names {
		line := line{name: name}
		for _, rate := range b.rates {
			line.add(float64(rate), summarize(s.added(name, atRate(rate))).median)
		}
		// The last point is as fast as it went.
		line.add(1e9/summarize(s.of(name, "mean")).median, summarize(s.added(name, "ns")).median)
		p.lines = append(p.lines, line)
	}
	r.plot("rate", p)
}
