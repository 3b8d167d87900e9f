package main

import (
	"context"
	"fmt"
	"time"
)

// measureLoss counts what is lost of many calls that two producers make as fast as
// they can.
func (b *bench) measureLoss(ctx context.Context, r *report) {
	pair, err := b.startPair(ctx)
	if err != nil {
		r.failed("loss", err)
		return
	}
	defer pair[0].Close()
	defer pair[1].Close()
	// Once: it is long enough, and the file is large.
	s := b.interleave(ctx, "loss", 1,
		variant{recordName, func(ctx context.Context) (numbers, error) { return b.lossRecord(ctx, pair) }},
		variant{bpftraceName, func(ctx context.Context) (numbers, error) { return b.lossBpftrace(ctx, pair) }},
	)
	r.loss(b, s)
}

func (b *bench) startPair(ctx context.Context) (pair [2]*producer, err error) {
	for i := range pair {
		pair[i], err = startProducer(ctx, setup{CPU: b.cpus[i%len(b.cpus)], Namespaces: 1}, nil)
		if err != nil {
			if i > 0 {
				pair[0].Close()
			}
			return pair, err
		}
	}
	return pair, nil
}

// floodBy has both make half of the calls, at the same time, and yields calls a
// second.
func (b *bench) floodBy(pair [2]*producer) (float64, error) {
	began := time.Now()
	for _, p := range pair {
		if err := p.begin(order{Call: "msgget", Calls: b.flood / 2}); err != nil {
			return 0, err
		}
	}
	for _, p := range pair {
		if _, err := p.answer(); err != nil {
			return 0, err
		}
	}
	return float64(b.flood) / time.Since(began).Seconds(), nil
}

func (b *bench) lossRecord(ctx context.Context, pair [2]*producer) (numbers, error) {
	var rate float64
	a, err := b.record(ctx, func(*tool) (err error) {
		rate, err = b.floodBy(pair)
		return err
	})
	if err != nil {
		return nil, err
	}
	wrong := 0.0
	if err := a.check(b.flood); err != nil {
		b.say("the account is not exact: %v", err)
		wrong = 1
	}
	return numbers{
		"rate": rate, "lost": float64(a.Lost + a.Dropped), "kernel": float64(a.Lost), "output": float64(a.Dropped),
		"part": a.lost(), "wrong": wrong,
	}, nil
}

func (b *bench) lossBpftrace(ctx context.Context, pair [2]*producer) (numbers, error) {
	var rate float64
	told, printed, err := b.bpftrace(ctx, func(*tool) (err error) {
		rate, err = b.floodBy(pair)
		return err
	})
	if err != nil {
		return nil, err
	}
	lost := float64(b.flood - printed)
	wrong := 0.0
	if told+printed != b.flood {
		wrong = 1
	}
	return numbers{"rate": rate, "lost": lost, "part": lost / float64(b.flood), "wrong": wrong}, nil
}

// loss tells of it.
func (r *report) loss(b *bench, s *series) {
	calls := number(float64(b.flood))
	r.atMost("Lost of "+calls+" calls by two producers at full speed", 0, "", s.of(recordName, "lost"), s.why(recordName))
	r.atMost("Errors in its account of them", 0, "", s.of(recordName, "wrong"), s.why(recordName))
	t := table{
		title:  "Loss of " + calls + " calls of msgget",
		header: []string{"", "calls a second", "lost", "part", "account"},
		note:   "From two producers, as fast as they could, into a file on the disk. Of ipctrace, the account is exact when produced = delivered + lost, and calls = lines in the log + lost; of bpftrace, when calls = lines + «Lost N events».",
	}
	for _, name := range []string{recordName, bpftraceName} {
		if err := s.missing[name]; err != nil {
			t.add(name, "cannot be run: "+err.Error())
			continue
		}
		account := "exact"
		if summarize(s.of(name, "wrong")).median > 0 {
			account = "not exact"
		}
		lost := show(s.of(name, "lost"), "")
		if out := summarize(s.of(name, "output")); out.median > 0 {
			lost += fmt.Sprintf(" (%s of these on the way to the file)", number(out.median))
		}
		t.add(name, show(s.of(name, "rate"), ""), lost, show(percent(s.of(name, "part")), "%"), account)
	}
	r.tables = append(r.tables, t)
}
