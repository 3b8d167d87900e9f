// Command bench measures what ipctrace costs, beside the tools that could be used
// in its place, and says which of the project's aims are met.
//
// Usage: bench (make bench)
//
// In the environment: BENCH=quick takes a minute at most instead of ten,
// BPFTRACE is the path of bpftrace where it is not in PATH. docs/performance.md
// says what is measured and how.
//
// Everything is run in rounds, one of each after the other, so that what else the
// machine does meets all of them alike, and figures are ratios within a round. The
// program also is its own load generator: it executes itself with the name of a
// role.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		return play(args[0], args[1:])
	}
	if os.Geteuid() != 0 {
		return errors.New("needs root, to load programs and make namespaces: sudo make bench")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	b, err := newBench(os.Getenv("BENCH"), stderr)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithDeadline(ctx, b.deadline)
	defer cancel()
	return b.report(b.measure(ctx), stdout)
}

// play plays a role: what this program was executed for by itself.
func play(role string, args []string) error {
	switch {
	case role == "produce" && len(args) == 1:
		return produce(args[0], os.Stdin, os.Stdout)
	case role == "crowd" && len(args) == 1:
		return crowd(args[0], os.Stdin, os.Stdout)
	case role == "guest" && len(args) == 0:
		return guest(os.Stdout, os.Stderr)
	case role == "peer" && len(args) > 0:
		return peer(args)
	}
	return fmt.Errorf("%q: takes no arguments; BENCH=quick in the environment is faster", role)
}

// report writes the table to stdout, and with the plots into files.
func (b *bench) report(r *report, stdout io.Writer) error {
	table := r.markdown()
	if _, err := io.WriteString(stdout, table); err != nil {
		return err
	}
	file := filepath.Join(b.dir, "bench.md")
	if err := os.WriteFile(file, []byte(table), 0o644); err != nil {
		return err
	}
	for name, plot := range r.plots() {
		if err := os.WriteFile(filepath.Join(b.dir, name+".svg"), []byte(plot.svg()), 0o644); err != nil {
			return err
		}
	}
	b.say("written: %s, and plots beside it", file)
	return nil
}
