package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/kernels"
)

// guestKernel of the matrix has all the tiers, whatever this machine's refuses.
const guestKernel = runtime.GOARCH + "-6.12"

// fetching is how long it may take to get it, where it is not there yet.
const fetching = time.Minute

// measureInGuest counts the instructions of calls in a guest, for the tier that this
// machine has refused.
func (b *bench) measureInGuest(ctx context.Context, r *report, refused error) {
	if b.scale.guest == 0 {
		r.fentry("", nil, fmt.Errorf("a quick run does not boot a guest for it; here: %w", refused))
		return
	}
	b.say("in a guest: %s", guestKernel)
	kernel, s, err := b.runGuest(ctx)
	if err != nil {
		b.say("in a guest: %v", err)
		r.fentry("", nil, fmt.Errorf("in a guest: %w; here: %w", err, refused))
		return
	}
	r.inGuest(kernel, s)
}

// runGuest yields the release of the guest's kernel, and what it has counted.
func (b *bench) runGuest(ctx context.Context) (kernel string, s *series, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, b.scale.guest, errTime)
	defer cancel()
	entry, cache, err := findGuest(ctx)
	if err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	got, err := entry.Run(ctx, cache, kernels.Initramfs{
		Files: map[string]string{"/test/bin/bench": self, "/test/bin/ipctrace": b.ipctrace},
		Jobs:  []kernels.Job{{Name: "count", Dir: "/test", Line: "bin/bench guest"}},
	}, kernels.Counting...)
	if len(got.Jobs) == 0 {
		return "", nil, errors.Join(err, errors.New("it has run nothing"))
	}
	job := got.Jobs[0]
	s, none := parseRounds(job.Output)
	if none != nil {
		return "", nil, errors.Join(err, fmt.Errorf("%w: %s", none, lastLine([]byte(job.Output))))
	}
	if err != nil || job.Status != 0 {
		b.say("in a guest: it did not come to its end: %s (%v)", lastLine([]byte(job.Output)), err)
	}
	return got.Kernel, s, nil
}

// findGuest yields the kernel, and the cache in which it is.
func findGuest(ctx context.Context) (kernel kernels.Entry, cache string, err error) {
	entries, err := kernels.Matrix()
	if err != nil {
		return kernel, "", err
	}
	if entries, err = kernels.Select(entries, guestKernel); err != nil {
		return kernel, "", err
	}
	kernel = entries[0]
	if cache, err = kernels.CacheDir(); err != nil || kernel.Fetched(cache) {
		return kernel, cache, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetching)
	defer cancel()
	err = kernels.Fetch(ctx, filepath.Join("internal", "kernels", "fetch.sh"), cache, kernel)
	if ctx.Err() != nil {
		err = fmt.Errorf("not fetched within %v", fetching)
	}
	return kernel, cache, err
}

// inGuest tells what was counted: instructions where others have nanoseconds.
func (r *report) inGuest(kernel string, s *series) {
	r.fentry(fmt.Sprintf(", guest instructions, Linux %s in QEMU", version(kernel)), over(s.of(fentryName, "getppid"), s.of(bare, "getppid")), s.why(fentryName, bare))
	t := table{
		title: "In a guest, by instructions",
		note: "Instructions that a call makes an emulated processor execute: Linux " + kernel + " in QEMU. Of batches of ten calls the median, in which " +
			"nothing else ran; a tenth of reading the clock is in each. They are not times: one that takes long counts as much as any other.",
		header: []string{""},
	}
	for _, call := range guestCalls {
		t.header = append(t.header, call, "added", "÷ nothing attached", "added ÷ empty hook's")
	}
	for _, name := range tierNames {
		if err := s.missing[name]; err != nil {
			t.add(name, fmt.Sprintf("cannot be run: %v", err))
			continue
		}
		row := []string{name}
		for _, call := range guestCalls {
			row = append(row, show(s.of(name, call), ""))
			if name == bare {
				row = append(row, "", "", "")
				continue
			}
			row = append(row, show(s.added(name, call), ""), show(over(s.of(name, call), s.of(bare, call)), ""),
				show(over(s.added(name, call), s.added(emptyName, call)), ""))
		}
		t.add(row...)
	}
	r.tables = append(r.tables, t)
}

// version is the part of a kernel's release that says which Linux it is: 6.12 of
// 6.12.117+deb13-cloud-amd64.
func version(release string) string {
	parts := strings.SplitN(release, ".", 3)
	return strings.Join(parts[:min(len(parts), 2)], ".")
}
