package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"golang.org/x/sys/unix"
)

// shortlived is a simulated container: a cgroup with a runtime's kind of name, in
// which one process makes a queue in an IPC namespace of its own, and which is gone
// after that.
type shortlived struct {
	id, runtime string
	cgroup      string // as an event has it
	pid         int
}

// styles are the cgroups of runtimes.
var styles = []struct{ runtime, path string }{
	{"docker", "system.slice/docker-%s.scope"},
	{"containerd", "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1f2e3d4c.slice/cri-containerd-%s.scope"},
	{"podman", "machine.slice/libpod-%s.scope"},
	{"cri-o", "kubepods/burstable/pod1f2e3d4c/crio-%s"},
}

// liveShortly lets the nth of them live, below a cgroup of the test's.
func liveShortly(t *testing.T, dir, path string, n int) shortlived {
	t.Helper()
	style := styles[n%len(styles)]
	c := shortlived{id: fmt.Sprintf("%056x%08x", os.Getpid(), n), runtime: style.runtime}
	name := fmt.Sprintf(style.path, c.id)
	c.cgroup = path + "/" + name
	if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	c.pid = runIn(t, filepath.Join(dir, name), "-unshare", "msgget:0:384")
	awaitRmdir(t, filepath.Join(dir, name))
	return c
}

// runIn runs internal/ipcmaker in a cgroup, from its birth on.
func runIn(t *testing.T, cgroup string, args ...string) (pid int) {
	t.Helper()
	f, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := exec.Command(kerneltest.Maker64(t), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ipcmaker in a cgroup: %v: %s", err, out)
	}
	return cmd.Process.Pid
}

// awaitRmdir removes a cgroup as soon as the kernel lets it: who has ended may be in it
// for a moment.
func awaitRmdir(t *testing.T, cgroup string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		err := unix.Rmdir(cgroup)
		if err == nil {
			return
		}
		if err != unix.EBUSY || time.Now().After(deadline) {
			t.Fatalf("remove a cgroup: %v", err)
		}
	}
}

// TestKernelShortContainers: 24 containers that live for a moment are named, each with
// what it made: as it happens, and also when nobody reads of them before all are gone.
func TestKernelShortContainers(t *testing.T) {
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprintf("held up %v", hold), func(t *testing.T) {
			dir, path := kerneltest.Cgroup(t)
			runIn(t, dir, "-unshare", "msgget:0:384") // what is slow the first time
			s := begin(t, nil, "live", "--json", "--no-host")
			if hold {
				send(t, s, syscall.SIGSTOP)
			}
			began := time.Now()
			var want []shortlived
			for n := range 24 {
				want = append(want, liveShortly(t, dir, path, n))
			}
			t.Logf("each lived for %v", time.Since(began)/24)
			if hold {
				send(t, s, syscall.SIGCONT)
			}
			s.interrupt()
			all := events(t, s.output())
			if status := s.status(); status != 0 {
				t.Errorf("exit status %d: %s", status, s.stderr)
			}
			for _, c := range want {
				checkShort(t, c, by(all, c.pid), all[len(all)-1].Stop)
			}
		})
	}
}

func send(t *testing.T, s *session, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// checkShort checks all that is told of a container.
func checkShort(t *testing.T, c shortlived, told []*event.Event, stop *event.Stop) {
	t.Helper()
	made := 0
	for _, e := range told {
		if e.Event == event.ObjectCreate {
			made++
		}
		if e.Process.Cgroup != c.cgroup {
			t.Errorf("%s by %d: cgroup %q, want %q", e.Event, c.pid, e.Process.Cgroup, c.cgroup)
		}
		if e.Container == nil || e.Container.ID != c.id || e.Container.Runtime != c.runtime {
			t.Errorf("%s by %d: container %+v, want %s %s", e.Event, c.pid, e.Container, c.runtime, c.id)
		}
	}
	if made != 1 && (made > 1 || stop.Skipped == 0) { // what the hooks skipped nobody told of
		t.Errorf("%d objects made by %d of %s", made, c.pid, strings.TrimPrefix(c.cgroup, "/"))
	}
}

// dockerd is a Docker daemon that knows the names of some containers.
func dockerd(t *testing.T, names map[string]string) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containers/{id}/json", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		name, ok := names[id]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Id": id, "Name": "/" + name, "Config": map[string]any{"Image": "image of " + name}})
	})
	server := &http.Server{Handler: mux}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return socket
}

// contained is internal/ipcmaker, running in a simulated container.
type contained struct {
	id, cgroup string
	cmd        *exec.Cmd
	stdin      io.Closer
	out        *bufio.Reader
}

// startIn starts it in a cgroup of a runtime's kind of name, and waits until it has made
// its last call.
func startIn(t *testing.T, dir string, n int, style string, calls int, args ...string) *contained {
	t.Helper()
	c := &contained{id: fmt.Sprintf("%056x%08x", os.Getpid(), n)}
	c.cgroup = filepath.Join(dir, fmt.Sprintf(style, c.id))
	if err := os.Mkdir(c.cgroup, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(c.cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c.cmd = exec.Command(kerneltest.Maker64(t), append([]string{"-hold"}, args...)...)
	c.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	c.cmd.Stderr = os.Stderr
	stdout, err1 := c.cmd.StdoutPipe()
	stdin, err2 := c.cmd.StdinPipe()
	c.stdin = stdin
	if err := errors.Join(err1, err2, c.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(stdout)
	t.Cleanup(func() { c.end(t) })
	for range calls {
		if _, err := c.out.ReadBytes('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// end ends the container, if it has not yet.
func (c *contained) end(t *testing.T) {
	t.Helper()
	if c.stdin == nil {
		return
	}
	c.stdin.Close()
	c.stdin = nil
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("ipcmaker in a cgroup: %v", err)
	}
	awaitRmdir(t, c.cgroup)
}

// TestContainerNames: what the engine says comes with the events from when it has said
// it, and is escaped like all that others say.
func TestContainerNames(t *testing.T) {
	kerneltest.NeedRoot(t)
	dir, _ := kerneltest.Cgroup(t)
	c := startIn(t, dir, 1, "docker-%s.scope", 0)
	defer c.end(t)
	r := beginReading(t, "--no-host", "--docker", dockerd(t, map[string]string{c.id: "we\x1b[2Jb"}))
	named := func() bool {
		runIn(t, c.cgroup, "-unshare", "msgget:0:384")
		return slices.ContainsFunc(r.all, func(e *event.Event) bool {
			return e.Container != nil && e.Container.Name == "we\x1b[2Jb" && e.Container.Image == "image of we\x1b[2Jb" &&
				e.NS.Label == "docker:we\x1b[2Jb"
		})
	}
	if !r.await(named) {
		t.Errorf("not named: %d events", len(r.all))
	}
	r.end()
	for _, e := range r.all {
		if e.Container != nil && (e.Container.ID != c.id || e.Container.Pod != "") {
			t.Errorf("%+v", e.Container)
		}
	}
}

// TestSharedNamespace: two containers in one IPC namespace are both told of; and when one
// of them ends, what it made there has no container any more.
func TestSharedNamespace(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	dir, _ := kerneltest.Cgroup(t)
	lines := make(chan string, 1)
	s := begin(t, nil, "live", "--no-host")
	go func() { lines <- string(s.output()) }()
	web := startIn(t, dir, 1, "docker-%s.scope", 1, "-unshare", "keep", "msgget:0:384")
	db := startIn(t, dir, 2, "libpod-%s.scope", 2, fmt.Sprintf("setns:/proc/%d/ns/ipc", web.cmd.Process.Pid), "shmget:0:4096:384")
	inode, err := namespaceOf(fmt.Sprint(db.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	socket := dockerd(t, map[string]string{web.id: "web"})
	checkShared(t, inode, socket, web.id, db.id)

	web.end(t)
	s.interrupt()
	if status := s.status(); status != 0 {
		t.Errorf("exit status %d: %s", status, s.stderr)
	}
	table := s.stderr.String()
	for _, want := range []string{
		`shared by docker:` + web.id[:12] + `, podman:` + db.id[:12],
		`(?m)^msg +\d+ +0x00000000 +container gone .*docker:` + web.id[:12] + `/`,
		`(?m)^shm +\d+ +0x00000000 +new .*podman:` + db.id[:12] + `/`,
	} {
		if !regexp.MustCompile(want).MatchString(table) {
			t.Errorf("no %q in\n%s\n%s", want, table, <-lines)
		}
	}
}

// checkShared checks what ns and ls say of a namespace that two containers share, of
// which the engine knows the name of one.
func checkShared(t *testing.T, inode uint32, socket, web, db string) {
	t.Helper()
	want := []*event.Container{{ID: web, Runtime: "docker", Name: "web", Image: "image of web"}, {ID: db, Runtime: "podman"}}
	var list struct {
		Namespaces []struct {
			NS         struct{ Inode uint64 }
			Containers []*event.Container
		}
	}
	var namespaces []jsonNamespace
	for _, args := range [][]string{{"ls", "--json", "--docker", socket}, {"ns", "--json", "--docker", socket}} {
		out, err := exec.Command("ipctrace", args...).Output()
		var into any = &list
		if args[0] == "ns" {
			into = &namespaces
		}
		if err := errors.Join(err, json.Unmarshal(out, into)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range list.Namespaces {
		if n.NS.Inode == uint64(inode) && cmp.Diff(want, n.Containers) != "" {
			t.Errorf("ls: %s", cmp.Diff(want, n.Containers))
		}
	}
	i := slices.IndexFunc(namespaces, func(n jsonNamespace) bool { return n.Inode == uint64(inode) })
	if i < 0 || cmp.Diff(want, namespaces[i].Containers) != "" || cmp.Diff(want[0], namespaces[i].Container) != "" || namespaces[i].Label != "docker:web" {
		t.Errorf("ns: %d, %+v", i, namespaces)
	}
	for _, test := range []struct{ command, want string }{
		{"ls", fmt.Sprintf("%d · docker:web · 2 processes · shared by docker:web, podman:%s", inode, db[:12])},
		{"ns", "docker:web, podman:" + db[:12]},
	} {
		out, err := exec.Command("ipctrace", test.command, "--docker", "unix://"+socket).Output()
		if err != nil || !strings.Contains(string(out), test.want) {
			t.Errorf("%s: %v, no %q in\n%s", test.command, err, test.want, out)
		}
	}
}
