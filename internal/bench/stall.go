package main

import (
	"context"
	"errors"
	"syscall"
	"time"
)

// Calls whose records fit into the ring, and that fill it: one takes 152 bytes.
const (
	burst   = 20_000
	fill    = 200_000
	stalled = "8M" // the ring
)

// measureStall is what a call costs while ipctrace does not read: its ring is full,
// and it is lost.
func (b *bench) measureStall(ctx context.Context, r *report) {
	p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: 1}, nil)
	if err != nil {
		r.failed("a stalled consumer", err)
		return
	}
	defer p.Close()
	s := b.interleave(ctx, "stalled consumer", b.rounds,
		variant{bare, func(context.Context) (numbers, error) {
			got, err := p.run(order{Call: "msgget", Calls: burst})
			return numbers{"ns": got.Cost}, err
		}},
		variant{recordName, func(ctx context.Context) (numbers, error) { return b.stall(ctx, p) }},
	)
	r.stall(s)
}

// stall measures a burst that fits into the ring, which then is full, and one that
// does not.
func (b *bench) stall(ctx context.Context, p *producer) (numbers, error) {
	var room, none pace
	a, err := b.record(ctx, func(t *tool) (err error) {
		if room, err = p.run(order{Call: "msgget", Calls: burst}); err != nil {
			return err
		}
		time.Sleep(settle)
		if err := t.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.cmd.Process.Signal(syscall.SIGCONT)) }()
		if _, err := p.run(order{Call: "msgget", Calls: fill}); err != nil {
			return err
		}
		none, err = p.run(order{Call: "msgget", Calls: burst})
		return err
	}, "--buffer", stalled)
	if err == nil && a.lost() == 0 {
		err = errors.New("its ring did not fill")
	}
	if err != nil {
		return nil, err
	}
	wrong := 0.0
	if err := a.check(burst + fill + burst); err != nil {
		b.say("the account is not exact: %v", err)
		wrong = 1
	}
	return numbers{"room": room.Cost, "none": none.Cost, "lost": a.lost(), "wrong": wrong}, nil
}

func (r *report) stall(s *series) {
	r.atMost("A call while ipctrace is stopped and its ring is full: ÷ while it is not", 1, "",
		over(s.of(recordName, "none"), s.of(recordName, "room")), s.why(recordName))
	r.atMost("Errors in its account of that", 0, "", s.of(recordName, "wrong"), s.why(recordName))
	if s.missing[recordName] != nil {
		return
	}
	t := table{
		title:  "A consumer that stands still",
		header: []string{"", "ns a call", "added: ns"},
		note:   "ipctrace record is stopped (SIGSTOP) until its ring is full; lost of all calls in the end: " + show(percent(s.of(recordName, "lost")), "%") + ".",
	}
	t.add(bare, show(s.of(bare, "ns"), ""), "0")
	for _, row := range []struct{ name, number string }{{"it reads", "room"}, {"it is stopped, the ring is full", "none"}} {
		t.add(row.name, show(s.of(recordName, row.number), ""), show(minus(s.of(recordName, row.number), s.of(bare, "ns")), ""))
	}
	r.tables = append(r.tables, t)
}
