package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// load is something that goes on for a moment on the machine.
type load struct {
	name string
	put  func(t *testing.T, d *serving)
}

// loads are by turns what a daemon has to stand.
func loads(config string) []load {
	kinds := []string{"msg", "shm", "sem"}
	turn := 0
	return []load{
		{"quiet", func(*testing.T, *serving) { time.Sleep(500 * time.Millisecond) }},
		{"flood", func(t *testing.T, _ *serving) {
			runMaker(t, 64, "-unshare", "-threads", "2", "-repeat", "40000", "msgget:7:01600")
		}},
		{"many objects", func(t *testing.T, _ *serving) {
			runMaker(t, 64, "-unshare", "-repeat", "3000", "keep", "msgget:0:0600")
		}},
		{"many namespaces", func(t *testing.T, _ *serving) { spawn(t, 300) }},
		{"many scrapes", func(t *testing.T, d *serving) {
			for range 50 {
				d.get("/metrics")
			}
		}},
		{"other filters", func(t *testing.T, d *serving) {
			turn++
			text := fmt.Sprintf("filters: {kind: [%s]}\n", kinds[turn%len(kinds)])
			if turn%2 == 0 {
				text = "filters: {}\n"
			}
			if err := os.WriteFile(config, []byte(text+soakRecord(config)), 0o600); err != nil {
				t.Fatal(err)
			}
			d.signal(syscall.SIGHUP)
		}},
	}
}

func soakRecord(config string) string {
	return fmt.Sprintf("record: {file: %s/log, rotate_size: 4M, keep: 2, compress: zstd}\n", filepath.Dir(config))
}

// spawn makes so many namespaces, one after the other, with a queue in each.
func spawn(t *testing.T, n int) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: it ends with the goroutine
		done <- func() error {
			for range n {
				if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
					return err
				}
				if _, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0); errno != 0 {
					return errno
				}
			}
			return nil
		}()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestServeSoak: under changing load a daemon takes as much memory, and has as many
// goroutines and descriptors, at the end as after a while. IPCTRACE_SOAK says for how
// long.
func TestServeSoak(t *testing.T) {
	kerneltest.NeedRoot(t)
	lasts := 25 * time.Second
	if text := os.Getenv("IPCTRACE_SOAK"); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(config, []byte("filters: {}\n"+soakRecord(config)), 0o600); err != nil {
		t.Fatal(err)
	}
	d := serveHere(t, "--config", config)
	var samples []sample
	rounds := 0
	for began := time.Now(); time.Since(began) < lasts || rounds < 6; rounds++ {
		for _, l := range loads(config) {
			l.put(t, d)
		}
		samples = append(samples, d.sample())
	}
	if status, _ := d.get("/healthz"); status != http.StatusOK {
		t.Errorf("it does not live: %d", status)
	}
	d.scrape().addsUp(t)
	third := len(samples) / 3
	early, late := median(samples[third:2*third]), median(samples[2*third:])
	t.Logf("%d rounds in %v: in the second third %v, in the last %v", rounds, lasts, early, late)
	// What was never needed before can be needed late: twice as much of it would show.
	if late.rss > early.rss*1.25+8<<20 {
		t.Errorf("memory grows: %v, %v", early, late)
	}
	if late.goroutines > early.goroutines+5 || late.fds > early.fds+5 {
		t.Errorf("goroutines or descriptors grow: %v, %v", early, late)
	}
	if s := d.words(); strings.Contains(s, "panic") {
		t.Error(s)
	}
	d.end(exitDone)
}

// sample is how much a daemon takes.
type sample struct{ rss, goroutines, fds float64 }

func (s sample) String() string {
	return fmt.Sprintf("%.1f MiB, %.0f goroutines, %.0f descriptors", s.rss/(1<<20), s.goroutines, s.fds)
}

// sample waits until what the last load left has been dealt with.
func (d *serving) sample() sample {
	d.t.Helper()
	var s series
	d.await("nothing is pending", func() bool { s = d.scrape(); return s.sum("ipctrace_events_pending") == 0 })
	return sample{s.sum("process_resident_memory_bytes"), s.sum("go_goroutines"), s.sum("process_open_fds")}
}

func median(samples []sample) sample {
	of := func(figure func(sample) float64) float64 {
		all := make([]float64, len(samples))
		for i, s := range samples {
			all[i] = figure(s)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	return sample{
		of(func(s sample) float64 { return s.rss }), of(func(s sample) float64 { return s.goroutines }), of(func(s sample) float64 { return s.fds }),
	}
}
