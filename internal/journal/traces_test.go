package journal_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
)

// TestTraces: one writer can keep several traces, one after the other, in a log that is
// whole, also where the seal of one was written before the next began, and across
// parts.
func TestTraces(t *testing.T) {
	for _, n := range []int{0, 3, 998, 999, 1000, 2500} {
		for _, rotate := range []int64{0, 64 << 10} {
			cfg := config(t)
			cfg.RotateSize = rotate
			j := begin(t, cfg)
			for trace := range 3 {
				write(t, j, start())
				for i := range n {
					write(t, j, create(i+1))
				}
				if trace == 1 { // the last lines are sealed by the time that the next begins
					await(t, func() bool { return j.Counts().Waiting == 0 })
				}
				write(t, j, stop(uint64(n)))
			}
			if c := j.Counts(); c.Written+c.Waiting != uint64(3*n) || c.Dropped != 0 {
				t.Errorf("%+v", c)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			if c := j.Counts(); c != (journal.Counts{Written: uint64(3 * n)}) {
				t.Errorf("%d: %+v", n, c)
			}
			files, err := filepath.Glob(cfg.File + "*")
			if err != nil {
				t.Fatal(err)
			}
			r := whole(t, files...)
			if r.Traces != 3 || r.Broken > 0 || !r.Ended {
				t.Errorf("%d of %d bytes: %+v", n, rotate, r)
			}
			if rotate == 0 {
				chained(t, events(t, cfg.File))
			}
		}
	}
}

// TestTracesSealed: likewise where a pause has sealed the end of a trace.
func TestTracesSealed(t *testing.T) {
	cfg := config(t)
	j := begin(t, cfg)
	write(t, j, start(), create(1), stop(1))
	await(t, func() bool { return count(events(t, cfg.File), event.TraceSeal) == 1 })
	write(t, j, start(), create(2), stop(1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if r := whole(t, cfg.File); r.Traces != 2 {
		t.Errorf("%+v", r)
	}
	chained(t, events(t, cfg.File))
}

// chained is that each trace names the seal before it.
func chained(t *testing.T, all []*event.Event) {
	t.Helper()
	hash := ""
	for _, e := range all {
		if e.Start != nil && e.Start.Log.After != hash {
			t.Errorf("trace behind %q: behind %q", hash, e.Start.Log.After)
		}
		if e.Seal != nil {
			hash = e.Seal.Hash
		}
	}
}

// TestHasty: who must not wait loses at once what finds no room, and the account adds
// up; who may wait loses nothing.
func TestHasty(t *testing.T) {
	for _, hasty := range []bool{true, false} {
		cfg := config(t)
		cfg.Queue, cfg.Hasty = 64<<10, hasty
		var put int
		cfg.Put = func(boot int64) {
			if boot <= 0 {
				t.Errorf("stamp %d", boot)
			}
			put++
			time.Sleep(10 * time.Millisecond) // a slow disk
		}
		j := begin(t, cfg)
		write(t, j, start())
		const made = 5000
		for i := range made {
			write(t, j, create(i+1))
		}
		write(t, j, stop(made))
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		c := j.Counts()
		if c.Written+c.Dropped != made || c.Waiting != 0 || put == 0 || hasty != (c.Dropped > 0) {
			t.Errorf("hasty %v: %+v, %d batches", hasty, c, put)
		}
		all := events(t, cfg.File)
		if n := count(all, event.ObjectCreate); uint64(n) != c.Written {
			t.Errorf("%d written, %+v", n, c)
		}
		whole(t, cfg.File)
	}
}
