//go:build amd64 || arm64

// The 32-bit programs are run from the 64-bit tests: kerneltest is for these alone.

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// isolated runs a command in IPC and mount namespaces of its own.
func isolated(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWIPC | unix.CLONE_NEWNS}
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%q: %v: %s", args, err, exit.Stderr)
		}
		t.Fatalf("%q: %v", args, err)
	}
	return out
}

// readResults reads result lines, and gives what comes after them.
func readResults(t *testing.T, out []byte) (results []Result, rest []byte) {
	t.Helper()
	for bytes.HasPrefix(out, []byte("{")) {
		line, after, _ := bytes.Cut(out, []byte("\n"))
		var r Result
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		results, out = append(results, r), after
	}
	return results, out
}

// listing is a script that says what is in its namespaces, after a command, in
// lines of kind and id or name.
const listing = `dir=$1; shift; "$@" && mount -t mqueue mqueue "$dir" && for kind in msg shm sem; do
	tail -n +2 /proc/sysvipc/$kind | while read -r _ id _; do echo "$kind $id"; done
done && ls "$dir" | sed 's/^/mq /'`

// leaves runs ipcmaker and gives what it said and what was there afterwards.
func leaves(t *testing.T, args ...string) ([]Result, []string) {
	t.Helper()
	results, rest := readResults(t, isolated(t, append([]string{"sh", "-c", listing, "sh", t.TempDir()}, args...)...))
	return results, strings.Split(strings.TrimSuffix(string(rest), "\n"), "\n")
}

func TestLeaves(t *testing.T) {
	kerneltest.NeedRoot(t)
	kerneltest.NeedProgram(t, "mount")
	all := []string{"msgget:7:01600", "shmget:7:1:01600", "semget:7:1:01600", "mq_open:a:0102", "attach", "attach"}
	with := func(ops ...string) []string { return slices.Concat(all, ops) }
	for name, c := range map[string]struct {
		ops  []string
		want []string
	}{
		"nothing":        {all, []string{""}},
		"keep":           {with("keep"), []string{"msg 0", "shm 0", "sem 0", "mq a"}},
		"exit-attached":  {with("rmid:shm", "exit-attached", "rmid:msg"), []string{"msg 0", "sem 0", "mq a"}},
		"removed":        {with("keep", "rmid:msg", "detach", "rmid:shm", "rmid:sem", "mq_unlink:a"), []string{""}},
		"by a child":     {with("fork", "rmid:msg", "exit-attached"), []string{""}},
		"kept by child":  {with("keep", "fork", "rmid:msg", "rmid:sem", "attach"), []string{"shm 0", "mq a"}},
		"elsewhere":      {with("keep", "clone", "msgget:8:01600", "mq_open:b:0102"), []string{"msg 0", "shm 0", "sem 0", "mq a"}},
		"elsewhere, v3":  {with("clone3", "msgget:8:01600"), []string{""}},
		"moved out":      {[]string{"unshare", "msgget:8:01600", "mq_open:b:0102"}, []string{""}},
		"of others":      {[]string{"keep", "msgget:7:01600", "fork", "msgget:7:0"}, []string{"msg 0"}},
		"not its object": {[]string{"msgget:7:01600", "clone", "rmid:msg"}, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			_, left := leaves(t, append([]string{kerneltest.Maker64(t)}, c.ops...)...)
			if diff := gocmp.Diff(c.want, left); diff != "" {
				t.Errorf("want (-), left (+):\n%s", diff)
			}
		})
	}
}

// TestRandom: what the calls say is left is what the kernel lists; the same seed
// gives the same calls and results, by every ABI.
func TestRandom(t *testing.T) {
	kerneltest.NeedRoot(t)
	kerneltest.NeedProgram(t, "mount")
	type call struct {
		Call, Name string
		Key, ID    int32
		Errno      int
	}
	for seed := range 5 {
		var first []call
		for _, w := range ways(t) {
			if w.x32 {
				continue
			}
			args := slices.Concat(w.command, []string{"-mq", fmt.Sprintf("random:%d:500", seed), "keep"})
			results, left := leaves(t, args...)
			if want := leftBy(results); !slices.Equal(want, left) {
				t.Errorf("%q: left by its calls (-), listed (+):\n%s", args, gocmp.Diff(want, left))
			}
			var calls []call
			for _, r := range results {
				calls = append(calls, call{r.Call, r.Name, r.Key, r.ID, r.Errno})
			}
			if first == nil {
				first = calls
			}
			if len(calls) != 500 || !slices.Equal(first, calls) {
				t.Errorf("%q: %d calls, not the same by every ABI:\n%s", args, len(calls), gocmp.Diff(first, calls))
			}
		}
	}
}

// leftBy is what results say is left once nothing is attached or open.
func leftBy(results []Result) []string {
	left := map[string]map[string]bool{"msg": {}, "shm": {}, "sem": {}, "mq": {}}
	for _, r := range results {
		if r.Errno != 0 {
			continue
		}
		switch r.Call {
		case "msgget", "shmget", "semget":
			left[r.Kind][fmt.Sprint(r.ID)] = true
		case "msgctl", "shmctl", "semctl":
			delete(left[r.Kind], fmt.Sprint(r.ID))
		case "mq_open":
			left["mq"][r.Name] = true
		case "mq_unlink":
			delete(left["mq"], r.Name)
		}
	}
	var lines []string
	for _, kind := range []string{"msg", "shm", "sem", "mq"} {
		ids := slices.SortedFunc(maps.Keys(left[kind]), func(a, b string) int { return byIndex(a) - byIndex(b) })
		for _, id := range ids {
			lines = append(lines, kind+" "+id)
		}
	}
	return lines
}

// byIndex is the order of the lists: an id's upper bits count reuse of its slot.
func byIndex(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "ipcmaker-"))
	if err != nil {
		panic(err)
	}
	return n & 0x7fff
}

// TestPause: what was done before is told before, and the byte is taken by one.
func TestPause(t *testing.T) {
	kerneltest.NeedRoot(t)
	cmd := exec.Command(kerneltest.Maker64(t), "unshare", "pause", "fork", "unshare", "pause", "msgget:0:0600")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	next := func(call string) (r Result) {
		t.Helper()
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &r) != nil || r.Call != call || r.Errno != 0 {
			t.Fatalf("want %s: %q, %v", call, lines.Bytes(), lines.Err())
		}
		return r
	}
	check := func(r Result) {
		t.Helper()
		var st unix.Stat_t
		path := fmt.Sprintf("/proc/%d/ns/ipc", r.PID)
		if err := unix.Stat(path, &st); err != nil || st.Ino != r.NS || r.TID != r.PID {
			t.Errorf("%s is %d: %v; told: %+v", path, st.Ino, err, r)
		}
	}
	first := next("unshare")
	check(first)
	stdin.Write([]byte{'\n'})
	child := next("clone").Child
	second := next("unshare")
	check(second)
	if second.PID != child || second.NS == first.NS || first.PID != cmd.Process.Pid {
		t.Errorf("%+v, then %+v in child %d", first, second, child)
	}
	stdin.Write([]byte{'\n'})
	next("msgget")
	if lines.Scan() {
		t.Errorf("more: %q", lines.Bytes())
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// way is ipcmaker and the flags that choose an ABI.
type way struct {
	name    string
	command []string
	x32     bool
}

func ways(t *testing.T) []way {
	all := []way{{name: "native", command: []string{kerneltest.Maker64(t)}}}
	amd64 := runtime.GOARCH == "amd64"
	if amd64 {
		all = append(all, way{name: "x32", command: []string{kerneltest.Maker64(t), "-x32"}, x32: true})
	}
	if !kerneltest.Have32(t) {
		return all
	}
	all = append(all, way{name: "32 bits", command: []string{kerneltest.Maker32(t)}})
	if amd64 {
		all = append(all,
			way{name: "ipc", command: []string{kerneltest.Maker32(t), "-ipc"}},
			way{name: "ipc64", command: []string{kerneltest.Maker32(t), "-ipc", "-ipc64"}},
		)
	}
	return all
}

// lifetimes is every call there is, some of them refused.
func lifetimes(t *testing.T) []string {
	home := fmt.Sprintf("/proc/%d/ns/ipc", os.Getpid())
	dir := t.TempDir()
	return []string{
		"keep", "msgget:0x77:01600", "msgget:0x77:03600", "shmget:0:4097:0600", "semget:-5:3:01640",
		"attach", "attach:12345", "rmid:shm", "detach", "rmid:shm", "rmid:msg:@0", "rmid:sem", "rmid:sem:-1",
		"mq_open:a:0102:0640:3:64", "mq_send:hello", "mq_open:/no:0102", "mq_open:none:0", "mq_close", "mq_unlink:a", "mq_unlink:a",
		"unshare", "shmget:9:100:01600", "attach", "fork",
		"attach", "mount:" + dir, "creat:" + dir + "/b", "mq_open:b:0", "creat:" + dir + "/none/b", "unlink:" + dir + "/b", "clone",
		"msgget:0:0", "clone3", "semget:1:1:01600", "setns:" + home, "setns0:" + home, "random:3:0", "unshare", "random:3:200",
		fmt.Sprintf("setnspid:%d", os.Getpid()), "mq_unlink:none", "setns:/proc/self/ns/mnt", "rmid:msg",
	}
}

// withoutPointers are calls that strace shows for a kernel without x32 too.
var withoutPointers = []string{
	"msgget:1:0", "shmget:1:2:3", "semget:1:2:3", "rmid:msg:3", "rmid:shm:3", "rmid:sem:3", "attach:12345", "clone",
}

// TestStrace: every call that strace sees is told, with its arguments and result.
func TestStrace(t *testing.T) {
	kerneltest.NeedRoot(t)
	strace := kerneltest.NeedProgram(t, "strace")
	const calls = "trace=%ipc,mq_open,mq_unlink,mq_timedsend,unshare,setns,clone,clone3,openat,unlinkat"
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			ops, least := lifetimes(t), 200
			if w.x32 {
				ops, least = withoutPointers, len(withoutPointers)
			}
			log := filepath.Join(t.TempDir(), "log")
			command := []string{strace, "-f", "-X", "raw", "-e", "signal=none", "-e", calls, "-o", log}
			results, _ := readResults(t, isolated(t, slices.Concat(command, w.command, ops)...))
			var told []straced
			for _, r := range results {
				if r.Call != "close" && r.Call != "mount" {
					told = append(told, asStraced(t, r))
				}
			}
			seen := readStrace(t, log)
			if len(told) < least {
				t.Errorf("%d calls told, want at least %d", len(told), least)
			}
			byThread(told)
			byThread(seen)
			if diff := gocmp.Diff(seen, told); diff != "" {
				t.Errorf("strace (-), told (+):\n%s", diff)
			}
		})
	}
}
