package main

import "context"

const (
	syscallName = "ipctrace, syscall tier"
	fentryName  = "ipctrace, fentry tier"
)

// tierNames are the variants of tiers.
var tierNames = []string{bare, emptyName, syscallName, fentryName}

// tiers are variants that all take the same measurement: with nothing attached, with
// what any tracer there costs, and with ipctrace in each of its tiers.
func (b *bench) tiers(measure func() (numbers, error)) []variant {
	return []variant{
		{bare, func(context.Context) (numbers, error) { return measure() }},
		{emptyName, func(context.Context) (numbers, error) {
			hook, err := b.empty.attach()
			if err != nil {
				return nil, err
			}
			defer hook.Close()
			return measure()
		}},
		{syscallName, b.tier("syscall", measure)},
		{fentryName, b.tier("fentry", measure)},
	}
}

func (b *bench) tier(name string, measure func() (numbers, error)) func(context.Context) (numbers, error) {
	return func(ctx context.Context) (numbers, error) {
		t, err := b.startIpctrace(ctx, nil, "live", "-o", "json", "--hooks", name)
		if err != nil {
			return nil, err
		}
		found, err := measure()
		if stopped := t.stop(); err == nil {
			err = stopped
		}
		return found, err
	}
}
