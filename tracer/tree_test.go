package tracer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// got is a call that got an object, as its caller and the hooks tell of it.
type got struct {
	NS   uint64
	PID  int
	Kind string
	ID   int32
}

// ownNamespace puts the calling test, and what it starts, into an IPC namespace
// of its own: what else calls on this machine is told too, where tier Syscall
// cannot know that no process of the tree found it.
func ownNamespace(t *testing.T) uint32 {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWIPC); err != nil {
		t.Fatal(err)
	}
	var stat unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/ipc", &stat); err != nil {
		t.Fatal(err)
	}
	return uint32(stat.Ino)
}

// gotBy are the calls told of processes that are followed, or of others.
func gotBy(events []tracer.Event, followed bool) []string {
	var all []string
	for _, e := range events {
		if e.Action.Call() && e.Followed == followed {
			all = append(all, fmt.Sprint(got{uint64(e.Namespace), int(e.PID), e.Kind.String(), e.ID}))
		}
	}
	slices.Sort(all)
	return all
}

// writtenBy is what ipcmakers wrote to a file, likewise.
func writtenBy(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range bytes.Lines(text) {
		var r result
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(r.Call, "get") {
			all = append(all, fmt.Sprint(got{r.NS, r.PID, r.Kind, r.ID}))
		}
	}
	slices.Sort(all)
	return all
}

// family is a shell with descendants of every sort, which write what they did to
// a file, and end before it does. In a guest few are there at a time: a kernel
// that preempts programs skips the more hooks the more there are, and all that
// are preempted take turns on one slow CPU.
func family(maker, out string) *exec.Cmd {
	const calls = " msgget:0:0600 shmget:0:1:0600 semget:0:1:0600 "
	m, pause := maker+calls, ""
	if kerneltest.Guest() != "" {
		pause = " wait;"
	}
	script := strings.Join([]string{
		m,
		"(" + m + "; " + m + ")",
		maker + " -threads 3" + calls,
		maker + " -unshare -threads 2" + calls,
		maker + " fork" + calls,
		maker + " clone" + calls,
		maker + " clone3" + calls,
		maker + calls + "rmid:msg rmid:shm rmid:sem exec" + calls,
		maker + calls + "unshare" + calls + "setns:/proc/$$/ns/ipc" + calls,
		"for i in 1 2 3 4 5 6 7 8; do " + m + " &" + pause + " done; wait",
		"echo \"$(" + m + ")\"",
		"(sh -c '(sleep 0.1; " + m + ") & exit' &)",         // its parents are gone
		"(setsid sh -c '(" + m + "; " + m + ") & exit' & )", // a daemon
		"sh -c 'sleep 0.1; exec " + m + "' & wait",
		"for i in $(seq 100); do [ $(grep -c . " + out + ") = 95 ] && exit; sleep 0.1; done; exit 1",
	}, "\n")
	cmd := exec.Command("sh", "-ec", "exec >>"+out+"\n"+script)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestKernelTree: of all the ways to become a descendant none leads out of the
// tree, and nobody else comes in.
func TestKernelTree(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		dir, attempt := t.TempDir(), 0
		agree(t, tracer.Config{Tier: tier, Follow: true}, func(r *recording) []witness[string] {
			attempt++
			ours, theirs := filepath.Join(dir, fmt.Sprint("ours", attempt)), filepath.Join(dir, fmt.Sprint("theirs", attempt))
			own, stranger := family(kerneltest.Maker64(t), ours), family(kerneltest.Maker64(t), theirs)
			adopt := func() error { return r.tracer.Adopt(own.Start) }
			steps := []func() error{stranger.Start, adopt, own.Wait, stranger.Wait}
			if kerneltest.Guest() != "" { // one after the other: see family
				steps = []func() error{stranger.Start, stranger.Wait, adopt, own.Wait}
			}
			for _, step := range steps {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			return []witness[string]{
				{writtenBy(t, ours), func(events []tracer.Event) []string { return gotBy(events, true) }},
				{nil, func(events []tracer.Event) (told []string) {
					done := writtenBy(t, theirs)
					for _, call := range gotBy(events, false) {
						if slices.Contains(done, call) {
							told = append(told, call)
						}
					}
					return told
				}},
			}
		})
	})
}

// TestKernelTreePerhaps: tier syscall tells what others may have made that a
// process of the tree finds, and no more.
func TestKernelTreePerhaps(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		cfg := tracer.Config{Tier: tier, Follow: true, Namespaces: []uint32{ownNamespace(t)}}
		agree(t, cfg, func(r *recording) []witness[string] {
			k := key()
			run(t, nil, kerneltest.Maker64(t), "keep", "msgget:0:0600", "rmid:msg")
			stranger := begin(t, kerneltest.Maker64(t), "msgget:0:0600", fmt.Sprintf("msgget:%d:03600", k), fmt.Sprintf("msgget:%d:0", k), "pause")
			made := stranger.read(3)[1]
			own := exec.Command(kerneltest.Maker64(t), "keep", fmt.Sprintf("msgget:%d:01600", k))
			if err := errors.Join(r.tracer.Adopt(own.Start), own.Wait()); err != nil {
				t.Fatal(err)
			}
			stranger.end()
			call := func(pid int) string { return fmt.Sprint(got{made.NS, pid, "msg", made.ID}) }
			var perhaps []string
			if tier == tracer.Syscall {
				perhaps = []string{call(made.PID)}
			}
			return []witness[string]{
				{[]string{call(own.Process.Pid)}, func(events []tracer.Event) []string { return gotBy(events, true) }},
				{perhaps, func(events []tracer.Event) []string { return gotBy(events, false) }},
			}
		})
	})
}

// TestKernelTreeEnds: what ends is told whoever does it, with who did.
func TestKernelTreeEnds(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier, Follow: true}, func(r *recording) []witness[string] {
			own := exec.Command(kerneltest.Maker64(t), "keep", "msgget:0:0600", "semget:0:1:0600", "rmid:sem")
			var out bytes.Buffer
			own.Stdout = &out
			if err := errors.Join(r.tracer.Adopt(own.Start), own.Wait()); err != nil {
				t.Fatal(err)
			}
			var m maker
			m.parse(t, out.Bytes())
			msg, sem := m.results[0].ID, m.results[1].ID
			run(t, nil, kerneltest.Maker64(t), fmt.Sprintf("rmid:msg:%d", msg))
			return []witness[string]{{
				[]string{fmt.Sprintf("sem %d by the tree: true", sem), fmt.Sprintf("msg %d by the tree: false", msg)},
				func(events []tracer.Event) (ends []string) {
					for _, e := range events {
						if e.Action == tracer.ActionRemove && (e.Kind == tracer.Msg && e.ID == msg || e.Kind == tracer.Sem && e.ID == sem) {
							ends = append(ends, fmt.Sprintf("%v %d by the tree: %v", e.Kind, e.ID, e.Followed))
						}
					}
					return ends
				},
			}}
		})
	})
}

// TestKernelTreeRefuses: what cannot be followed is an error.
func TestKernelTreeRefuses(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, test := range []struct {
			follow bool
			start  func() error
			want   error
		}{
			{false, func() error { return nil }, tracer.ErrConfig},
			{true, func() error { return nil }, tracer.ErrNotFollowed},
			{true, exec.Command("/nonexistent").Start, unix.ENOENT},
		} {
			tr, err := tracer.Open(tracer.Config{Tier: tier, Follow: test.follow})
			if err != nil {
				t.Fatal(err)
			}
			if err := tr.Adopt(test.start); !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			tr.Close()
		}
	})
}

// TestKernelTreeShort: a thousand short lives, one after the other and many at a
// time, with others' lives between them.
func TestKernelTreeShort(t *testing.T) {
	n, both := 1000, "&"
	if kerneltest.Guest() != "" {
		n, both = 20, ";" // see family
	}
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		cfg := tracer.Config{Tier: tier, Follow: true, Namespaces: []uint32{ownNamespace(t)}}
		agree(t, cfg, func(r *recording) []witness[int] {
			m := kerneltest.Maker64(t)
			lives := func(i int) *exec.Cmd {
				return exec.Command("sh", "-c", fmt.Sprintf(
					"i=0; while [ $i -lt %d ]; do %s msgget:0:0600 %s %s msgget:0:0600; i=$((i+1)); done; wait", i/2, m, both, m))
			}
			stranger, own := lives(n), lives(n)
			if err := errors.Join(stranger.Start(), r.tracer.Adopt(own.Start), own.Wait(), stranger.Wait()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			return []witness[int]{
				{[]int{n}, func(events []tracer.Event) []int { return []int{len(gotBy(events, true))} }},
				{[]int{0}, func(events []tracer.Event) []int { return []int{len(gotBy(events, false))} }},
			}
		})
	})
}
