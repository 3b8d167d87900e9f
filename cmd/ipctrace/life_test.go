package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/tracer"
)

// reading is a session that is read while it runs, and what its reader knows.
type reading struct {
	*session
	lines     chan []byte
	all       []*event.Event
	inventory *inventory.Inventory
}

func beginReading(t *testing.T, args ...string) *reading {
	t.Helper()
	r := &reading{
		session: begin(t, nil, append([]string{"live", "--json"}, args...)...),
		lines:   make(chan []byte), inventory: inventory.New(inventory.Limits{}),
	}
	go func() {
		defer close(r.lines)
		in := bufio.NewReader(r.stdout)
		for {
			line, err := in.ReadBytes('\n')
			if err != nil {
				return
			}
			r.lines <- line
		}
	}()
	return r
}

// take takes a line in; false at the end.
func (r *reading) take(line []byte, ok bool) bool {
	r.t.Helper()
	if !ok {
		return false
	}
	e := parse(r.t, line)
	r.all = append(r.all, e)
	r.inventory.Apply(e)
	return true
}

// await reads until it is so, or for too long.
func (r *reading) await(so func() bool) bool {
	r.t.Helper()
	limit := time.After(time.Minute)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case line, ok := <-r.lines:
			if !r.take(line, ok) {
				return so()
			}
		case <-look.C:
			if so() {
				return true
			}
		case <-limit:
			return so()
		}
	}
}

// end interrupts the session, reads it to its end and checks what holds for all.
func (r *reading) end() *event.Stop {
	r.t.Helper()
	r.interrupt()
	for line := range r.lines {
		r.take(line, true)
	}
	if status := r.status(); status != 0 {
		r.t.Errorf("exit status %d: %s", status, r.stderr)
	}
	checkStream(r.t, r.all)
	return r.all[len(r.all)-1].Stop
}

// in picks the events of namespaces.
func (r *reading) in(inodes map[uint64]bool, types ...event.Type) []*event.Event {
	var some []*event.Event
	for _, e := range r.all {
		if e.NS != nil && inodes[e.NS.Inode] && slices.Contains(types, e.Event) {
			some = append(some, e)
		}
	}
	return some
}

// space tells namespaces apart as a reader of the log does.
type space struct {
	inode, id uint64
	gen       uint32
}

func spaceOf(n *event.Namespace) space { return space{n.Inode, n.ID, n.Gen} }

// lifeCounts are what became of namespaces, by how often each thing is told of them.
type lifeCounts struct{ Births, Spaces, Made, Gone, Freed int }

// livesOf counts for the namespaces that these processes made.
func (r *reading) livesOf(pids map[int]bool) (l lifeCounts) {
	mine := map[space]bool{}
	for _, e := range r.all {
		if e.Event == event.NamespaceCreate && pids[int(e.Process.PID)] {
			l.Births++
			mine[spaceOf(e.NS)] = true
		}
	}
	l.Spaces = len(mine)
	for _, e := range r.all {
		if e.NS == nil || !mine[spaceOf(e.NS)] {
			continue
		}
		switch e.Event {
		case event.ObjectCreate, event.ObjectGet:
			l.Made++
		case event.NamespaceFree:
			l.Freed++
		case event.ObjectRemove:
			// No process did it; the syscall tier found it out.
			late := r.all[0].Start.Tier == tracer.Syscall.String()
			if e.Cause == event.CauseNamespace && e.Process == nil && (e.Observed != event.ObservedHook) == late {
				l.Gone++
			}
		}
	}
	return l
}

// TestKernelHundred: a hundred namespaces one after the other, most with the same
// inode number, are a hundred in every count, and so are the objects in them.
func TestKernelHundred(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, tier := range kerneltest.Tiers() {
		t.Run(tier.String(), func(t *testing.T) {
			hundred(t, tier, func() int {
				pid, _ := runMaker(t, 64, "-unshare", "keep", "msgget:0x77:03600")
				return pid
			})
		})
	}
}

// TestHundredShells: the same with the programs that people use.
func TestHundredShells(t *testing.T) {
	kerneltest.NeedRoot(t)
	kerneltest.NeedProgram(t, "unshare")
	kerneltest.NeedProgram(t, "ipcmk")
	hundred(t, tracer.Auto, func() int {
		cmd := exec.Command("unshare", "--ipc", "ipcmk", "-Q")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return cmd.Process.Pid // of both programs
	})
}

func hundred(t *testing.T, tier tracer.Tier, space func() int) {
	t.Helper()
	n := 100
	if kerneltest.Guest() != "" && tier == tracer.Syscall {
		n = 25 // looking is slow there, and all of it is in user space
	}
	r := beginReading(t, "--hooks", tier.String(), "--no-host")
	pids := map[int]bool{}
	for range n {
		pids[space()] = true
	}
	want := lifeCounts{n, n, n, n, n}
	r.await(func() bool { return r.livesOf(pids) == want })
	stop := r.end()
	if diff := cmp.Diff(want, r.livesOf(pids)); diff != "" && stop.Skipped == 0 {
		t.Errorf("%+v\n%s", stop, diff)
	}
}

// holder is an ipcmaker that has done its work and waits.
type holder struct {
	pid int
	ns  *os.File
	in  io.WriteCloser
	cmd *exec.Cmd
}

// holdMaker starts ipcmaker and waits until it has done what it was told.
func holdMaker(t *testing.T, args ...string) *holder {
	t.Helper()
	h := startHolder(t, args...)
	h.await(t)
	return h
}

func startHolder(t *testing.T, args ...string) *holder {
	t.Helper()
	h := &holder{cmd: exec.Command(kerneltest.Maker64(t), append([]string{"-unshare", "-hold"}, args...)...)}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.end)
	h.pid = h.cmd.Process.Pid
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return h
}

// await waits until the process does nothing but wait for its stdin.
func (h *holder) await(t *testing.T) {
	t.Helper()
	for range 1200 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", h.pid))
		if err != nil {
			t.Fatal(err)
		}
		if f := strings.Fields(string(text)); len(f) > 1 && f[0] == fmt.Sprint(syscall.SYS_READ) && f[1] == "0x0" {
			var nsErr error
			if h.ns, nsErr = openNamespace(h.pid); nsErr != nil {
				t.Fatal(nsErr)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("ipcmaker does not come to its end")
}

func (h *holder) end() {
	h.in.Close()
	_ = h.cmd.Wait()
	if h.ns != nil {
		h.ns.Close()
	}
}

// kernelList is what the kernel's own list has of a namespace.
func kernelList(t *testing.T, ns *os.File) []string {
	t.Helper()
	found, err := sysvipc.Read(ns)
	if err != nil || found.MQ != nil {
		t.Fatal(err, found.MQ)
	}
	var all []string
	for _, o := range found.Objects {
		all = append(all, thing(o.Kind, o.ID, o.Name, event.Key(o.Key), o.Mode&sysvipc.Dest != 0))
	}
	slices.Sort(all)
	return all
}

func thing(kind string, id int32, name string, key event.Key, marked bool) string {
	if kind == "mq" {
		return "mq " + name
	}
	if marked {
		key = 0 // it has lost it
	}
	return fmt.Sprintf("%s %d %v %v", kind, id, key, marked)
}

// known is what the reader of the stream takes to be in a namespace.
func (r *reading) known(inode uint64) []string {
	var all []string
	for _, n := range r.inventory.Namespaces() {
		if n.Inode != inode || n.Ended() {
			continue
		}
		for _, o := range n.Objects() {
			if o.Kind == "mq" && !o.Marked.IsZero() {
				continue // unlinked: no list has it
			}
			all = append(all, thing(o.Kind, o.ID, o.Name, o.Key, !o.Marked.IsZero()))
		}
	}
	slices.Sort(all)
	return all
}

// TestKernelInventory: after any sequence of operations in several namespaces, of
// which one had objects before, the events say what the kernel's list says.
func TestKernelInventory(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, tier := range kerneltest.Tiers() {
		t.Run(tier.String(), func(t *testing.T) {
			seeds := 3
			if kerneltest.Guest() != "" {
				seeds = 1
			}
			for seed := range seeds {
				before := holdMaker(t, "-mq", "keep", fmt.Sprintf("random:%d:60", 100+seed))
				r := beginReading(t, "--hooks", tier.String())
				var holders []*holder
				for i := range 3 {
					h := startHolder(t, "-mq", "keep", fmt.Sprintf("random:%d:150", 10*seed+i))
					holders = append(holders, h)
				}
				for _, h := range holders {
					h.await(t)
				}
				holders = append(holders, before)
				var diff string
				agree := func() bool {
					for _, h := range holders {
						if diff = cmp.Diff(kernelList(t, h.ns), r.known(inodeOfFile(t, h.ns))); diff != "" {
							return false
						}
					}
					return true
				}
				agreed := r.await(agree)
				if stop := r.end(); !agreed && stop.Skipped == 0 {
					t.Errorf("seed %d, %+v: the kernel's list (-), the events (+)\n%s", seed, stop, diff)
				}
				for _, h := range holders {
					h.end()
				}
			}
		})
	}
}

func inodeOfFile(t *testing.T, f *os.File) uint64 {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

// TestKernelMerge: of objects that are made before, while and after the first look
// is taken each is told exactly once.
func TestKernelMerge(t *testing.T) {
	kerneltest.NeedRoot(t)
	const thousand = 1000
	nap := "nap:1" // so that making takes longer than attaching and looking
	if kerneltest.Guest() != "" {
		nap = "nap:10"
	}
	for _, tier := range kerneltest.Tiers() {
		t.Run(tier.String(), func(t *testing.T) {
			h := startHolder(t, "-repeat", fmt.Sprint(thousand), "keep", "msgget:0:0600", nap)
			r := beginReading(t, "--hooks", tier.String())
			h.await(t)
			inode := map[uint64]bool{inodeOfFile(t, h.ns): true}
			told := func() []*event.Event { return r.in(inode, event.ObjectFound, event.ObjectCreate) }
			r.await(func() bool { return len(told()) >= thousand })
			stop := r.end()
			ids := map[int32]int{}
			for _, e := range told() {
				ids[*e.Object.ID]++
			}
			if (len(ids) != thousand || len(told()) != thousand) && stop.Skipped == 0 {
				t.Errorf("%d objects told %d times, %+v", len(ids), len(told()), stop)
			}
			found := len(r.in(inode, event.ObjectFound))
			if found == 0 || found == thousand {
				t.Errorf("%d found, the rest seen made: the look and the making did not overlap", found)
			}
			t.Logf("%d found, %d seen made", found, len(told())-found)
			h.end()
		})
	}
}

// stuck is a sink that takes nothing until it is let.
type stuck struct {
	let  chan struct{}
	last *event.Event
}

func (s *stuck) Write(e *event.Event) error {
	<-s.let
	s.last = e
	return nil
}

// TestKernelRepair: what was lost is found out by looking.
func TestKernelRepair(t *testing.T) {
	kerneltest.NeedRoot(t)
	const made = 500
	for _, tier := range kerneltest.Tiers() {
		t.Run(tier.String(), func(t *testing.T) {
			tr, err := openTrace(t.Context(), tracer.Config{Tier: tier, RingBytes: os.Getpagesize()}, stream.Filter{}, container.Sockets{}, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			ctx, cancel := context.WithCancel(t.Context())
			sink, ended := &stuck{let: make(chan struct{})}, make(chan error, 1)
			go func() { ended <- tr.follow(ctx, 0, sink) }()
			h := holdMaker(t, "-repeat", fmt.Sprint(made), "keep", "msgget:0:0600")
			close(sink.let)
			inode := inodeOfFile(t, h.ns)
			known := func() int {
				tr.mu.Lock()
				defer tr.mu.Unlock()
				for _, n := range tr.inventory.Namespaces() {
					if n.Inode == inode && !n.Ended() {
						return n.Len()
					}
				}
				return 0
			}
			for deadline := time.Now().Add(2 * time.Minute); known() != made && time.Now().Before(deadline); {
				time.Sleep(50 * time.Millisecond)
			}
			n := known()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			stop := sink.last.Stop
			if n != made || stop == nil || stop.Lost == 0 || stop.Produced != stop.Delivered+stop.Lost {
				t.Errorf("%d of %d known, %+v", n, made, stop)
			}
			h.end()
		})
	}
}
