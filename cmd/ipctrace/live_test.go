package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// TestKernelLiveJSON: what is made in a new namespace is told there and nowhere
// else, whatever ABI made it.
func TestKernelLiveJSON(t *testing.T) {
	kerneltest.NeedRoot(t)
	abis := map[int]string{64: nativeABI(), 32: "i386"}
	if runtime.GOARCH == "arm64" {
		abis[32] = "arm32"
	}
	if !kerneltest.Have32(t) {
		delete(abis, 32)
	}
	for _, tier := range kerneltest.Tiers() {
		t.Run(tier.String(), func(t *testing.T) {
			pids, done := map[int]int{}, map[int][]made{}
			all := sure(t, func() []byte {
				s := begin(t, nil, "live", "--json", "--hooks", tier.String())
				for bits := range abis {
					pids[bits], done[bits] = runMaker(t, bits, "-unshare", "-comm", "a\x1bb\xff", "msgget:0x1234:01644")
				}
				s.interrupt()
				out := s.output()
				if status := s.status(); status != 0 {
					t.Errorf("exit status %d", status)
				}
				return out
			}, func(all []*event.Event) bool {
				for bits := range abis {
					if len(calls(all, pids[bits])) != 1 {
						return false
					}
				}
				return true
			})
			created := event.ObjectCreate
			if tier == tracer.Syscall { // IPC_CREAT alone: created or found
				created = event.ObjectGet
			}
			for bits, abi := range abis {
				mine := calls(all, pids[bits])
				if len(mine) != 1 {
					t.Fatalf("%d bits: %d events, want 1", bits, len(mine))
				}
				e := mine[0]
				if e.Event != created || e.NS.Inode != done[bits][0].NS || e.NS.Initial || e.ABI != abi ||
					*e.Object.ID != done[bits][0].ID || e.Object.Key != 0x1234 || e.Object.Mode != 0o644 {
					t.Errorf("%d bits: done %+v, told %+v of %+v", bits, done[bits], e.Object, e)
				}
			}
			for _, e := range all {
				if e.NS != nil && e.Process != nil && e.NS.Inode == nsresolve.InitialInode && slices.Contains(slices.Collect(maps.Values(pids)), int(e.Process.PID)) {
					t.Errorf("told in the initial namespace: %+v", e)
				}
			}
		})
	}
}

// sure is the events of a session; where they are not complete and the kernel says
// that it skipped hooks, of another one, a few times.
func sure(t *testing.T, session func() []byte, complete func([]*event.Event) bool) []*event.Event {
	t.Helper()
	const attempts = 10
	for range attempts {
		all := events(t, session())
		if complete(all) || all[len(all)-1].Stop.Skipped == 0 {
			return all
		}
	}
	t.Fatalf("the kernel skipped hooks in all of %d attempts", attempts)
	return nil
}

// TestKernelLiveLines: a line an event, the table at the end on stderr.
func TestKernelLiveLines(t *testing.T) {
	kerneltest.NeedRoot(t)
	s := begin(t, nil, "live")
	pid, calls := runMaker(t, 64, "-unshare", "-comm", "a\x1b[31mb\n", "shmget:0:65536:0600", "msgget:5:0")
	s.interrupt()
	out := s.output()
	if status := s.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	var mine []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, " object.") && strings.Contains(line, `a\x1b[31mb\n`) {
			mine = append(mine, line)
		}
	}
	if len(mine) != 3 || bytes.ContainsAny(out, "\x1b") {
		t.Fatalf("want three lines of process %d: %q", pid, out)
	}
	for _, want := range [][]string{{"object.create", "shm", "64 KiB", "0600"}, {"object.fail", "msg", "ENOENT"}, {"object.remove", "shm", "rmid"}} {
		line := mine[0]
		mine = mine[1:]
		for _, word := range want {
			if !strings.Contains(line, word) {
				t.Errorf("no %q in %q", word, line)
			}
		}
	}
	if stderr := s.stderr.String(); !strings.Contains(stderr, itoa(calls[0].NS)) || !strings.Contains(stderr, "0 lost") {
		t.Errorf("no table at the end: %s", stderr)
	}
}

// TestLiveEnds: everything that ends a session, and its exit status.
func TestLiveEnds(t *testing.T) {
	kerneltest.NeedRoot(t)
	t.Run("count", func(t *testing.T) {
		s := begin(t, nil, "live", "--json", "--count", "2", "--comm", "counted")
		runMaker(t, 64, "-unshare", "-comm", "counted", "msgget:0:0600", "msgget:0:0600", "msgget:0:0600", "msgget:0:0600")
		all := events(t, s.output())
		if stop := all[len(all)-1].Stop; stop.Written != 2 || stop.Reason != "count" || s.status() != 0 {
			t.Errorf("status %d, %+v", s.status(), stop)
		}
	})
	t.Run("count of what is found out", func(t *testing.T) {
		s := begin(t, nil, "live", "--json", "--count", "1", "--event", "namespace.free", "--no-host")
		runMaker(t, 64, "-unshare", "msgget:0:0600")
		all := events(t, s.output())
		if stop := all[len(all)-1].Stop; stop.Written+stop.Found != 1 || stop.Reason != "count" || s.status() != 0 {
			t.Errorf("status %d, %+v", s.status(), stop)
		}
	})
	t.Run("duration", func(t *testing.T) {
		s := begin(t, nil, "live", "--json", "--duration", "200ms")
		all := events(t, s.output())
		if stop := all[len(all)-1].Stop; stop.Reason != "duration" || s.status() != 0 {
			t.Errorf("status %d, %+v", s.status(), stop)
		}
	})
	t.Run("SIGTERM", func(t *testing.T) {
		s := begin(t, nil, "live", "--json")
		for range 2 { // as timeout(1) does: to the process and to its group
			if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
		all := events(t, s.output())
		if stop := all[len(all)-1].Stop; stop.Reason != "signal" || s.status() != 0 {
			t.Errorf("status %d, %+v", s.status(), stop)
		}
	})
	t.Run("closed pipe", func(t *testing.T) { // without an event that would be written
		s := begin(t, nil, "live", "--no-host")
		s.stdout.Close()
		if status := s.status(); status != 0 {
			t.Errorf("exit status %d: %s", status, s.stderr)
		}
	})
	t.Run("full disk", func(t *testing.T) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		cmd := exec.Command("ipctrace", "live", "--json")
		cmd.Stdout = full
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%v: %s", cmd.ProcessState, &stderr)
		}
	})
}

// TestKernelLivePrivileges: CAP_BPF and CAP_PERFMON suffice; without them the
// exit status is 3, with the way out.
func TestKernelLivePrivileges(t *testing.T) {
	kerneltest.NeedRoot(t)
	path := kerneltest.Public(t, "ipctrace")
	as := func(caps ...uintptr) *exec.Cmd {
		cmd := exec.Command(path, "live", "--json")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential:  &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true},
			AmbientCaps: caps,
		}
		return cmd
	}
	hold := exec.Command(kerneltest.Maker64(t), "-unshare", "-hold", "msgget:0:0600")
	stdin, err := hold.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := hold.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); _ = hold.Wait() }()
	s := beginCmd(t, as(unix.CAP_BPF, unix.CAP_PERFMON), nil)
	pid, _ := runMaker(t, 64, "-unshare", "msgget:0:0600")
	s.interrupt()
	if mine := calls(events(t, s.output()), pid); len(mine) != 1 {
		t.Errorf("%d events, want 1", len(mine))
	}
	if s.status() != 0 || !strings.Contains(s.stderr.String(), "not looked into") ||
		!strings.Contains(s.stderr.String(), "CAP_SYS_ADMIN") {
		t.Errorf("status %d: %s", s.status(), s.stderr)
	}
	cmd := as()
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 3 || !strings.Contains(string(out), "CAP_BPF and CAP_PERFMON") ||
		!strings.Contains(string(out), "run with sudo") {
		t.Errorf("%v: %s", cmd.ProcessState, out)
	}
}

// TestKernelHooksForced: hooks that cannot be had are exit status 3, with the
// reason; no other tier is taken instead.
func TestKernelHooksForced(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, tier := range []tracer.Tier{tracer.Fentry, tracer.Syscall} {
		cmd := exec.Command("ipctrace", "live", "--json", "--duration", "10ms", "--hooks", tier.String())
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, _ := cmd.Output()
		if slices.Contains(kerneltest.Tiers(), tier) {
			if start := events(t, out)[0].Start; start.Tier != tier.String() {
				t.Errorf("%v: took %s", tier, start.Tier)
			}
			continue
		}
		if cmd.ProcessState.ExitCode() != 3 || len(out) > 0 ||
			!strings.Contains(stderr.String(), "hooks do not attach; tier "+tier.String()+": ") {
			t.Errorf("%v: %v: %s%s", tier, cmd.ProcessState, out, &stderr)
		}
	}
}

// TestFlags: the filters, in one session each.
func TestFlags(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, test := range []struct {
		name string
		args []string
		want []string // events by kind
	}{
		{"kind", []string{"--kind", "shm,sem"}, []string{"create shm", "create sem", "fail sem", "remove shm", "remove sem"}},
		{"event", []string{"--event", "fail"}, []string{"fail sem"}},
		{"removals", []string{"--event", "remove", "--kind", "msg,sem"}, []string{"remove msg", "remove sem"}},
		{"namespaces", []string{"--event", "namespace.create", "--kind", "msg"}, []string{"namespace.create"}},
		{"comm", []string{"--comm", "nobody"}, nil},
		{"host only", []string{"--ns", "host"}, nil},
		{"no host", []string{"--no-host"}, []string{
			"namespace.create", "create msg", "create shm", "create sem", "fail sem", "remove msg", "remove shm", "remove sem",
		}},
		{"uid", []string{"--uid", "4321"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := begin(t, nil, append([]string{"live", "--json"}, test.args...)...)
			pid, _ := runMaker(t, 64, "-unshare", "msgget:0:0600", "shmget:0:1:0600", "semget:0:1:0600", "semget:1:1:0")
			s.interrupt()
			var got []string
			for _, e := range by(events(t, s.output()), pid) {
				what := strings.TrimPrefix(string(e.Event), "object.")
				if e.Object != nil {
					what += " " + e.Object.Kind
				}
				got = append(got, what)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || s.status() != 0 {
				t.Errorf("status %d\n%s", s.status(), diff)
			}
		})
	}
}

func itoa(n uint64) string { return (&event.Namespace{Inode: n}).String() }
