package main

import (
	"context"
	"fmt"
)

// measureUnrelated is what a system call costs that has nothing to do with IPC.
func (b *bench) measureUnrelated(ctx context.Context, r *report) {
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: 1}, nil)
	if err != nil {
		r.failed("unrelated calls", err)
		return
	}
	defer p.Close()
	// More rounds than of others: the differences are small, and it takes little time.
	s := b.interleave(ctx, "unrelated calls", 2*b.rounds, b.tiers(func() (numbers, error) {
		got, err := p.run(order{Call: "getppid", Calls: b.calls})
		return numbers{"ns": got.Cost}, err
	})...)
	r.unrelated(s)
	if refused := s.missing[fentryName]; refused != nil {
		b.measureInGuest(ctx, r, refused)
		return
	}
	r.fentry("", over(s.of(fentryName, "ns"), s.of(bare, "ns")), nil)
}

func (r *report) unrelated(s *series) {
	r.atMost("An unrelated call, syscall tier: ÷ with an empty hook", 1.05, "", over(s.of(syscallName, "ns"), s.of(emptyName, "ns")), s.why(syscallName, emptyName))
	t := table{title: "What a call of getppid costs its caller", header: []string{"", "ns a call", "added: ns", "÷ empty hook, whole call", "÷ empty hook, added"}}
	for _, name := range tierNames {
		if err := s.missing[name]; err != nil {
			t.add(name, fmt.Sprintf("cannot be run: %v", err))
			continue
		}
		if name == bare {
			t.add(name, show(s.of(name, "ns"), ""))
			continue
		}
		t.add(name, show(s.of(name, "ns"), ""), show(s.added(name, "ns"), ""), show(over(s.of(name, "ns"), s.of(emptyName, "ns")), ""),
			show(over(s.added(name, "ns"), s.added(emptyName, "ns")), ""))
	}
	r.tables = append(r.tables, t)
}

// fentry is the aim of the tier that many kernels refuse. where is where it was
// measured, if not here.
func (r *report) fentry(where string, ratios []float64, missing error) {
	// Nothing is exactly 1: within what the bare call differs from itself.
	r.atMost("An unrelated call, fentry tier: ÷ with nothing attached"+where, 1.01, "", ratios, missing)
}
