package nsresolve

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ipctrace/ipctrace/internal/lru"
	"golang.org/x/sys/unix"
)

// Options says where to look and how much. The zero value is right for the host
// the program runs on.
type Options struct {
	ProcRoot      string           // default "/proc"
	CgroupRoot    string           // the cgroup2 mount or the parent of "unified"; default "/sys/fs/cgroup"
	MaxNamespaces int              // cached, the least recently used goes first; default 65536
	MinInterval   time.Duration    // a walk caused by Lookup happens at most this often; default 250ms
	Now           func() time.Time // default time.Now

	// ForeignPIDs says that the processes Lookup and Cgroup are asked about are
	// numbered by another pid namespace than ProcRoot's, as eBPF numbers them
	// for a program in a container: then no number is looked up in ProcRoot.
	ForeignPIDs bool

	// Tasks and Descriptors are quicker sources than /proc of who is in which
	// namespace and who has one open, such as tracer.Tasks and
	// tracer.Descriptors. They are asked where ProcRoot shows the machine's
	// processes, as seen from the initial pid and time namespaces. Where there is
	// none, or it fails, /proc is walked.
	Tasks       func() ([]Thread, error)
	Descriptors func() ([]Descriptor, error)

	// ContainerName, if not nil, is what a container is called, "" where that is not
	// known, or not yet: it must not wait, nor call the Resolver. Labels of namespaces
	// are made of it.
	ContainerName func(id, runtime string) string

	// Visiting says that threads of this program that are in another namespace
	// than its first one are there to look around, and are not told of.
	Visiting bool
}

const (
	// settleTime after a namespace is first seen its processes are read once
	// more: at its birth they may not have executed their program yet.
	settleTime = time.Second
	// maxCgroups and maxCgroupBytes bound the cgroups that are cached, whose paths
	// may be long: who may make some chooses their names.
	maxCgroups     = 65536
	maxCgroupBytes = 16 << 20
	// maxTries bounds the walks for a namespace that no process shows up in.
	// More than one, because a child born by clone into a new namespace is in
	// /proc only after copy_ipcs has run.
	maxTries = 3
	// maxRecheck bounds how many members Recheck looks for.
	maxRecheck = 8
	// walkShare keeps Lookup's walks to a tenth of the time where /proc is
	// large.
	walkShare = 10
)

// Resolver answers questions about IPC namespaces. It holds no descriptors and
// no goroutines, and needs no closing.
type Resolver struct {
	procRoot    string
	cgroupRoot  string
	minInterval time.Duration
	now         func() time.Time
	foreign     bool
	tasks       func() ([]Thread, error)
	descriptors func() ([]Descriptor, error)
	visiting    bool
	called      func(id, runtime string) string

	mu      sync.Mutex
	cache   *lru.Cache[uint64, *entry]
	cgroups *lru.Cache[uint64, cgroupEntry]
	walks   map[*walk]struct{} // under way
	walking bool               // a walk of Lookup's is under way
	nextDue time.Time          // of the next one
}

// entry is a cached namespace. Guarded by Resolver.mu.
type entry struct {
	ns       Namespace
	made     origin
	holder   string // comm of the first descriptor's process
	resolved bool   // a walk has seen it, or is not expected to
	settled  bool   // a walk has seen it after settleAt
	settleAt time.Time
	tries    int
	called   bool // its label has the name of its container
}

// Snapshot is the outcome of a Scan.
type Snapshot struct {
	Namespaces []Namespace // the initial one first, then by inode

	// Unreadable counts processes whose namespace links could not all be read
	// for lack of CAP_SYS_PTRACE.
	Unreadable int
	// UnreadableFDs counts processes whose descriptors could not be listed, so
	// that pins may be missing.
	UnreadableFDs int
	// Partial says that ProcRoot does not show the processes of the whole machine:
	// other namespaces may have none here.
	Partial bool
}

// New returns a Resolver with nothing in its cache.
func New(o Options) *Resolver {
	if o.MaxNamespaces <= 0 {
		o.MaxNamespaces = 65536
	}
	if o.MinInterval <= 0 {
		o.MinInterval = 250 * time.Millisecond
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Resolver{
		procRoot:    cmp.Or(o.ProcRoot, "/proc"),
		cgroupRoot:  cmp.Or(o.CgroupRoot, "/sys/fs/cgroup"),
		minInterval: o.MinInterval,
		now:         o.Now,
		foreign:     o.ForeignPIDs,
		tasks:       o.Tasks,
		descriptors: o.Descriptors,
		visiting:    o.Visiting,
		called:      o.ContainerName,
		cache:       lru.New[uint64, *entry](o.MaxNamespaces),
		cgroups:     lru.New[uint64, cgroupEntry](min(o.MaxNamespaces, maxCgroups)).Sized(maxCgroupBytes, cgroupEntry.size),
		walks:       make(map[*walk]struct{}),
	}
}

// Scan looks once at every process, every thread, every mount table and every
// descriptor; from Linux 6.19 on it also finds what none of these shows. What it
// finds replaces what the cache had; namespaces it does not
// find stay cached as they were, for events still to come.
func (r *Resolver) Scan(ctx context.Context) (*Snapshot, error) {
	w := r.newWalk(true, func(uint64) bool { return true })
	namespaces, err := r.walk(ctx, w)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(namespaces, func(a, b Namespace) int {
		if a.Initial != b.Initial {
			if a.Initial {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Inode, b.Inode)
	})
	return &Snapshot{Namespaces: namespaces, Unreadable: w.refused, UnreadableFDs: w.refusedF, Partial: !w.host}, nil
}

// Lookup returns what is known of the namespace with this inode. It answers from
// the cache. For a namespace not seen before, or seen too briefly, it walks
// /proc if no such walk was made within MinInterval; otherwise it answers from
// the maker, and a later Lookup finds out more. The initial namespace never
// causes a walk, and its processes are listed only after a Scan. What is known
// of a namespace outlives its processes, until Forget.
func (r *Resolver) Lookup(inode uint64, m Maker) Namespace {
	r.mu.Lock()
	e := r.entry(inode)
	adopt, stale := e.adopts(m), r.stale(e)
	ns := e.ns
	r.mu.Unlock()
	if adopt {
		ns = r.adopt(inode, r.origin(m))
	}
	if stale {
		ns = r.resolve(inode, ns)
	}
	return ns
}

// Label is Lookup for those who want no more than the name.
func (r *Resolver) Label(inode uint64, m Maker) string {
	r.mu.Lock()
	e := r.entry(inode)
	label, settled := e.ns.Label, !e.adopts(m) && !r.stale(e)
	r.mu.Unlock()
	if settled {
		return label
	}
	return r.Lookup(inode, m).Label
}

// Forget drops what is known of an inode that now belongs to another namespace:
// the next Lookup starts afresh. Walks under way no longer count for it.
func (r *Resolver) Forget(inode uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cache.Remove(inode)
	for w := range r.walks {
		w.stale[inode] = struct{}{}
	}
}

// Recheck forgets a namespace that nobody who was known to be in it is in any
// more: its inode number may be another's by now. For kernels that give
// namespaces no id, before 6.18. It costs one readlink where the oldest process
// is still there.
func (r *Resolver) Recheck(inode uint64) {
	r.mu.Lock()
	e, ok := r.cache.Peek(inode)
	if !ok || e.ns.Initial || len(e.ns.Pins) > 0 {
		r.mu.Unlock()
		return
	}
	threads := make([]string, 0, maxRecheck+1)
	for _, p := range e.ns.Processes[:min(len(e.ns.Processes), maxRecheck)] {
		threads = append(threads, fmt.Sprintf("%d/task/%d", p.PID, p.Threads[0]))
	}
	threads = append(threads, strconv.Itoa(r.local(e.made.PID)))
	r.mu.Unlock()
	for _, thread := range threads {
		link, err := os.Readlink(filepath.Join(r.procRoot, thread, "ns", "ipc"))
		if got, ok := ipcLink(link); err == nil && ok && got == inode || denied(err) {
			return // still there, or nobody can say
		}
	}
	r.Forget(inode)
}

// entry finds or makes the entry of an inode. The caller has the lock.
func (r *Resolver) entry(inode uint64) *entry {
	if e, ok := r.cache.Get(inode); ok {
		r.call(e)
		return e
	}
	e := r.newEntry(inode)
	r.cache.Put(inode, e)
	return e
}

// entryOf is entry for when the namespace's id is known: an entry with another
// id is of a namespace that is gone.
func (r *Resolver) entryOf(inode, id uint64) *entry {
	if e, ok := r.cache.Peek(inode); ok && id != 0 && e.ns.ID != 0 && e.ns.ID != id {
		r.cache.Remove(inode)
	}
	return r.entry(inode)
}

func (r *Resolver) newEntry(inode uint64) *entry {
	initial := inode == InitialInode
	e := &entry{
		ns:       Namespace{Inode: inode, Initial: initial},
		resolved: initial,
		settled:  initial,
		settleAt: r.now().Add(settleTime),
	}
	r.name(e)
	return e
}

// name sets what follows from the rest.
func (r *Resolver) name(e *entry) {
	e.ns.Container = e.ns.container(e.made)
	e.ns.Label = e.ns.label(e.made, e.holder)
	e.called = false
	r.call(e)
}

// call labels a namespace with the name of its container, once that is known.
func (r *Resolver) call(e *entry) {
	if r.called == nil || e.called || e.ns.Container == nil {
		return
	}
	if name := r.called(e.ns.Container.ID, e.ns.Container.Runtime); name != "" {
		e.ns.Label = e.ns.Container.Runtime + ":" + bounded(name, maxPath)
		e.called = true
	}
}

// adopts says whether a maker is the best there is to name it after.
func (e *entry) adopts(m Maker) bool {
	return m.known() && !e.ns.Initial && !e.made.known() && len(e.ns.Processes) == 0 && len(e.ns.Pins) == 0
}

// stale: the caller has the lock.
func (r *Resolver) stale(e *entry) bool {
	return !e.resolved || !e.settled && !r.now().Before(e.settleAt)
}

// adopt names a namespace after the maker of its first event.
func (r *Resolver) adopt(inode uint64, made origin) Namespace {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.entry(inode)
	if !e.made.known() {
		e.made = made
		r.name(e)
	}
	return e.ns
}

// origin reads what /proc still has of a maker.
func (r *Resolver) origin(m Maker) origin {
	m.Comm = bounded(m.Comm, maxComm)
	o := origin{Maker: m, container: r.containerOf(m), start: bootTicks()}
	if m.Boot > 0 {
		o.start = min(o.start, ticks(m.Boot))
	}
	dir, err := openPath(unix.AT_FDCWD, filepath.Join(r.procRoot, strconv.Itoa(r.local(m.PID))))
	if err != nil {
		return o // it began at the latest now
	}
	defer unix.Close(dir)
	var buf []byte
	if st, err := readStat(dir, &buf); err == nil {
		o.start = min(o.start, st.start) // else it is another process's number by now
	}
	return o
}

// local is a process's number in ProcRoot, 0 if it is not known.
func (r *Resolver) local(pid int) int {
	if r.foreign {
		return 0
	}
	return pid
}

// bootTicks is the present in the unit of Process.Start. USER_HZ is 100 for
// programs on every architecture Go runs on.
func bootTicks() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return ticks(time.Duration(t.Nano()))
}

func ticks(boot time.Duration) uint64 { return uint64(boot / (10 * time.Millisecond)) }

// resolve walks /proc if a walk is due, and returns the better answer.
func (r *Resolver) resolve(inode uint64, ns Namespace) Namespace {
	r.mu.Lock()
	begun := r.now()
	if r.walking || begun.Before(r.nextDue) {
		r.mu.Unlock()
		return ns
	}
	r.walking = true
	r.mu.Unlock()

	w := r.newWalk(false, r.unknown)
	w.subject = inode
	namespaces, err := r.walk(context.Background(), w)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.walking = false
	ended := r.now()
	r.nextDue = ended.Add(max(r.minInterval, walkShare*ended.Sub(begun)))
	if i := slices.IndexFunc(namespaces, func(n Namespace) bool { return n.Inode == inode }); i >= 0 {
		return namespaces[i]
	}
	if e, ok := r.cache.Peek(inode); ok && err == nil {
		if e.tries++; e.tries >= maxTries {
			e.resolved, e.settled = true, true
		}
		return e.ns
	}
	return ns
}

// unknown reports whether Lookup's walk is to read who is in a namespace.
func (r *Resolver) unknown(inode uint64) bool {
	if inode == InitialInode {
		return false // perhaps thousands, whose names nobody needs
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cache.Peek(inode)
	return !ok || r.stale(e)
}

func (r *Resolver) newWalk(pins bool, want func(uint64) bool) *walk {
	w := newWalk(r.procRoot, pins, want)
	w.host = showsHost(r.procRoot)
	w.tasks, w.files, w.cgroup = r.tasks, r.descriptors, r.processCgroup()
	if r.visiting {
		w.visit()
	}
	return w
}

// walk runs w and takes over what it found.
func (r *Resolver) walk(ctx context.Context, w *walk) ([]Namespace, error) {
	begun := r.now()
	r.mu.Lock()
	r.walks[w] = struct{}{}
	r.mu.Unlock()

	err := w.run(ctx)

	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.walks, w)
	if err != nil {
		return nil, err
	}
	namespaces := make([]Namespace, 0, len(w.found))
	for _, inode := range w.inodes() {
		var e *entry
		if _, forgotten := w.stale[inode]; forgotten {
			e = r.newEntry(inode) // for the result alone
		} else {
			e = r.entryOf(inode, w.found[inode].id)
		}
		e.update(w.found[inode], w, begun)
		r.name(e)
		namespaces = append(namespaces, e.ns)
	}
	return namespaces, nil
}

func (e *entry) update(s *seen, w *walk, at time.Time) {
	e.ns.Processes = s.processes
	e.ns.Threads = 0
	for _, p := range s.processes {
		e.ns.Threads += len(p.Threads)
	}
	if s.id != 0 {
		e.ns.ID = s.id
	}
	if w.pins {
		e.ns.Pins = s.pins
		if len(s.pins) > 0 {
			e.holder = w.comms[s.pins[0].PID]
		}
	}
	e.resolved = true
	e.settled = e.settled || !at.Before(e.settleAt)
}
