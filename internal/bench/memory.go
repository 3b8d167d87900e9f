package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// measureMemory is how large ipctrace is: running, with many namespaces and
// objects and a flood of calls, and on the disk.
func (b *bench) measureMemory(ctx context.Context, r *report) {
	s := b.interleave(ctx, "memory", max(b.rounds/3, 1), variant{recordName, b.memory})
	r.memory(b, s)
	size, err := b.binary(ctx)
	r.atMost("Binary, stripped", 20, "MB", size, err)
}

// memory of one run: before there is anything, when it is quiet among many
// objects, and at its largest while calls are made in all the namespaces.
func (b *bench) memory(ctx context.Context) (numbers, error) {
	found := numbers{}
	a, err := b.record(ctx, func(t *tool) error {
		before, err := readStatus(t.cmd.Process.Pid)
		if err != nil {
			return err
		}
		p, err := startProducer(ctx, setup{CPU: b.cpus[0], Namespaces: b.population.namespaces, Objects: b.population.objects}, nil)
		if err != nil {
			return err
		}
		defer p.Close()
		time.Sleep(2 * time.Second) // it is read, and looked at
		quiet, err := readStatus(t.cmd.Process.Pid)
		if err != nil {
			return err
		}
		peak, err := largest(t.cmd.Process.Pid, func() error {
			_, err := p.run(order{Call: "msgget", Calls: 10 * b.calls})
			return err
		})
		if err != nil {
			return err
		}
		objects := float64(b.population.namespaces * b.population.objects)
		found["before"], found["quiet"], found["peak"] = before["VmRSS"], quiet["VmRSS"], peak["VmRSS"]
		for _, part := range []string{"RssAnon", "RssFile", "RssShmem"} {
			found[part] = peak[part]
		}
		found["object"] = (quiet["RssAnon"] - before["RssAnon"]) / objects
		found["beyond"] = peak["VmRSS"] - max(found["object"], 0)*objects
		return nil
	})
	if err != nil {
		return nil, err
	}
	found["lost"] = a.lost()
	return found, nil
}

// largest is the status at the moment do takes the most memory.
func largest(pid int, do func() error) (most status, err error) {
	var wait sync.WaitGroup
	over := make(chan struct{})
	var failed error
	wait.Go(func() {
		for {
			s, err := readStatus(pid)
			if err != nil {
				failed = err
				return
			}
			if most == nil || s["VmRSS"] > most["VmRSS"] {
				most = s
			}
			select {
			case <-over:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	err = do()
	close(over)
	wait.Wait()
	if err == nil {
		err = failed
	}
	return most, err
}

// status is the sizes in /proc/PID/status, in bytes.
type status map[string]float64

func readStatus(pid int) (status, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil, err
	}
	return parseStatus(string(text)), nil
}

func parseStatus(text string) status {
	s := status{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		var kB float64
		if n, _ := fmt.Sscanf(value, "%g kB", &kB); n == 1 && strings.HasSuffix(strings.TrimSpace(value), " kB") {
			s[name] = kB * 1024
		}
	}
	return s
}

// binary is the size of ipctrace without what only debuggers need, in MB.
func (b *bench) binary(ctx context.Context) ([]float64, error) {
	path, remove := b.scratch("ipctrace")
	defer remove()
	build := command(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./cmd/ipctrace")
	out, err := build.CombinedOutput()
	if ctx.Err() != nil {
		return nil, errTime
	}
	if err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return []float64{float64(info.Size()) / 1e6}, nil
}

func (r *report) memory(b *bench, s *series) {
	in := func(name string) []float64 { return scaled(s.of(recordName, name), 1e-6) }
	among := fmt.Sprintf("%s namespaces and %s objects", number(float64(b.population.namespaces)), number(float64(b.population.namespaces*b.population.objects)))
	r.atMost("Memory under flood with "+among+", beyond the objects' own", 40, "MB", in("beyond"), s.why(recordName))
	if s.missing[recordName] != nil {
		return
	}
	t := table{
		title:  "Memory of ipctrace record",
		header: []string{"before", "quiet, among the objects", "largest, under flood", "of that: anonymous", "file", "shared", "bytes an object", "lost"},
		note:   "Resident, MB; " + among + ". The ring counts as file or shared. Bytes an object: what was anonymous grew by, with what the Go runtime holds in reserve.",
	}
	t.add(show(in("before"), ""), show(in("quiet"), ""), show(in("peak"), ""), show(in("RssAnon"), ""), show(in("RssFile"), ""), show(in("RssShmem"), ""),
		show(s.of(recordName, "object"), ""), show(percent(s.of(recordName, "lost")), "%"))
	r.tables = append(r.tables, t)
}
