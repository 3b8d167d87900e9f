package tracer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// What an mqueue has when nobody says otherwise: DFLT_MSG and DFLT_MSGSIZE,
// include/linux/ipc_namespace.h.
const defaultMsgs, defaultMsgSize = 10, 8192

// queueOnly keeps what is said of POSIX queues.
func queueOnly(events []tracer.Event) []tracer.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e tracer.Event) bool { return e.Kind != tracer.MQ })
}

// queueDeed is how a call on a queue shows in an event: as far as the caller
// knows the queue.
func (w way) queueDeed(r result, name string) deed {
	d := w.by(r)
	d.Kind, d.Flags = tracer.MQ, r.Flags
	d.Queue = tracer.Queue{Name: "/" + name, Inode: r.Inode, Mode: int32(r.Mode), MaxMsg: r.MaxMsg, MsgSize: r.MsgSize}
	if r.MaxMsg == 0 {
		d.Queue.MaxMsg, d.Queue.MsgSize = defaultMsgs, defaultMsgSize
	}
	return d
}

// unlinked is how mq_unlink or unlink shows; tier syscall knows the name alone.
func (w way) unlinked(tier tracer.Tier, r result, q tracer.Queue, owner uint32) deed {
	d := w.by(r)
	d.Action, d.Kind, d.ID = tracer.ActionMark, tracer.MQ, -1
	d.Queue = q
	d.object(tier, 0, q.Mode, owner)
	if tier == tracer.Syscall {
		d.Queue = tracer.Queue{Name: q.Name, Mode: -1, MaxMsg: -1, MsgSize: -1}
	}
	return d
}

// gone is how a queue ends in a call, or in none.
func (w way) gone(r result, q tracer.Queue, owner uint32) deed {
	d := w.by(r)
	q.Name = "" // a queue that is unlinked has none
	d.Action, d.Cause, d.Kind, d.ID, d.Queue = tracer.ActionRemove, tracer.CauseUnlink, tracer.MQ, -1, q
	d.Flags, d.Owner = q.Mode, owner
	return d
}

// queueWays are those with calls on queues of their own.
func queueWays(t *testing.T) []way {
	return slices.DeleteFunc(usable(t), func(w way) bool { return w.ipc })
}

// queueStep is one mq_open and what must be told of it.
type queueStep struct {
	name    string
	rest    string
	verdict tracer.Action
	errno   unix.Errno
	unsure  bool
}

func queueSteps() []queueStep {
	long, hostile := strings.Repeat("n", 255), "\x1b[31m\xff\n \u202e"
	const create, open, fail = tracer.ActionCreate, tracer.ActionOpen, tracer.ActionFail
	return []queueStep{
		{name: "a", rest: "0102:0666:3:64", verdict: create, unsure: true},
		{name: "a", rest: "0102:0600:5:16", verdict: open, unsure: true},
		{name: "a", rest: "00:0", verdict: open},
		{name: "a", rest: "0302:0600", verdict: fail, errno: unix.EEXIST},
		{name: "none", rest: "02:0", verdict: fail, errno: unix.ENOENT},
		{name: "b", rest: "0301:0", verdict: create},
		{name: "b", rest: "00:0", verdict: fail, errno: unix.EACCES},
		{name: long, rest: "0302:0640", verdict: create},
		{name: long + "n", rest: "0302:0640", verdict: fail, errno: unix.ENAMETOOLONG},
		{name: hostile, rest: "04302:0400:1:1", verdict: create},
		{name: "bad", rest: "0302:0600:-1:64", verdict: fail, errno: unix.EINVAL},
		{name: "bad", rest: "0102:0600:1:100000000", verdict: fail, errno: unix.EINVAL},
		{name: "dir/bad", rest: "0102:0600", verdict: fail, errno: unix.EACCES},
	}
}

// TestKernelQueues: every outcome of mq_open, every way. The other witnesses are
// ipcmaker, and the files that the kernel shows for the queues.
func TestKernelQueues(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[deed]) {
			for _, w := range queueWays(t) {
				m, done := openQueues(t, tier, w, queueSteps())
				all = append(all, witness[deed]{done, func(events []tracer.Event) []deed {
					return deeds(slices.DeleteFunc(queueOnly(doneBy(events, m.pid)), func(e tracer.Event) bool { return !e.Action.Call() }))
				}})
			}
			return all
		})
	})
}

// openQueues makes the steps in a new namespace, as user 1000, and says what of
// it must be told.
func openQueues(t *testing.T, tier tracer.Tier, w way, steps []queueStep) (*session, []deed) {
	t.Helper()
	dir := t.TempDir()
	args := w.args("-unshare", "mount:"+dir, "uid:1000")
	for _, s := range steps {
		args = append(args, "mq_open:"+s.name+":"+s.rest)
	}
	m := begin(t, w.path(t), append(args, "pause")...)
	results := m.read(1 + len(steps))[1:]
	made := map[string]tracer.Queue{} // as their makers asked for them
	var done []deed
	for i, s := range steps {
		r := results[i]
		if r.Errno != int(s.errno) {
			t.Errorf("%v: mq_open %q: errno %d, the test expects %v", w, s.name, r.Errno, s.errno)
		}
		d := w.queueDeed(r, s.name)
		d.Action = s.verdict
		switch {
		case s.verdict == tracer.ActionFail:
			d.Queue.MaxMsg, d.Queue.MsgSize = -1, -1
			d.Queue.Name = d.Queue.Name[:min(256, len(d.Queue.Name))]
			if r.Flags&unix.O_CREAT == 0 {
				d.Queue.Mode = 0
			}
		case s.verdict == tracer.ActionCreate:
			d.Owner = 1000
			d.Queue.Mode = modeIn(t, m.pid, dir, s.name, r.Inode)
			made[s.name] = d.Queue
		default:
			d.Queue = made[s.name]
		}
		if s.unsure && tier == tracer.Syscall {
			d.Action, d.Owner = tracer.ActionGet, 0
		}
		done = append(done, d)
	}
	m.end()
	return m, done
}

// modeIn is the mode of a queue's file in a process's mqueue filesystem; its
// inode number must be what the process says.
func modeIn(t *testing.T, pid int, dir, name string, want uint64) int32 {
	t.Helper()
	var st unix.Stat_t
	path := filepath.Join(fmt.Sprintf("/proc/%d/root", pid), dir, name)
	if err := unix.Stat(path, &st); err != nil || st.Ino != want {
		t.Errorf("%q is inode %d (%v), ipcmaker says %d", path, st.Ino, err, want)
	}
	return int32(st.Mode & 0o777)
}

// TestKernelQueueEnds: queues end at mq_unlink, or at the last close after it, or
// with the process that does not close; a name goes to the next meanwhile.
func TestKernelQueueEnds(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[deed]) {
			for _, w := range queueWays(t) {
				m := run(t, nil, w.path(t), w.args("-unshare", "keep",
					"mq_open:a:0302:0600:1:8", "mq_unlink:a", "mq_open:a:0302:0640:2:8", "mq_unlink:a", "mq_unlink:a",
					"mq_close", "mq_close", "mq_open:b:0302:0600", "mq_close", "mq_unlink:b", "mq_open:c:0302:0600", "mq_unlink:c")...)
				r := m.results
				created := func(r result) deed {
					d := w.queueDeed(r, r.Name)
					d.Action = tracer.ActionCreate
					return d
				}
				a1, a2, b, c := created(r[0]), created(r[2]), created(r[7]), created(r[10])
				exit := result{NS: r[0].NS, PID: m.pid, TID: m.pid}
				done := []deed{
					a1, w.unlinked(tier, r[1], a1.Queue, 0),
					a2, w.unlinked(tier, r[3], a2.Queue, 0),
					w.gone(r[5], a2.Queue, 0), w.gone(r[6], a1.Queue, 0),
					b, w.unlinked(tier, r[9], b.Queue, 0), w.gone(r[9], b.Queue, 0),
					c, w.unlinked(tier, r[11], c.Queue, 0), w.gone(exit, c.Queue, 0),
				}
				if tier == tracer.Syscall { // ends are not seen
					done = slices.DeleteFunc(done, func(d deed) bool { return d.Action == tracer.ActionRemove })
				}
				all = append(all, witness[deed]{done, func(events []tracer.Event) []deed {
					return deeds(queueOnly(life(events, m.pid, r[0].NS)))
				}})
			}
			return all
		})
	})
}

// TestKernelQueueFiles: queues that are made and unlinked as files belong to the
// namespace of the filesystem, wherever the process is. Tier syscall does not
// see them.
func TestKernelQueueFiles(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[deed]) {
			for _, w := range queueWays(t) {
				dir := t.TempDir()
				path := dir + "/\x1b\xfe"
				m := run(t, nil, w.path(t), w.args("-unshare", "keep", "mount:"+dir, "fork", // the parent keeps the namespace
					"creat:"+path, "creat:"+path, "unlink:"+path, "unshare", "creat:"+path, "unlink:"+path, "unlink:"+path)...)
				ns, child := m.results[0].NS, m.results[1].Child
				var done []deed
				for i, r := range m.results {
					switch {
					case r.Errno != 0 || i == 3: // the second creat finds it
						continue
					case r.Call == "openat":
						r.Flags = unix.O_CREAT // of more the kernel's function does not know
						d := w.queueDeed(r, filepath.Base(path))
						d.Action, d.NS = tracer.ActionCreate, ns
						done = append(done, d)
					case r.Call == "unlinkat":
						r.NS = ns
						queue := done[len(done)-1].Queue
						done = append(done, w.unlinked(tier, r, queue, 0), w.gone(r, queue, 0))
					}
				}
				if len(done) != 6 {
					t.Errorf("%v: want 6 changes: %+v", w, m.results)
				}
				if tier == tracer.Syscall {
					done = nil
				}
				all = append(all, witness[deed]{done, func(events []tracer.Event) []deed {
					return withoutInodes(done, queueOnly(doneBy(events, child)))
				}})
			}
			return all
		})
	})
}

// withoutInodes takes out of what is told the inodes, where no witness says them,
// after a look that each queue keeps the one it has.
func withoutInodes(done []deed, events []tracer.Event) []deed {
	told := deeds(events)
	var last uint64
	for i := range told {
		if told[i].Action == tracer.ActionCreate {
			last = told[i].Queue.Inode
		}
		if i < len(done) && told[i].Queue.Inode == last && last != 0 {
			told[i].Queue.Inode = done[i].Queue.Inode
		}
	}
	return told
}

// TestKernelQueueOutlives: a queue that something holds when its namespace ends
// goes later, and is still that namespace's.
func TestKernelQueueOutlives(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		if tier == tracer.Syscall {
			t.Skip("n/a: tier syscall sees no end of a queue")
		}
		agree(t, tracer.Config{Tier: tier}, func(r *recording) (all []witness[deed]) {
			for _, file := range []string{"", "a"} { // the directory: the mount is held; a file: the queue is open
				dir := t.TempDir()
				m := begin(t, kerneltest.Maker64(t), "-unshare", "keep", "mount:"+dir, "mq_open:a:0302:0600:1:8", "pause")
				made := m.read(2)[1]
				held, err := os.Open(filepath.Join(fmt.Sprintf("/proc/%d/root", m.pid), dir, file))
				if err != nil {
					t.Fatal(err)
				}
				m.end()
				r.await(over(m.pid, made.NS))
				held.Close()
				removed := func(events []tracer.Event) []tracer.Event {
					return slices.DeleteFunc(queueOnly(life(events, m.pid, made.NS)), func(e tracer.Event) bool { return e.Action.Call() })
				}
				r.await(func(events []tracer.Event) bool { return len(removed(events)) > 0 })
				gone := ways()[0].gone(result{Call: "close", NS: made.NS, PID: os.Getpid()}, tracer.Queue{
					Inode: made.Inode, Mode: 0o600, MaxMsg: 1, MsgSize: 8,
				}, 0)
				gone.Cause = tracer.CauseNamespace
				all = append(all, witness[deed]{[]deed{gone}, func(events []tracer.Event) []deed {
					told := deeds(removed(events))
					for i := range told {
						told[i].TID = 0 // whichever thread the test is on
					}
					return told
				}})
			}
			return all
		})
	})
}

// TestKernelQueueLimits: a queue that is refused is one failure, and nothing ends.
func TestKernelQueueLimits(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		agree(t, tracer.Config{Tier: tier}, func(*recording) (all []witness[string]) {
			dir := t.TempDir()
			if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
				t.Fatal(err)
			}
			ops := []string{"-unshare", "keep", "mount:" + dir, "sysctl:fs/mqueue/queues_max=12", "uid:1000"}
			for i := range 12 { // together more than RLIMIT_MSGQUEUE
				ops = append(ops, fmt.Sprintf("mq_open:q%d:0302:0600:10:8192", i))
			}
			for i := range 12 {
				ops = append(ops, fmt.Sprintf("mq_open:small%d:0302:0600:1:1", i))
			}
			m := run(t, nil, kerneltest.Maker64(t), append(ops, "creat:"+dir+"/file")...)
			errs := map[unix.Errno]int{}
			var done []string
			for _, r := range m.results[1:] {
				errs[unix.Errno(r.Errno)]++
				switch {
				case r.Call == "openat" && tier == tracer.Syscall:
				case r.Errno != 0:
					done = append(done, fmt.Sprintf("fail /%s%s %v", r.Name, strings.TrimPrefix(r.Path, dir+"/"), unix.Errno(r.Errno)))
				default:
					done = append(done, fmt.Sprintf("create /%s %v", r.Name, unix.Errno(0)))
				}
			}
			if errs[0] != 12 || errs[unix.EMFILE] == 0 || errs[unix.ENOSPC] == 0 {
				t.Errorf("ipcmaker: %v, want 12 that go well, some ENOSPC and EMFILE", errs)
			}
			return []witness[string]{{done, func(events []tracer.Event) (told []string) {
				for _, e := range queueOnly(doneBy(events, m.pid)) {
					if e.Cause == tracer.CauseNamespace { // at the end of it all, if the mount goes last
						continue
					}
					told = append(told, fmt.Sprintf("%v %s %v", e.Action, e.Queue.Name, e.Errno))
				}
				return told
			}}}
		})
	})
}
