package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// packages are those whose benchmarks are run.
var packages = []string{"tracer", "internal/stream", "internal/inventory", "internal/event", "internal/journal", "cmd/ipctrace"}

// A benchmark is one that an aim is about, or several: of these the slowest counts.
type benchmark struct {
	pkg  string
	name *regexp.Regexp
}

var (
	paths    = benchmark{"tracer", regexp.MustCompile(`^BenchmarkPath/.*/journal$`)}
	encoders = benchmark{"internal/event", regexp.MustCompile(`^BenchmarkEncode/Encoder$`)}
	reflects = benchmark{"internal/event", regexp.MustCompile(`^BenchmarkEncode/encoding$`)}
	applies  = benchmark{"internal/inventory", regexp.MustCompile(`^BenchmarkApply`)}

	// Where there are not these, what comes near: without what leads to the journal,
	// and with the seals.
	writes        = benchmark{"internal/journal", regexp.MustCompile(`^BenchmarkWrite$`)}
	writesReflect = benchmark{"internal/journal", regexp.MustCompile(`^BenchmarkEncodingJSON$`)}
)

// notHere is measured by the other parts.
const notHere = "^BenchmarkCall$"

// measureUserSpace runs the benchmarks of go test, each on one CPU.
func (b *bench) measureUserSpace(ctx context.Context, r *report) {
	var variants []variant
	for _, name := range packages {
		test, err := b.compileTest(ctx, name)
		if err != nil {
			variants = append(variants, variant{name, func(context.Context) (numbers, error) { return nil, err }})
			continue
		}
		if test == nil {
			continue
		}
		defer test.remove()
		variants = append(variants, variant{name, func(ctx context.Context) (numbers, error) { return b.runTest(ctx, test) }})
	}
	r.userSpace(b.interleave(ctx, "user space", b.rounds, variants...))
}

// testBinary is the compiled tests of a package.
type testBinary struct {
	name, path string
	remove     func()
}

// compileTest yields nil for a package that has no benchmarks.
func (b *bench) compileTest(ctx context.Context, name string) (*testBinary, error) {
	if !hasBenchmarks(name) {
		return nil, nil
	}
	if !b.time() {
		return nil, errTime
	}
	path, remove := b.scratch(strings.ReplaceAll(name, "/", "-") + ".test")
	path, err := filepath.Abs(path) // it is run in the package's folder
	if err != nil {
		return nil, err
	}
	t := &testBinary{name: name, path: path, remove: remove}
	b.say("user space: go test -c ./%s", name)
	if out, err := command(ctx, "go", "test", "-c", "-o", path, "./"+name).CombinedOutput(); err != nil {
		remove()
		if ctx.Err() != nil {
			return nil, errTime
		}
		return nil, fmt.Errorf("go test -c: %w: %s", err, out)
	}
	return t, nil
}

func hasBenchmarks(dir string) bool {
	files, _ := filepath.Glob(dir + "/*_test.go") // the pattern is one
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte("\nfunc Benchmark")) {
			return true
		}
	}
	return false
}

// runTest yields what each benchmark reports, as "NAME UNIT".
func (b *bench) runTest(ctx context.Context, t *testBinary) (numbers, error) {
	run := command(ctx, t.path, "-test.run", "^$", "-test.bench", ".", "-test.skip", notHere, "-test.benchmem", "-test.benchtime", b.scale.bench, "-test.cpu", "1")
	run.Dir = t.name
	out, err := run.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("benchmarks of %s: %w: %s", t.name, err, lastLine(out))
	}
	return parseBenchmarks(out), nil
}

func lastLine(out []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	return lines[len(lines)-1]
}

// parseBenchmarks reads the lines that go test prints.
func parseBenchmarks(out []byte) numbers {
	found := numbers{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		if _, err := strconv.Atoi(f[1]); err != nil {
			continue
		}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				found[f[0]+" "+f[i+1]] = v
			}
		}
	}
	return found
}

// benchmark is the greatest number of the benchmarks of the first choice of which
// there are any, by round.
func (s *series) benchmark(unit string, choices ...benchmark) (most []float64, err error) {
	for _, c := range choices {
		for name := range s.names(c.pkg, " "+unit) {
			if !c.name.MatchString(name) {
				continue
			}
			values := s.of(c.pkg, name+" "+unit)
			if most == nil {
				most = values
			}
			most = each(most, values, math.Max)
		}
		if most != nil {
			return most, nil
		}
		err = cmp.Or(err, s.why(c.pkg), fmt.Errorf("%s has no benchmark %v", c.pkg, c.name))
	}
	return nil, err
}

func perSecond(ns []float64) []float64 {
	return each(ns, ns, func(ns, _ float64) float64 { return 1e9 / ns })
}

func (r *report) userSpace(s *series) {
	ns, err := s.benchmark("ns/op", paths, writes)
	r.atLeast("User space: events a second to sealed JSON in a file, on one CPU", 2_000_000, "", perSecond(ns), err)
	allocs, err := s.benchmark("allocs/op", paths, writes)
	r.atMost("User space: allocations per event", 0, "", allocs, err)
	for _, than := range []struct {
		what           string
		ours, encoding benchmark
	}{{"to encode", encoders, reflects}, {"to encode and write, ours numbered and sealed", writes, writesReflect}} {
		ours, err := s.benchmark("ns/op", than.ours)
		theirs, err2 := s.benchmark("ns/op", than.encoding)
		r.atLeast("User space: encoding/json's time ÷ ours, "+than.what, 8, "", over(theirs, ours), cmp.Or(err, err2))
	}
	ns, err = s.benchmark("ns/op", applies)
	r.atLeast("User space: events a second into the inventory", 5_000_000, "", perSecond(ns), err)
	t := table{title: "User space", header: []string{"package", "benchmark", "ns an operation", "allocations", "operations a second"}}
	for _, pkg := range packages {
		if err := s.missing[pkg]; err != nil {
			t.add(pkg, "cannot be run: "+err.Error())
		}
		for _, name := range slices.Sorted(s.names(pkg, " ns/op")) {
			ns := s.of(pkg, name+" ns/op")
			rate := number(math.Round(summarize(perSecond(ns)).median))
			t.add(pkg, strings.TrimPrefix(name, "Benchmark"), show(ns, ""), show(s.of(pkg, name+" allocs/op"), ""), rate)
		}
	}
	r.tables = append(r.tables, t)
}
