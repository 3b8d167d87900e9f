package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// held is a namespace with a process in it, and what ls is to say of it.
type held struct {
	pid   int
	inode uint64
}

// hold runs a script in a new IPC namespace, which the test's end ends.
func hold(t *testing.T, script string) held {
	t.Helper()
	kerneltest.NeedRoot(t)
	cmd := exec.Command("sh", "-c", "set -e\n"+script+"\necho ready; read x")
	cmd.Env = append(os.Environ(), "MAKER="+kerneltest.Maker64(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWIPC, Setpgid: true}
	cmd.Stderr = os.Stderr
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "ready" {
	}
	if lines.Text() != "ready" {
		t.Fatalf("%s: %v", script, lines.Err())
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	inode, err := namespaceOf(strconv.Itoa(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return held{cmd.Process.Pid, uint64(inode)}
}

// inside runs a command in the namespace.
func (h held) inside(t *testing.T, args ...string) string {
	t.Helper()
	nsenter := kerneltest.NeedProgram(t, "nsenter")
	out, err := exec.Command(nsenter, append([]string{"-t", strconv.Itoa(h.pid), "-i", "--"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, out)
	}
	return string(out)
}

// queues are the names in an mqueue filesystem mounted in the namespace.
func (h held) queues(t *testing.T) []string {
	dir := t.TempDir()
	return strings.Fields(h.inside(t, "unshare", "-m", "--", "sh", "-c", "mount -t mqueue mqueue "+dir+" && ls "+dir))
}

// listing is what ls --json says, as another program reads it.
type listing struct {
	From, To   string
	Unreadable int
	Namespaces []struct {
		NS struct {
			Inode   uint64
			Initial bool
			Label   string
		}
		Processes int
		Error     string
		Queues    string `json:"queues_error"`
		Limits    map[string]map[string]float64
		Objects   []struct {
			Kind, Key, Name, Mode string
			ID                    *int
			Size, NSems           *uint64
			UID                   *uint32
			State                 struct {
				Messages, Bytes, NAttch *uint64
				CPID, LPID              int
				Dest                    bool
			}
			Orphan  string
			Creator string `json:"creator_comm"`
		}
	}
}

func ls(t *testing.T, args ...string) (l listing) {
	t.Helper()
	cmd := exec.Command("ipctrace", append([]string{"ls", "--json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ls %q: %v: %s", args, err, out)
	}
	if err := json.Unmarshal(out, &l); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return l
}

// lines are the objects of a namespace, one a line.
func (l listing) lines(inode uint64) []string {
	number := func(n *uint64) string {
		if n == nil {
			return "?"
		}
		return strconv.FormatUint(*n, 10)
	}
	lines := []string{}
	for _, n := range l.Namespaces {
		if n.NS.Inode != inode {
			continue
		}
		for _, o := range n.Objects {
			if o.Kind == "mq" {
				lines = append(lines, "mq "+o.Name)
				continue
			}
			line := fmt.Sprintf("%s %d %s %d %s", o.Kind, *o.ID, o.Key, *o.UID, strings.TrimLeft(o.Mode[:3], "0")+o.Mode[3:])
			switch o.Kind {
			case "msg":
				line += " " + number(o.State.Bytes) + " " + number(o.State.Messages)
			case "shm":
				line += " " + number(o.Size) + " " + number(o.State.NAttch)
			case "sem":
				line += " " + number(o.NSems)
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// ipcs says the same, run inside.
func (h held) ipcs(t *testing.T) []string {
	t.Helper()
	lines := []string{}
	for _, kind := range []string{"msg", "shm", "sem"} {
		for line := range strings.Lines(h.inside(t, kerneltest.NeedProgram(t, "ipcs"), "-"+map[string]string{"msg": "q", "shm": "m", "sem": "s"}[kind])) {
			f := strings.Fields(line)
			if len(f) < 5 || !strings.HasPrefix(f[0], "0x") {
				continue
			}
			owner := f[2]
			if u, err := user.Lookup(owner); err == nil {
				owner = u.Uid
			}
			f = append([]string{kind, f[1], f[0], owner}, f[3:]...)
			lines = append(lines, strings.Join(f[:map[string]int{"msg": 7, "shm": 7, "sem": 6}[kind]], " "))
		}
	}
	for _, name := range h.queues(t) {
		lines = append(lines, "mq /"+name)
	}
	slices.Sort(lines)
	return lines
}

// lsipc says of every segment who made it and who attached it last.
func (h held) lsipc(t *testing.T) map[string]string {
	t.Helper()
	out := h.inside(t, kerneltest.NeedProgram(t, "lsipc"), "--shmems", "--raw", "--noheadings", "-o", "ID,CPID,LPID")
	said := map[string]string{}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 {
			said[f[0]] = f[1] + " " + f[2]
		}
	}
	return said
}

// processes are the same.
func (l listing) processes(inode uint64) map[string]string {
	said := map[string]string{}
	for _, n := range l.Namespaces {
		for _, o := range n.Objects {
			if n.NS.Inode == inode && o.Kind == "shm" {
				said[strconv.Itoa(*o.ID)] = fmt.Sprintf("%d %d", o.State.CPID, o.State.LPID)
			}
		}
	}
	return said
}

// three namespaces with something of everything in them.
func three(t *testing.T) []held {
	kerneltest.NeedProgram(t, "ipcmk")
	return []held{
		hold(t, "ipcmk -Q; ipcmk -Q; ipcmk -M 7372800 -p 0600; $MAKER keep mq_open:jobs:0102:0600 mq_send:hello mq_open:zwei:0102"),
		hold(t, "ipcmk -S 250; ipcmk -M 1; $MAKER keep uid:33 semget:5:3:01640 msgget:-1:01600; ipcmk -S 1 -p 0"),
		hold(t, "$MAKER -hold shmget:0:4096:01600 attach rmid:shm shmget:0x51:1:01600 mq_open:a:0102 </dev/zero & sleep 0; "+
			"while [ $(wc -l </proc/sysvipc/shm) != 3 ]; do sleep 0.1; done"),
	}
}

// TestLs: what ls says of three namespaces is the union of what ipcs says inside
// each.
func TestLs(t *testing.T) {
	namespaces := three(t)
	all := ls(t)
	text, err := exec.Command("ipctrace", "ls").Output()
	if err != nil {
		t.Fatal(err)
	}
	objects := 0
	for _, h := range namespaces {
		want := h.ipcs(t)
		objects += len(want)
		if diff := cmp.Diff(want, all.lines(h.inode)); diff != "" {
			t.Errorf("%d: -ipcs +ls:\n%s", h.inode, diff)
		}
		if diff := cmp.Diff(want, ls(t, "--ns", fmt.Sprintf("pid:%d", h.pid)).lines(h.inode)); diff != "" {
			t.Errorf("%d alone: -ipcs +ls:\n%s", h.inode, diff)
		}
		if diff := cmp.Diff(short(want), tableOf(t, string(text), h.inode)); diff != "" {
			t.Errorf("%d as a table: -ipcs +ls:\n%s", h.inode, diff)
		}
	}
	if diff := cmp.Diff(namespaces[2].lsipc(t), all.processes(namespaces[2].inode)); diff != "" {
		t.Errorf("-lsipc +ls:\n%s", diff)
	}
	if objects != 13 || all.Unreadable != 0 || all.From >= all.To {
		t.Errorf("%d objects: %+v", objects, all)
	}
	var inodes []uint64
	for _, n := range all.Namespaces {
		inodes = append(inodes, n.NS.Inode)
	}
	if first := all.Namespaces[0].NS; !first.Initial || first.Label != "host" || !slices.IsSorted(inodes) {
		t.Errorf("order: %v", inodes)
	}
}

// short is what the table says of objects in its first columns.
func short(lines []string) []string {
	var cut []string
	for _, line := range lines {
		f := strings.Fields(line)
		if f[0] == "mq" {
			cut = append(cut, line)
			continue
		}
		cut = append(cut, strings.Join(f[:3], " "))
	}
	slices.Sort(cut)
	return cut
}

// tableOf reads the block of a namespace.
func tableOf(t *testing.T, text string, inode uint64) []string {
	t.Helper()
	_, block, _ := strings.Cut(text, fmt.Sprintf("IPC namespace %d · ", inode))
	block, _, _ = strings.Cut(block, "\n\n")
	_, rows, ok := strings.Cut(block, "KIND  ID")
	if !ok {
		t.Fatalf("no block of %d: %s", inode, text)
	}
	var lines []string
	for _, row := range strings.Split(strings.TrimSpace(rows), "\n")[1:] {
		f := strings.Fields(row)
		if f[0] == "mq" {
			f = slices.Delete(f, 1, 2)
			lines = append(lines, strings.Join(f[:2], " "))
			continue
		}
		lines = append(lines, strings.Join(f[:3], " "))
	}
	slices.Sort(lines)
	return lines
}

// TestLsChooses: --kind, --ns and --sort.
func TestLsChooses(t *testing.T) {
	namespaces := three(t)
	ns := make([]string, len(namespaces))
	for i, h := range namespaces {
		ns[i] = strconv.FormatUint(h.inode, 10)
	}
	these := "--ns=" + strings.Join(ns, ",")
	order := func(args ...string) string {
		t.Helper()
		var words []string
		for _, n := range ls(t, append(args, these)...).Namespaces {
			at := slices.IndexFunc(namespaces, func(h held) bool { return h.inode == n.NS.Inode })
			words = append(words, fmt.Sprintf("%d:", at))
			for _, o := range n.Objects {
				word := o.Kind + o.Name
				if o.Size != nil {
					word += strconv.FormatUint(*o.Size, 10)
				}
				words = append(words, word)
			}
		}
		return strings.Join(words, " ")
	}
	// Namespaces 0 and 1 each have segments and other objects; 2 has no sets.
	byInode := []int{0, 1, 2}
	slices.SortFunc(byInode, func(a, b int) int { return int(namespaces[a].inode) - int(namespaces[b].inode) })
	sems := []string{"", "1: sem sem sem", ""}
	shms := []string{"0: shm7372800", "1: shm1", "2: shm4096 shm1"}
	pick := func(of []string) string {
		var words []string
		for _, i := range byInode {
			if of[i] != "" {
				words = append(words, of[i])
			}
		}
		return strings.Join(words, " ")
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--kind", "sem"}, pick(sems)},
		{[]string{"--kind", "shm"}, pick(shms)},
		{[]string{"--kind", "shm", "--sort", "size"}, "0: shm7372800 2: shm4096 shm1 1: shm1"},
		{[]string{"--kind", "shm", "--sort", "nattch"}, shms[2] + " " + pick([]string{shms[0], shms[1], ""})},
		{[]string{"--kind", "mq", "--kind", "shm", "--sort=messages"}, ""},
	} {
		got := order(test.args...)
		if test.want != "" && got != test.want {
			t.Errorf("%q: %s, want %s", test.args, got, test.want)
		}
		if test.want == "" && !strings.HasPrefix(got, "0: mq/jobs ") {
			t.Errorf("%q: %s", test.args, got)
		}
	}
	if got := ls(t, "--ns", "self", "--ns", "host"); len(got.Namespaces) != 1 || !got.Namespaces[0].NS.Initial {
		t.Errorf("--ns self --ns host: %+v", got)
	}
}

// TestLsOrphans: the segment whose maker has ended is one, the other is not.
func TestLsOrphans(t *testing.T) {
	h := hold(t, "ipcmk -M 8192; $MAKER -hold -comm alive shmget:0x51:4096:01600 </dev/zero & "+
		"while [ $(wc -l </proc/sysvipc/shm) != 3 ]; do sleep 0.1; done")
	ns := fmt.Sprintf("--ns=%d", h.inode)
	all := ls(t, ns).Namespaces[0].Objects
	var got []string
	for _, o := range all {
		got = append(got, fmt.Sprintf("%d %s %s", *o.Size, o.Orphan, o.Creator))
		if (syscall.Kill(o.State.CPID, 0) == nil) != (o.Orphan == orphanNo) {
			t.Errorf("process %d: %+v", o.State.CPID, o)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"4096 no alive", "8192 yes "}, got); diff != "" {
		t.Error(diff)
	}
	if orphans := ls(t, ns, "--orphans").Namespaces[0].Objects; len(orphans) != 1 || *orphans[0].Size != 8192 {
		t.Errorf("%+v", orphans)
	}
	out, err := exec.Command("ipctrace", "ls", ns, "--orphans").Output()
	if err != nil || bytes.Count(out, []byte("\nshm ")) != 1 || !bytes.Contains(out, []byte(" orphan\n")) {
		t.Errorf("%v: %s", err, out)
	}
	out, err = exec.Command("ipctrace", "ls", ns, "--orphans", "--kind=sem").Output()
	if err != nil || string(out) != "no such objects\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// TestLsReuse: a segment is an orphan though its maker's number is another
// process's by now; in a pid namespace too.
func TestLsReuse(t *testing.T) {
	kerneltest.NeedRoot(t)
	kerneltest.NeedProgram(t, "ipcmk")
	cmd := exec.Command("sh", "-c", `set -e
		mount -t proc proc /proc
		ipcmk -M 4096 >/dev/null
		maker=$(awk 'NR == 2 { print $5 }' /proc/sysvipc/shm)
		sleep 4 # ctime has whole seconds
		echo $((maker - 1)) >/proc/sys/kernel/ns_last_pid
		sleep 60 & [ $! = $maker ]
		ipctrace ls --json --ns self
		ipctrace ls --orphans 2>&1 >/dev/null | grep -q 'this is a pid namespace'
		kill $!`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC, Unshareflags: syscall.CLONE_NEWNS}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil || strings.Count(string(out), `"orphan": "yes"`) != 1 {
		t.Errorf("%v: %s", err, out)
	}
}

// TestLsLimits: a limit that is reached is warned of, with the kernel's numbers.
func TestLsLimits(t *testing.T) {
	h := hold(t, "echo 5 >/proc/sys/kernel/msgmni; for i in 1 2 3 4 5; do ipcmk -Q; done; ipcmk -S 7")
	ns := fmt.Sprintf("--ns=%d", h.inode)
	if said := h.inside(t, "ipcs", "-l"); !strings.Contains(said, "max queues system wide = 5\n") {
		t.Fatalf("ipcs: %s", said)
	}
	if failed := exec.Command("nsenter", "-t", strconv.Itoa(h.pid), "-i", "ipcmk", "-Q").Run(); failed == nil {
		t.Fatal("the limit is none")
	}
	limits := ls(t, ns).Namespaces[0].Limits
	want := map[string]float64{"used": 5, "max": 5}
	if diff := cmp.Diff(want, limits["msgmni"]); diff != "" || limits["semmns"]["used"] != 7 || limits["semmni"]["used"] != 1 || len(limits) != 6 {
		t.Errorf("%s %v", diff, limits)
	}
	for _, test := range []struct {
		args []string
		want string // all lines about limits
	}{
		{nil, "⚠ MSGMNI 5/5 queues (100 %)\n"},
		{[]string{"--kind=sem"}, ""},
		{[]string{"--kind=sem", "--limits"}, "limits: SEMMNI 1/32000 sets (0 %) · SEMMNS 7/1024000000 semaphores (0 %)\n"},
	} {
		out, err := exec.Command("ipctrace", append([]string{"ls", ns}, test.args...)...).Output()
		var got string
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "⚠") || strings.HasPrefix(line, "limits") {
				got += line
			}
		}
		if err != nil || got != test.want {
			t.Errorf("%q: %v: %s", test.args, err, out)
		}
	}
}

// TestLsRights: without the right to enter a namespace ls tells of it, and lists
// the rest.
func TestLsRights(t *testing.T) {
	setpriv := kerneltest.NeedProgram(t, "setpriv")
	closed := hold(t, "ipcmk -Q; exec "+setpriv+" --reuid 1000 --regid 1000 --clear-groups sh -c 'echo ready; read x'")
	path := kerneltest.Public(t, "ipctrace")
	run := func(args ...string) (l listing, stderr string, status int) {
		t.Helper()
		cmd := exec.Command(path, append([]string{"ls", "--json"}, args...)...)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &l); err != nil {
			t.Fatalf("%v: %s%s", err, out, said.String())
		}
		return l, said.String(), cmd.ProcessState.ExitCode()
	}
	l, said, status := run()
	if status != exitDone || l.Unreadable == 0 || !strings.Contains(said, "could not look into ") ||
		!strings.Contains(said, "(needs CAP_SYS_PTRACE: run with sudo)") {
		t.Errorf("exit status %d: %s%+v", status, said, l)
	}
	own, err := namespaceOf("self")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, n := range l.Namespaces {
		switch n.NS.Inode {
		case closed.inode:
			seen++
			if n.Error == "" || len(n.Objects) > 0 || len(n.Limits) > 0 {
				t.Errorf("%+v", n)
			}
		case uint64(own):
			seen++
			if n.Error != "" || len(n.Limits) == 0 {
				t.Errorf("%+v", n)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%+v", l)
	}
	l, said, status = run("--ns", strconv.FormatUint(closed.inode, 10), "--kind=sem")
	if status != exitCannot || len(l.Namespaces) != 1 || !strings.Contains(said, "needs CAP_SYS_ADMIN: run with sudo") {
		t.Errorf("exit status %d: %s%+v", status, said, l)
	}
}

// TestLsPipe: a reader that goes away is a normal end.
func TestLsPipe(t *testing.T) {
	kerneltest.NeedRoot(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	defer write.Close()
	cmd := exec.Command("ipctrace", "ls")
	cmd.Stdout = write
	if err := cmd.Run(); err != nil {
		t.Error(err)
	}
}

// TestLsTerminal: the table fits.
func TestLsTerminal(t *testing.T) {
	h := hold(t, "ipcmk -Q; ipcmk -M 147456000; ipcmk -S 250; $MAKER keep uid:33 mq_open:jobs:0102 shmget:0:1:0600")
	term := newTerminal(t, 80, 24)
	cmd := exec.Command("ipctrace", "ls", "--limits", fmt.Sprintf("--ns=%d", h.inode))
	cmd.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=1")
	cmd.Stdout = term.slave
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	term.await("/jobs")
	for line := range strings.Lines(term.text()) {
		if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestKernelLs: what ls says is what the kernel's files say inside.
func TestKernelLs(t *testing.T) {
	namespaces := []held{
		hold(t, "$MAKER keep msgget:7:01600 shmget:0x51:4096:01600 semget:-5:3:01640 mq_open:jobs:0102:0600"),
		hold(t, "$MAKER keep uid:33 msgget:0:01644 shmget:0:1:01600 mq_open:a:0102 mq_open:b:0102"),
	}
	all := ls(t)
	for _, h := range namespaces {
		var want []string
		for _, kind := range []string{"msg", "shm", "sem"} {
			for i, line := range strings.Split(strings.TrimSpace(h.inside(t, "cat", "/proc/sysvipc/"+kind)), "\n") {
				f := strings.Fields(line)
				if i == 0 {
					continue
				}
				key, err := strconv.ParseInt(f[0], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, fmt.Sprintf("%s %s 0x%08x", kind, f[1], uint32(key)))
			}
		}
		for _, name := range h.queues(t) {
			want = append(want, "mq /"+name)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, short(all.lines(h.inode))); diff != "" || len(want) != 4 {
			t.Errorf("%d: -kernel +ls:\n%s", h.inode, diff)
		}
	}
	for _, h := range namespaces {
		for _, n := range ls(t, "--orphans", fmt.Sprintf("--ns=%d", h.inode)).Namespaces {
			for _, o := range n.Objects {
				if o.Kind == "shm" && o.Orphan != orphanYes {
					t.Errorf("its maker has ended: %+v", o)
				}
			}
		}
	}
}

// TestKernelLsPartial: from within a pid namespace it says what it cannot see.
func TestKernelLsPartial(t *testing.T) {
	kerneltest.NeedRoot(t)
	cmd := exec.Command("unshare", "-p", "-f", "-m", "sh", "-c", "mount -t proc proc /proc && exec ipctrace ls --json")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	var l struct{ Partial bool }
	if err := json.Unmarshal(out, &l); err != nil || !l.Partial || !strings.Contains(said.String(), "this is a pid namespace") {
		t.Errorf("%v, %+v: %s", err, l, said.String())
	}
}
