package tracer_test

import (
	"slices"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// TestKernelFilters: what a filter leaves out is not produced, so it takes no
// room in the ring.
func TestKernelFilters(t *testing.T) {
	host := inode(t, "/proc/self/ns/ipc")
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, test := range []struct {
			name string
			cfg  tracer.Config
			want int
		}{
			{"none", tracer.Config{}, 7},
			{"kinds", tracer.Config{Kinds: []tracer.Kind{tracer.Shm, tracer.Sem}}, 4},
			{"uid", tracer.Config{UIDs: []uint32{1000}}, 1},
			{"uids", tracer.Config{UIDs: []uint32{1000, 0}}, 7},
			{"namespace", tracer.Config{Namespaces: []uint32{host}}, 4},
			{"except namespace", tracer.Config{ExceptNamespace: host}, 3},
			{"no such pid", tracer.Config{PIDs: []uint32{1 << 30}}, 0},
			{"all must match", tracer.Config{ExceptNamespace: host, Kinds: []tracer.Kind{tracer.Msg}, UIDs: []uint32{0}}, 1},
		} {
			t.Run(test.name, func(t *testing.T) {
				test.cfg.Tier = tier
				var mine []int
				own := func(events []tracer.Event) []tracer.Event {
					return slices.DeleteFunc(slices.Clone(events), func(e tracer.Event) bool { return !e.Action.Call() || !slices.Contains(mine, int(e.PID)) })
				}
				events, stats := trace(t, test.cfg, func() {
					kinds := []string{"msgget:0:384", "shmget:0:1:384", "semget:0:1:384"}
					mine = append(mine, run(t, nil, kerneltest.Maker64(t), append([]string{"-unshare"}, kinds...)...).pid)
					mine = append(mine, run(t, nil, kerneltest.Maker64(t), kinds...).pid)
					mine = append(mine, run(t, nil, kerneltest.Maker64(t), "uid:1000", "msgget:0:384").pid)
				}, func(events []tracer.Event) bool { return len(own(events)) == test.want })
				if stats.Produced != uint64(len(events)) {
					t.Errorf("%d produced, %d told", stats.Produced, len(events))
				}
				events = own(events)
				if len(events) != test.want {
					t.Errorf("%d events, want %d: %+v", len(events), test.want, events)
				}
			})
		}
	})
}

// TestKernelPIDFilter: one process of two.
func TestKernelPIDFilter(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		m, begin := waiting(t, kerneltest.Maker64(t), "-wait", "msgget:0:384", "shmget:0:1:384")
		events, stats := traceOnce(t, tracer.Config{Tier: tier, PIDs: []uint32{uint32(m.pid)}}, func() {
			run(t, nil, kerneltest.Maker64(t), "msgget:0:384")
			begin()
		})
		missing := 2 - len(of(events, m.pid))
		if stats.Produced != uint64(len(events)) || missing < 0 || missing > int(stats.Skipped) {
			t.Errorf("want 2 events of %d, %+v, told %+v", m.pid, stats, events)
		}
	})
}

func inode(t *testing.T, path string) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return uint32(st.Ino)
}
