package tracer_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
)

// TestKernelRandomLife: after any calls what was told to be there is what the
// kernel lists. Tier syscall does not know which of the marked segments went.
func TestKernelRandomLife(t *testing.T) {
	const calls = 400
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[string]) {
			for seed, w := range usable(t) {
				dir := t.TempDir()
				m := begin(t, w.path(t), w.args("-unshare", "-mq", "keep", "mount:"+dir, fmt.Sprintf("random:%d:%d", seed, calls), "pause")...)
				ns := m.read(1 + calls)[0].NS
				there := objectsIn(t, m.pid, dir)
				m.end()
				if tier == tracer.Syscall {
					there = unmarked(there)
				}
				all = append(all, witness[string]{there, func(events []tracer.Event) []string {
					left := leftBy(life(events, m.pid, ns))
					if tier == tracer.Syscall {
						left = unmarked(left)
					}
					return left
				}})
			}
			return all
		})
	})
}

// unmarked are lines of leftBy and objectsIn without those of marked segments.
func unmarked(lines []string) []string {
	return slices.DeleteFunc(lines, func(line string) bool { return strings.HasSuffix(line, "marked") })
}

// leftBy is what is there after events, sorted: "msg 3 key 7", "shm 5 marked", "mq /a inode 9".
// What happened at the end of the process or the namespace is left out.
func leftBy(events []tracer.Event) []string {
	left := map[string]string{}
	for _, e := range events {
		if e.ByKernel || e.Syscall() == "" || e.Action.OfNamespace() {
			continue
		}
		object, state := fmt.Sprint(e.Kind, e.ID), fmt.Sprintf("%v %d key %d", e.Kind, e.ID, e.Key)
		if e.Kind == tracer.MQ {
			object, state = "mq"+e.Queue.Name, fmt.Sprintf("mq %s inode %d", e.Queue.Name, e.Queue.Inode)
		}
		switch {
		case e.Action == tracer.ActionCreate || e.Action == tracer.ActionGet:
			left[object] = state
		case e.Action == tracer.ActionMark && e.Kind == tracer.Shm:
			left[object] = fmt.Sprintf("shm %d marked", e.ID)
		case e.Action == tracer.ActionMark, e.Action == tracer.ActionRemove && e.Kind != tracer.MQ:
			delete(left, object)
		}
	}
	return slices.Sorted(maps.Values(left))
}

// objectsIn is what the kernel lists in a process's namespace, which it has
// mounted at dir, in the words of leftBy.
func objectsIn(t *testing.T, pid int, dir string) []string {
	t.Helper()
	const dest = 0o1000
	var there []string
	inside(t, pid, func() {
		for _, kind := range []string{"msg", "shm", "sem"} {
			text, err := os.ReadFile("/proc/sysvipc/" + kind)
			if err != nil {
				t.Error(err)
			}
			_, lines, _ := strings.Cut(string(text), "\n")
			for line := range strings.Lines(lines) {
				var key, id, mode int32
				if _, err := fmt.Sscanf(line, "%d %d %o", &key, &id, &mode); err != nil {
					t.Errorf("/proc/sysvipc/%s: %q: %v", kind, line, err)
				}
				state := fmt.Sprintf("key %d", key)
				if mode&dest != 0 {
					state = "marked"
				}
				there = append(there, fmt.Sprintf("%s %d %s", kind, id, state))
			}
		}
	})
	root := filepath.Join(fmt.Sprintf("/proc/%d/root", pid), dir)
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		there = append(there, fmt.Sprintf("mq /%s inode %d", e.Name(), inode(t, filepath.Join(root, e.Name()))))
	}
	slices.Sort(there)
	return there
}
