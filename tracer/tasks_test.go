package tracer_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// place is where /proc says that a thread is.
type place struct{ PID, IPC, Mount uint32 }

// places reads the links of every thread. Those that end meanwhile are left out.
func places(t *testing.T) map[uint32]place {
	t.Helper()
	tasks, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	places := make(map[uint32]place, len(tasks))
	for _, dir := range tasks {
		var pid, tid uint32
		var p place
		if _, err := fmt.Sscanf(dir, "/proc/%d/task/%d", &pid, &tid); err != nil {
			t.Fatal(err)
		}
		ipc, err1 := os.Readlink(dir + "/ns/ipc")
		mnt, err2 := os.Readlink(dir + "/ns/mnt")
		if errors.Join(err1, err2) != nil {
			continue
		}
		_, err1 = fmt.Sscanf(ipc, "ipc:[%d]", &p.IPC)
		_, err2 = fmt.Sscanf(mnt, "mnt:[%d]", &p.Mount)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		p.PID = pid
		places[tid] = p
	}
	return places
}

func tasks(t *testing.T) map[uint32]tracer.Task {
	t.Helper()
	kerneltest.NeedRoot(t)
	list, err := tracer.Tasks()
	if err != nil {
		t.Fatal(err)
	}
	byTID := make(map[uint32]tracer.Task, len(list))
	for _, task := range list {
		if _, twice := byTID[task.TID]; twice {
			t.Errorf("twice: %+v", task)
		}
		byTID[task.TID] = task
	}
	return byTID
}

// spread starts a process whose threads are in IPC namespaces of their own.
func spread(t *testing.T, threads int) map[int]result {
	t.Helper()
	cmd := exec.Command(kerneltest.Maker64(t), "-unshare", "-hold", "-threads", strconv.Itoa(threads), "msgget:7:896")
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	results := make(map[int]result)
	lines := bufio.NewScanner(stdout)
	for len(results) < threads && lines.Scan() {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		results[r.TID] = r
	}
	if len(results) < threads {
		t.Fatalf("%d threads of %d: %v", len(results), threads, lines.Err())
	}
	return results
}

// TestKernelTasks: every thread is where /proc/*/task/*/ns says it is.
func TestKernelTasks(t *testing.T) {
	kerneltest.NeedRoot(t)
	apart := spread(t, 3)
	before := places(t)
	got := tasks(t)
	after := places(t)
	for tid, want := range before {
		if after[tid] != want {
			continue // it ended or moved
		}
		task := got[tid]
		if p := (place{task.PID, task.Namespace, task.MountNamespace}); p != want {
			t.Errorf("thread %d: %+v, /proc says %+v", tid, p, want)
		}
	}
	spaces := map[uint32]bool{}
	for tid, r := range apart {
		if got[uint32(tid)].Namespace != uint32(r.NS) {
			t.Errorf("thread %d is in %d: %+v", tid, r.NS, got[uint32(tid)])
		}
		spaces[got[uint32(tid)].Namespace] = true
	}
	if len(spaces) != 3 {
		t.Errorf("three threads in %d namespaces", len(spaces))
	}
}

// TestKernelTasksFields: the rest is what /proc, stat and the kernel's ioctl say.
func TestKernelTasksFields(t *testing.T) {
	kerneltest.NeedRoot(t)
	cmd := exec.Command("sleep", "60")
	dir := newCgroup(t)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	pid := uint32(cmd.Process.Pid)
	listed := tasks(t)
	for range 200 { // execve closes what Start waits for before it sets the name (begin_new_exec, fs/exec.c)
		if listed[pid].Comm == "sleep" {
			break
		}
		time.Sleep(10 * time.Millisecond)
		listed = tasks(t)
	}
	task, own := listed[pid], listed[uint32(os.Getpid())]

	var group unix.Stat_t
	if err := unix.Stat(dir, &group); err != nil {
		t.Fatal(err)
	}
	want := tracer.Task{
		TID: pid, PID: pid, PPID: uint32(os.Getpid()), Comm: "sleep", UID: uint32(os.Getuid()),
		Namespace: inode(t, "/proc/self/ns/ipc"), MountNamespace: inode(t, "/proc/self/ns/mnt"),
		RootDev: own.RootDev, RootInode: own.RootInode, CgroupID: group.Ino,
		Start: task.Start, Cgroups: task.Cgroups,
	}
	if kernelAtLeast(t, 6, 18) {
		if want.NamespaceID, err = namespaceID("/proc/self/ns/ipc"); err != nil {
			t.Fatal(err)
		}
	}
	if diff := gocmp.Diff(want, task); diff != "" {
		t.Error(diff)
	}
	if task.Cgroups == own.Cgroups || task.Cgroups == 0 {
		t.Errorf("cgroups %x, of this program %x", task.Cgroups, own.Cgroups)
	}
	if ticks := startTicks(t, pid); uint64(task.Start/(10*1e6)) != ticks {
		t.Errorf("started at %v, /proc says at %d ticks", task.Start, ticks)
	}
}

// TestKernelTasksRoot: a process with another root directory shows it.
func TestKernelTasksRoot(t *testing.T) {
	kerneltest.NeedRoot(t)
	dir, name := filepath.Split(kerneltest.Maker64(t))
	cmd := exec.Command("/"+name, "-wait")
	cmd.Dir = "/"
	cmd.SysProcAttr = &unix.SysProcAttr{Chroot: dir}
	stdin, err := cmd.StdinPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	listed := tasks(t)
	task, own := listed[uint32(cmd.Process.Pid)], listed[uint32(os.Getpid())]
	if task.MountNamespace != own.MountNamespace || task.RootInode == own.RootInode && task.RootDev == own.RootDev || own.RootInode == 0 {
		t.Errorf("%+v, and this program %+v", task, own)
	}
}

// startTicks is field 22 of stat.
func startTicks(t *testing.T, pid uint32) uint64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(b[slices.Index(b, ')')+1:]))
	ticks, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return ticks
}

// TestKernelTasksDescriptors: a descriptor of a namespace is listed while it is
// open, and no other.
func TestKernelTasksDescriptors(t *testing.T) {
	kerneltest.NeedRoot(t)
	f, err := os.Open("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := tracer.Descriptor{PID: uint32(os.Getpid()), TID: uint32(os.Getpid()), FD: uint32(f.Fd()), Inode: uint64(inode(t, "/proc/self/ns/uts"))}
	list := func() (own []tracer.Descriptor) {
		all, err := tracer.Descriptors()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			if d.PID == want.PID {
				own = append(own, d)
			}
		}
		return own
	}
	if diff := gocmp.Diff([]tracer.Descriptor{want}, list()); diff != "" {
		t.Error(diff)
	}
	f.Close()
	if own := list(); len(own) != 0 {
		t.Errorf("closed, and still there: %+v", own)
	}
}

// TestKernelTasksLeave: listing leaves nothing open but the two iterators.
func TestKernelTasksLeave(t *testing.T) {
	kerneltest.NeedRoot(t)
	list := func() {
		_, err1 := tracer.Tasks()
		_, err2 := tracer.Descriptors()
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	}
	list()
	before := descriptors(t)
	for range 5 {
		list()
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
