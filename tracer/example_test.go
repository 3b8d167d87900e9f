package tracer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/ipctrace/ipctrace/tracer"
)

// Show who makes shared memory, until Ctrl-C.
func Example() {
	t, err := tracer.Open(tracer.Config{Kinds: []tracer.Kind{tracer.Shm}})
	switch {
	case errors.Is(err, tracer.ErrPrivilege):
		fmt.Fprintln(os.Stderr, "run as root:", err)
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer t.Close()
	for _, gap := range t.Gaps() {
		fmt.Fprintln(os.Stderr, "not seen here:", gap)
	}

	// Stop lets Events below end, once it has yielded what was recorded by then.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	defer context.AfterFunc(ctx, t.Stop)()

	for e, err := range t.Events() {
		var loss *tracer.Loss
		switch {
		case errors.As(err, &loss):
			// Events are missing at this place; more follow.
			about := ""
			if errors.Is(loss, tracer.ErrSkipped) {
				about = "at most "
			}
			fmt.Printf("%s  %s%d events lost\n", loss.To, about, loss.Count)
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			return
		case e.Action == tracer.ActionFail:
			fmt.Printf("%s  %q in %d: %v\n", e.Time, e.Comm, e.Namespace, e.Errno)
		default:
			// %q: a process may call itself anything.
			fmt.Printf("%s  %q in %d: %v of segment %d\n", e.Time, e.Comm, e.Namespace, e.Action, e.ID)
		}
	}
	stats := t.Stats()
	fmt.Fprintf(os.Stderr, "%d events, %d delivered, %d lost\n", stats.Produced, stats.Delivered, stats.Lost)
}
