package tracer_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// straced is a get call as strace prints it, or as an event tells it.
type straced struct {
	PID    int
	Call   string
	Key    string
	Size   string // as written: bytes or semaphores; "" for msgget
	Flags  string // sorted names and the mode
	Result string // id, or the errno's name
}

// TestStrace: real programs under strace and the tracer at once: every call
// strace saw is an event with the same arguments and result, and no more.
func TestStrace(t *testing.T) {
	path := kerneltest.NeedProgram(t, "strace")
	programs := []struct {
		name     string
		need     string
		args     []string
		ipcmaker func(testing.TB) string // runs with args
	}{
		{name: "ipcmk", need: "ipcmk", args: []string{"unshare", "--ipc", "ipcmk", "-Q", "-M", "65536", "-S", "17", "-p", "0640"}},
		{name: "fakeroot", need: "fakeroot-sysv", args: []string{"fakeroot-sysv", "sh", "-c", "touch fake && chown 12:34 fake && stat -c %u fake"}},
		{name: "i386", ipcmaker: kerneltest.Maker32, args: []string{"-unshare", "msgget:0x77:01600", "msgget:0x77:01600", "shmget:0:4097:03600", "semget:5:-1:01600"}},
		{name: "i386 ipc", ipcmaker: kerneltest.Maker32, args: []string{"-unshare", "-ipc", "msgget:0x77:01600", "shmget:0:1:03600", "semget:0x99:2:0"}},
		{name: "children", args: []string{"sh", "-c", "for i in 1 2 3; do unshare --ipc ipcmk -Q & done; wait"}},
	}
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		for _, p := range programs {
			t.Run(p.name, func(t *testing.T) {
				if p.need != "" {
					kerneltest.NeedProgram(t, p.need)
				}
				args := p.args
				if p.ipcmaker != nil {
					args = append([]string{p.ipcmaker(t)}, args...)
				}
				dir := t.TempDir()
				log := filepath.Join(dir, "strace")
				events, _ := traceOnce(t, tracer.Config{Tier: tier}, func() {
					cmd := exec.Command(path, append([]string{"-f", "-e", "trace=msgget,shmget,semget,ipc", "-o", log}, args...)...)
					cmd.Dir = dir
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%q: %v: %s", args, err, out)
					}
				})
				want, pids := readStrace(t, log)
				if len(want) == 0 {
					t.Fatal("strace saw nothing: the test would prove nothing")
				}
				var got []straced
				for _, e := range events {
					if e.Action.Call() && (pids[int(e.PID)] || pids[int(e.TID)]) {
						got = append(got, asStraced(e))
					}
				}
				sortCalls(want)
				sortCalls(got)
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("strace (-), told (+):\n%s", diff)
				}
			})
		}
	})
}

// A line of strace -f; ipc(2) is there as the call it stands for:
//
//	123 msgget(IPC_PRIVATE, IPC_CREAT|0600) = -1 EEXIST (File exists)
//	123 shmget(0x6c54b6c4, 4097, IPC_CREAT|0600) = 5
var straceLine = regexp.MustCompile(`^(\d+) +(msgget|shmget|semget)\((.*)\) += (-?\d+)(?: (E[A-Z0-9]+))?`)

func readStrace(t *testing.T, path string) (calls []straced, pids map[int]bool) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pids = map[int]bool{}
	for line := range strings.Lines(joinUnfinished(string(text))) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		if err != nil {
			t.Fatalf("strace: %q", line)
		}
		pids[pid] = true
		m := straceLine.FindStringSubmatch(line)
		if m == nil {
			if strings.Contains(line, "get(") {
				t.Fatalf("strace: cannot read %q", line)
			}
			continue
		}
		calls = append(calls, parseCall(t, pid, m))
	}
	return calls, pids
}

// joinUnfinished joins calls that strace printed in two pieces, because another
// process came between.
func joinUnfinished(text string) string {
	begun := map[string]string{}
	var whole strings.Builder
	for line := range strings.Lines(text) {
		pid, rest, _ := strings.Cut(line, " ")
		if head, ok := strings.CutSuffix(strings.TrimSpace(line), "<unfinished ...>"); ok {
			begun[pid] = strings.TrimSpace(head)
			continue
		}
		if _, tail, ok := strings.Cut(rest, "resumed>"); ok {
			line = begun[pid] + tail
		}
		whole.WriteString(line)
	}
	return whole.String()
}

func parseCall(t *testing.T, pid int, m []string) straced {
	t.Helper()
	args := strings.Split(m[3], ", ")
	c := straced{PID: pid, Call: m[2], Key: number(t, args[0]), Flags: sortFlags(args[len(args)-1]), Result: cmp.Or(m[5], m[4])}
	if len(args) == 3 {
		c.Size = number(t, args[1])
	}
	return c
}

func number(t *testing.T, s string) string {
	t.Helper()
	if s == "IPC_PRIVATE" {
		return "0"
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		t.Fatalf("strace: number %q", s)
	}
	return fmt.Sprint(int32(n))
}

// sortFlags brings "IPC_CREAT|0644" and "0644|IPC_CREAT" to one form.
func sortFlags(s string) string {
	names := strings.Split(s, "|")
	for i, n := range names {
		if bits, err := strconv.ParseInt(n, 8, 32); err == nil {
			names[i] = fmt.Sprintf("%04o", bits)
		}
	}
	slices.Sort(names)
	return strings.Join(names, "|")
}

func asStraced(e tracer.Event) straced {
	c := straced{
		PID: int(e.TID), Call: e.Kind.String() + "get", Key: fmt.Sprint(e.Key), Result: fmt.Sprint(e.ID),
		Flags: sortFlags(strings.Join(append(event.FlagNames(e.Kind.String(), e.Flags), event.ModeOf(e.Flags).String()), "|")),
	}
	if e.Action == tracer.ActionFail {
		c.Result = unix.ErrnoName(e.Errno)
	}
	switch e.Kind {
	case tracer.Shm:
		c.Size = fmt.Sprint(int32(e.Size))
	case tracer.Sem:
		c.Size = fmt.Sprint(e.Sems)
	}
	return c
}

func sortCalls(calls []straced) {
	slices.SortStableFunc(calls, func(a, b straced) int { return cmp.Compare(a.PID, b.PID) })
}

// TestToolsLife: what the usual tools do in a namespace, in the order in which
// they say that they did it.
func TestToolsLife(t *testing.T) {
	kerneltest.NeedProgram(t, "ipcmk")
	const script = "ipcmk -Q && ipcmk -M 4096 && ipcmk -S 3 && ipcrm --all=msg && ipcrm --all=sem && ipcrm --all=shm && ipcs | grep -c ^0x"
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		events, _ := traceOnce(t, tracer.Config{Tier: tier}, func() {
			out, _ := exec.Command("unshare", "--ipc", "sh", "-c", script).Output() // grep fails when it finds none
			if !strings.HasSuffix(string(out), "\n0\n") {
				t.Errorf("ipcs shows some still: %q", out)
			}
		})
		var told []string
		for _, e := range events {
			switch {
			case e.Comm == "unshare" && e.Action == tracer.ActionNamespaceCreate:
				told = append(told, e.Action.String()+" "+e.Syscall())
			case e.Comm == "ipcmk" && e.Action != tracer.ActionFail, e.Comm == "ipcrm" && e.Action == tracer.ActionRemove:
				told = append(told, e.Comm+" "+e.Kind.String()+" "+e.Action.String())
			}
		}
		want := []string{
			"namespace create unshare", "ipcmk msg create", "ipcmk shm create", "ipcmk sem create",
			"ipcrm msg remove", "ipcrm sem remove", "ipcrm shm remove",
		}
		if tier == tracer.Syscall { // ipcmk asks with IPC_CREAT and draws its keys
			for i := 1; i < 4; i++ {
				want[i] = strings.Replace(want[i], "create", "get", 1)
			}
		}
		if diff := gocmp.Diff(want, told); diff != "" {
			t.Errorf("done (-) and told (+):\n%s", diff)
		}
	})
}
