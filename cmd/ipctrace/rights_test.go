package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// someone is a user that has nothing.
const someone = 1000

// TestKernelDrop: after it every thread has what is documented and no more, what is
// never done is refused, and tracing goes on.
func TestKernelDrop(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, test := range []struct {
		name string
		uid  uint32 // who starts it
		caps []capability.Cap
		drop privilege.Config
		kept []capability.Cap
	}{
		{"root", 0, nil, privilege.Config{Looks: true}, privilege.For(privilege.Looking)},
		{"root without looks", 0, nil, privilege.Config{}, nil},
		{"user", someone, privilege.For(privilege.Tracing, privilege.Looking), privilege.Config{Looks: true}, privilege.For(privilege.Looking)},
		{"user without looks", someone, privilege.For(privilege.Tracing), privilege.Config{Looks: true}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			own := publicDir(t)
			outside := publicDir(t)
			cfg := droppedConfig{Config: test.drop}
			cfg.Write = []string{own}
			if test.uid == 0 {
				cfg.User = fmt.Sprint(someone)
			}
			s := drop(t, cfg, test.uid, test.caps...)
			kept := test.kept
			if len(kept) == 0 && gatedKernel() {
				kept = []capability.Cap{capability.CAP_BPF}
			}
			if diff := cmp.Diff(setOf(kept), setOf(s.report.Kept)); diff != "" {
				t.Errorf("kept: %s", diff)
			}
			bounding := setOf(kept)
			if test.uid != 0 { // without CAP_SETPCAP it stays
				bounding = ownBounding(t)
			}
			want := []string{fmt.Sprintf("Uid: 1000 1000 1000 1000; Gid: 1000 1000 1000 1000; Groups:; "+
				"CapInh: %[1]s; CapPrm: %[2]s; CapEff: %[2]s; CapBnd: %[3]s; CapAmb: %[1]s; NoNewPrivs: 1; Seccomp: 2", setOf(nil), setOf(kept), bounding)}
			if diff := cmp.Diff(want, s.ask("threads").Threads); diff != "" {
				t.Errorf("threads: %s", diff)
			}
			for name := range forbidden {
				if a := s.ask("call " + name); a.Error != unix.EPERM.Error() {
					t.Errorf("%s: %q", name, a.Error)
				}
			}
			if a := s.ask("exec /bin/true"); !strings.Contains(a.Error, "not permitted") {
				t.Errorf("a program was started: %q", a.Error)
			}
			// Landlock is there if the kernel has it and other processes are not seen into.
			confined := landlocked() && !slices.Contains(kept, capability.CAP_SYS_PTRACE)
			if s.report.Landlock != confined {
				t.Errorf("Landlock: %v, want %v: %s", s.report.Landlock, confined, s.report)
			}
			if a := s.ask("write " + filepath.Join(own, "file")); a.Error != "" {
				t.Errorf("own file: %s", a.Error)
			}
			if a := s.ask("write " + filepath.Join(outside, "file")); (a.Error != "") != confined {
				t.Errorf("file elsewhere: %q", a.Error)
			}
			pid, _ := runMaker(t, 64, "-unshare", "msgget:0:0600")
			s.ask("threads") // while it goes on
			if mine := calls(events(t, s.stop()), pid); len(mine) != 1 {
				t.Errorf("%d events after the drop, want 1: %s", len(mine), &s.stderr)
			}
		})
	}
}

// publicDir is a directory in which anybody may write.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ipctrace")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// setOf is a set as /proc/PID/status has it.
func setOf(caps []capability.Cap) string {
	var set uint64
	for _, c := range caps {
		set |= 1 << c
	}
	return fmt.Sprintf("%016x", set)
}

func ownBounding(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "CapBnd:")
	return strings.Fields(after)[0]
}

// gatedKernel: before 5.19 all of bpf(2) takes CAP_BPF, where unprivileged_bpf_disabled
// is set, as Debian does.
func gatedKernel() bool {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails only for a bad pointer
	return strings.HasPrefix(unix.ByteSliceToString(name.Release[:]), "5.")
}

func landlocked() bool {
	_, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1) // its version
	return errno == 0
}

// sight is what the program sees once it has dropped its rights.
type sight struct {
	Entered, Pinned, Queues, Cgroup bool
}

// TestKernelNeeds: with the documented capabilities a user without others sees all,
// and without one of them loses what is documented, and nothing else.
func TestKernelNeeds(t *testing.T) {
	kerneltest.NeedRoot(t)
	all := privilege.For(privilege.Tracing, privilege.Looking)
	whole := sight{Entered: true, Pinned: true, Queues: true, Cgroup: true}
	without := map[capability.Cap]sight{
		capability.CAP_BPF:             whole, // CAP_SYS_ADMIN stands for these two
		capability.CAP_PERFMON:         whole,
		capability.CAP_SYS_ADMIN:       {Pinned: true, Cgroup: true},
		capability.CAP_SYS_PTRACE:      {Entered: haveNamespaceIDs(), Pinned: haveListns(), Queues: true, Cgroup: true},
		capability.CAP_DAC_READ_SEARCH: {Entered: true, Pinned: haveListns(), Queues: true},
	}
	for _, c := range all {
		if _, ok := without[c]; !ok {
			t.Errorf("nothing is said of what goes without %s", privilege.Name(c))
		}
	}
	scene := newScene(t)
	try := func(name string, caps []capability.Cap, want sight) {
		t.Run(name, func(t *testing.T) {
			cgroup := newCgroup(t) // before: of those made later the hooks tell
			s := drop(t, droppedConfig{Config: privilege.Config{Looks: true}}, someone, caps...)
			if diff := cmp.Diff(want, scene.seen(s, cgroup)); diff != "" {
				t.Error(diff)
			}
			s.stop()
		})
	}
	try("all", all, whole)
	for c, want := range without {
		try("without "+privilege.Name(c), slices.DeleteFunc(slices.Clone(all), func(o capability.Cap) bool { return o == c }), want)
	}
	try("tracing", privilege.For(privilege.Tracing), sight{})
	for _, c := range privilege.For(privilege.Tracing) {
		t.Run("without "+privilege.Name(c)+" and CAP_SYS_ADMIN", func(t *testing.T) {
			cmd := asUser(kerneltest.Public(t, "ipctrace"), []capability.Cap{c}, "live", "--json", "--duration", "10ms")
			out, _ := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != exitCannot || !strings.Contains(string(out), "CAP_BPF and CAP_PERFMON") {
				t.Errorf("%v: %s", cmd.ProcessState, out)
			}
		})
	}
}

// TestKernelDocumented: the commands that trace do so for a user who has the documented
// capabilities and nothing else.
func TestKernelDocumented(t *testing.T) {
	kerneltest.NeedRoot(t)
	path := kerneltest.Public(t, "ipctrace")
	for _, tasks := range [][]privilege.Task{{privilege.Tracing}, {privilege.Tracing, privilege.Looking}} {
		caps := privilege.For(tasks...)
		t.Run("live "+privilege.Names(caps), func(t *testing.T) {
			s := beginCmd(t, asUser(path, caps, "live", "--json"), nil)
			pid, _ := runMaker(t, 64, "-unshare", "msgget:0:0600")
			s.interrupt()
			if mine := calls(events(t, s.output()), pid); len(mine) != 1 || s.status() != 0 {
				t.Errorf("status %d, %d events: %s", s.status(), len(mine), s.stderr)
			}
		})
		t.Run("record "+privilege.Names(caps), func(t *testing.T) {
			dir := publicDir(t)
			if err := errors.Join(os.Chmod(dir, 0o700), os.Chown(dir, someone, someone)); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "log")
			s := beginCmd(t, asUser(path, caps, "record", "-o", file, "--nice", "0"), nil)
			pid, _ := runMaker(t, 64, "-unshare", "msgget:0:0600")
			s.interrupt()
			if status := s.status(); status != 0 {
				t.Fatalf("status %d: %s", status, s.stderr)
			}
			text, err := os.ReadFile(file)
			if err != nil || strings.Count(string(text), fmt.Sprintf(`"pid":%d,`, pid)) == 0 {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}

// asUser is a command as a user without rights but these.
func asUser(path string, caps []capability.Cap, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: someone, Gid: someone, NoSetGroups: true}}
	for _, c := range caps {
		cmd.SysProcAttr.AmbientCaps = append(cmd.SysProcAttr.AmbientCaps, uintptr(c))
	}
	return cmd
}

// scene is what there is to see: a namespace that a process is in, with a queue, and
// one that nothing but a descriptor of this process holds.
type scene struct {
	t             *testing.T
	entered, held uint64
}

func newScene(t *testing.T) scene {
	t.Helper()
	entered, _ := inhabited(t)
	held, leave := inhabited(t)
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/ipc", held))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	p := scene{t, inodeAt(t, fmt.Sprintf("/proc/%d/ns/ipc", entered)), inodeAt(t, f.Name())}
	leave()
	return p
}

// inhabited is a process in an IPC namespace of its own, in which it has made a queue.
func inhabited(t *testing.T) (pid int, leave func()) {
	t.Helper()
	cmd := exec.Command(kerneltest.Maker64(t), "-unshare", "-hold", "msgget:0:0600")
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
	leave = func() { stdin.Close(); _ = cmd.Wait() }
	t.Cleanup(leave)
	if n, err := stdout.Read(make([]byte, 1)); n == 0 { // it tells what it made
		t.Fatal(err)
	}
	return cmd.Process.Pid, leave
}

// inodeAt is the number of a namespace.
func inodeAt(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// seen asks the program what it sees.
func (p scene) seen(s *droppedSession, cgroup string) sight {
	p.t.Helper()
	look := s.ask("look")
	entered, found := look.Namespaces[p.entered]
	if look.Error != "" || !found {
		p.t.Errorf("look: %+v", look)
	}
	_, pinned := look.Namespaces[p.held]
	if !pinned && look.FDs == 0 {
		p.t.Error("one namespace was not found, and nothing is said to be hidden")
	}
	own := look.Namespaces[nsresolve.InitialInode]
	if own.Error != "" || !own.Limits { // that takes nothing
		p.t.Errorf("own namespace: %+v", own)
	}
	return sight{
		Entered: entered.Error == "" && entered.Objects == 1,
		Pinned:  pinned,
		Queues:  own.MQ == "",
		Cgroup:  s.ask("cgroup "+cgroup).Path != "",
	}
}

// newCgroup is the id of one that nobody has asked for.
func newCgroup(t *testing.T) string {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fsys unix.Statfs_t
		if unix.Statfs(root, &fsys) != nil || fsys.Type != unix.CGROUP2_SUPER_MAGIC {
			continue
		}
		dir, err := os.MkdirTemp(root, "ipctrace-test-")
		if err != nil {
			kerneltest.Lacks(t, fmt.Sprintf("make a cgroup: %v", err))
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		return fmt.Sprint(inodeAt(t, dir))
	}
	kerneltest.Lacks(t, "no cgroup2 mount")
	return ""
}

// haveNamespaceIDs: by which namespaces are opened without /proc, from Linux 6.18.
func haveNamespaceIDs() bool {
	const nsGetID = 0x8008b70d // NS_GET_ID, include/uapi/linux/nsfs.h
	f, err := os.Open("/proc/self/ns/ipc")
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = unix.IoctlGetInt(int(f.Fd()), nsGetID)
	return err == nil
}

// haveListns: which lists namespaces to who has CAP_SYS_ADMIN, from Linux 6.19.
func haveListns() bool {
	const listns = 470
	_, _, errno := unix.Syscall6(listns, 0, 0, 0, 0, 0, 0)
	return errno != unix.ENOSYS
}
