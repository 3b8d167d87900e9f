package main

import (
	"context"
	"fmt"
)

const (
	syscallName = "ipctrace, syscall tier"
	fentryName  = "ipctrace, fentry tier"
)

// measureUnrelated is what a system call costs that has nothing to do with IPC.
func (b *bench) measureUnrelated(ctx context.Context, r *report) {
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: 1}, nil)
	if err != nil {
		r.failed("unrelated calls", err)
		return
	}
	defer p.Close()
	call := func() (numbers, error) {
		got, err := p.run(order{Call: "getppid", Calls: b.calls})
		return numbers{"ns": got.Cost}, err
	}
	tier := func(name string) func(context.Context) (numbers, error) {
		return func(ctx context.Context) (numbers, error) {
			t, err := b.startIpctrace(ctx, nil, "live", "-o", "json", "--hooks", name)
			if err != nil {
				return nil, err
			}
			found, err := call()
			if stopped := t.stop(); err == nil {
				err = stopped
			}
			return found, err
		}
	}
	// More rounds than of others: the differences are small, and it takes little time.
	s := b.interleave(ctx, "unrelated calls", 2*b.rounds,
		variant{bare, func(context.Context) (numbers, error) { return call() }},
		variant{emptyName, func(context.Context) (numbers, error) {
			hook, err := b.empty.attach()
			if err != nil {
				return nil, err
			}
			defer hook.Close()
			return call()
		}},
		variant{syscallName, tier("syscall")},
		variant{fentryName, tier("fentry")},
	)
	r.unrelated(s)
}

func (r *report) unrelated(s *series) {
	r.atMost("An unrelated call, syscall tier: ÷ with an empty hook", 1.05, "", over(s.of(syscallName, "ns"), s.of(emptyName, "ns")), s.why(syscallName, emptyName))
	// Nothing is exactly 1: within what the bare call differs from itself.
	r.atMost("An unrelated call, fentry tier: ÷ with nothing attached", 1.01, "", over(s.of(fentryName, "ns"), s.of(bare, "ns")), s.why(fentryName))
	t := table{title: "What a call of getppid costs its caller", header: []string{"", "ns a call", "added: ns", "÷ empty hook, whole call", "÷ empty hook, added"}}
	for _, name := range []string{bare, emptyName, syscallName, fentryName} {
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
