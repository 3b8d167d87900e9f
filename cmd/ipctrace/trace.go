package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// trace is a running tracer, the stream of events made from it, and what is known
// by them.
type trace struct {
	tracer    *tracer.Tracer
	resolver  *nsresolve.Resolver
	names     *container.Names // nil: no engine is asked
	stream    *stream.Stream
	looks     *looks
	flush     func() error  // shows what was written so far
	idled     func() error  // nil, or is called now and then, between events
	shown     time.Duration // boot time up to which that was done
	start     event.Start
	spied     atomic.Pointer[func(*tracer.Event)] // nil, or is shown all that the kernel records
	strangers bool                                // what is not to be told may be strangers' calls, which say nothing of what the inventory is about

	renewal               atomic.Pointer[renewal] // nil: none is asked for
	base                  tracer.Stats            // of the streams before
	toldLost, toldSkipped uint64                  // of all of them

	mu        sync.Mutex // guards inventory, for those who draw it
	inventory *inventory.Inventory
	begun     bool // the inventory has what was there before
}

// How many percent the heap may grow by between collections: until attached, and then.
// Events leave nothing to collect, and much that lives: objects. But those that are
// sent are copies, which live for a moment.
const (
	startGC = 400
	traceGC = 20
	sendGC  = 100
)

// collectAfter says how much the heap may grow by, unless the user has.
func collectAfter(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// openTrace attaches, then looks what there is, and says on stderr that nothing
// made from now on is missed.
func openTrace(ctx context.Context, cfg tracer.Config, filter stream.Filter, engines container.Sockets, stderr io.Writer) (_ *trace, err error) {
	names, err := openNames(engines, stderr)
	if err != nil {
		return nil, err
	}
	t := &trace{
		names:     names,
		resolver:  nsresolve.New(snapshot.Options(nsresolve.Options{ForeignPIDs: !initialPIDs(), ContainerName: nameOf(names)})),
		inventory: inventory.New(inventory.Limits{}),
	}
	defer func() {
		if err != nil {
			_ = t.Close()
		}
	}()
	t.stream = stream.New(t.resolver, filter, t.inventory)
	t.stream.NameContainers(names)
	t.looks = newLooks(t.resolver)
	t.flush = func() error { return nil }
	cfg.Idle, cfg.Cgroup = t.idle, t.noteCgroup
	t.strangers = cfg.Follow
	var preparing sync.WaitGroup
	defer preparing.Wait()
	if initialPIDs() {
		preparing.Go(tracer.Prepare) // to look with
	}
	// A collector that marks the kernel's types again and again has one CPU of two.
	collectAfter(startGC)
	defer collectAfter(traceGC)
	if t.tracer, err = tracer.Open(cfg); err != nil {
		return nil, err
	}
	preparing.Go(func() { _ = t.resolver.ReadCgroups(ctx) }) // those made from now on are told
	t.stream.BeginLook()
	if err := t.looks.open(ctx); err != nil {
		return nil, err
	}
	found := t.looks.pending
	askNames(names, found)
	t.looks.always = t.tracer.Tier() == tracer.Syscall
	t.start = t.describe(found)
	partial := ""
	if found.Partial {
		partial = "; " + partialText
	}
	fmt.Fprintf(stderr, "ipctrace: attached: %s tier, %s, %s%s%s%s\n",
		t.tracer.Tier(), plural(len(found.Namespaces), "IPC namespace"), plural(objectsIn(found), "object"),
		partial, unreadable(found.Unreadable, "; "), unentered(closed(found), "; "))
	debug.FreeOSMemory() // the kernel's types, which were needed to load with
	return t, nil
}

// closed counts the namespaces that could not be looked into.
func closed(found *snapshot.Snapshot) (n int) {
	for _, ns := range found.Namespaces {
		if ns.Err != nil {
			n++
		}
	}
	return n
}

// unentered tells of them, "" if there are none.
func unentered(n int, before string) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%snot looked into %s: needs CAP_SYS_ADMIN: run with sudo", before, plural(n, "namespace"))
}

func objectsIn(found *snapshot.Snapshot) int {
	sum := 0
	for _, n := range found.Namespaces {
		sum += len(n.Objects)
	}
	return sum
}

// initialPIDs reports whether this program numbers processes as the hooks do:
// PROC_PID_INIT_INO, include/linux/proc_ns.h.
func initialPIDs() bool {
	link, err := os.Readlink("/proc/self/ns/pid")
	return err != nil || link == "pid:[4026531836]"
}

// unreadable tells of processes whose namespaces stayed hidden, "" if none did.
func unreadable(n int, before string) string {
	if n == 0 {
		return ""
	}
	hidden := fmt.Sprintf("%sthe namespaces of %s are not readable", before, plural(n, "process"))
	if !privilege.Holds(capability.CAP_SYS_PTRACE) {
		hidden += " (needs CAP_SYS_PTRACE: run with sudo)"
	}
	return hidden
}

func plural[N int | uint64](n N, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "process":
		return fmt.Sprintf("%d processes", n)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (t *trace) describe(found *snapshot.Snapshot) event.Start {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails only for a bad pointer
	host, _ := os.Hostname()
	bootID, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return event.Start{
		Tool:          "ipctrace " + version(),
		Host:          host,
		BootID:        string(bytes.TrimSpace(bootID)),
		Kernel:        unix.ByteSliceToString(name.Release[:]),
		Arch:          unix.ByteSliceToString(name.Machine[:]),
		Tier:          t.tracer.Tier().String(),
		Gaps:          t.gaps(found),
		Namespaces:    len(found.Namespaces),
		Objects:       objectsIn(found),
		Unreadable:    found.Unreadable,
		ClockOffsetNS: int64(t.tracer.Offset()),
	}
}

// gaps is what this session cannot see.
func (t *trace) gaps(found *snapshot.Snapshot) []string {
	gaps := append([]string{}, t.tracer.Gaps()...)
	if !initialPIDs() {
		gaps = append(gaps, "which process here a pid is: this is a pid namespace, and pids are the host's (ns_pid is the process's own)")
	}
	if found.Partial {
		gaps = append(gaps, "namespaces that no process of this pid namespace is in, before something happens in them")
	}
	if n := closed(found); n > 0 {
		gaps = append(gaps, "what was in "+plural(n, "namespace")+" before: looking into them needs CAP_SYS_ADMIN")
	}
	return gaps
}

// nativeABI is the ABI of this program, which is not worth a mention.
func nativeABI() string {
	if runtime.GOARCH == "amd64" {
		return tracer.X86_64.String()
	}
	return tracer.ARM64.String()
}

// abiOf likewise, of a machine as uname names it.
func abiOf(machine string) string {
	switch machine {
	case "x86_64":
		return tracer.X86_64.String()
	case "aarch64":
		return tracer.ARM64.String()
	}
	return ""
}

// A sink takes the events of a trace. Its error ends the trace. What it keeps is a
// clone: an event is there until the next one.
type sink interface {
	Write(e *event.Event) error
}

// A flusher is a sink that gathers what it is given until it is to be seen.
type flusher interface {
	Flush() error
}

// A noter is a sink that also takes what is not to be told.
type noter interface {
	Note(e *event.Event)
}

// A teller is a sink that now and then has to be told what is there.
type teller interface {
	Stateless() bool
	Tell(state iter.Seq[*event.Event]) error
}

// Reasons for which a trace ends, in trace.stop.
const (
	endSignal   = "signal"
	endDuration = "duration"
	endCount    = "count"
	endPipe     = "closed pipe"
	endWork     = "done"   // what was traced is over
	endReload   = "reload" // of the stream: another with other filters follows
)

// The causes of a context that ends a trace other than by a signal.
var (
	errDuration = errors.New(endDuration)
	errPipe     = errors.New(endPipe)
	errWork     = errors.New(endWork)
)

// follow gives every event to out, from trace.start to trace.stop, until ctx
// ends or count events are written; then what the kernel had recorded by then.
func (t *trace) follow(ctx context.Context, count uint64, out sink) error {
	defer context.AfterFunc(ctx, t.tracer.Stop)()
	defer t.looks.stop()
	t.idled = func() error { return t.renewNow(out) }
	if flusher, ok := out.(flusher); ok {
		t.flush = flusher.Flush
	}
	return errors.Join(t.tellAll(ctx, count, out), t.flush())
}

func (t *trace) tellAll(ctx context.Context, count uint64, out sink) error {
	start := t.start
	if err := t.write(out, t.stream.Start(t.wall(t.tracer.Start()), t.tracer.Start(), &start)); err != nil {
		return err
	}
	reason := ""
	enough := func() {
		if reason == "" && count > 0 && t.stream.Told() >= count {
			reason = endCount
			t.tracer.Stop()
		}
	}
	t.looks.ready = func(at time.Duration) error {
		defer enough()
		return t.look(at, out)
	}
	for raw, err := range t.tracer.Events() {
		switch {
		case err != nil:
			err = t.lost(err, out)
		case reason == endCount:
			t.stream.Skip()
		default:
			err = t.take(&raw, out)
		}
		if err != nil {
			return err
		}
		enough()
	}
	if err := t.look(forever, out); err != nil { // what was there, if there was no time to tell it
		return err
	}
	return t.end(ctx, reason, out)
}

// withheld is how long what was written is not shown at most, where there is always
// more to be read from the kernel: most of that may be filtered out.
const withheld = 100 * time.Millisecond

// take takes in what the kernel has recorded.
func (t *trace) take(raw *tracer.Event, out sink) error {
	if err := t.looks.idle(raw.Boot - disorder); err != nil {
		return err
	}
	if spy := t.spied.Load(); spy != nil {
		(*spy)(raw)
	}
	if err := t.write(out, t.happened(raw)...); err != nil || raw.Boot < t.shown+withheld {
		return err
	}
	return t.flushAt(raw.Boot)
}

// idle is when nothing more is there to be read from the kernel.
func (t *trace) idle(at time.Duration) error {
	if err := t.looks.idle(at); err != nil {
		return err
	}
	return t.flushAt(at)
}

// spy has see shown what the kernel records, whatever is told of it; nil: nobody.
func (t *trace) spy(see func(*tracer.Event)) {
	if see == nil {
		t.spied.Store(nil)
		return
	}
	t.spied.Store(&see)
}

func (t *trace) flushAt(at time.Duration) error {
	t.shown = at
	if t.idled != nil {
		if err := t.idled(); err != nil {
			return err
		}
	}
	return t.flush()
}

// lost tells of a loss. Another error is one.
func (t *trace) lost(err error, out sink) error {
	var loss *tracer.Loss
	if !errors.As(err, &loss) {
		return err
	}
	t.looks.askAll()
	if errors.Is(loss, tracer.ErrSkipped) {
		t.toldSkipped += loss.Count
	} else {
		t.toldLost += loss.Count
	}
	return t.write(out, t.stream.Lost(loss))
}

// look takes in a snapshot once all that happened up to its end has been.
func (t *trace) look(at time.Duration, out sink) error {
	if err := t.tell(out); err != nil {
		return err
	}
	if found := t.looks.taken(at); found != nil {
		told := t.compare(found)
		if t.stream.Unsettled() {
			t.looks.ask()
		}
		if err := t.write(out, told...); err != nil {
			return err
		}
		t.mu.Lock()
		t.begun = true
		t.mu.Unlock()
	}
	if t.looks.due(at) {
		t.stream.BeginLook()
		t.looks.begin(t.inventory.Queued())
	}
	return nil
}

func (t *trace) end(ctx context.Context, reason string, out sink) error {
	if reason == "" {
		reason = endSignal
		for _, cause := range []error{errDuration, errPipe, errWork} {
			if errors.Is(context.Cause(ctx), cause) {
				reason = cause.Error()
			}
		}
	}
	var clock tracer.Clock
	now := clock.Boot()
	return t.write(out, t.stream.Stop(clock.Wall(now), now, reason, since(t.tracer.Stats(), t.base)))
}

// tell tells what is there, if out wants to know.
func (t *trace) tell(out sink) error {
	if teller, ok := out.(teller); ok && teller.Stateless() {
		t.mu.Lock() // who scrapes gives namespaces their names meanwhile
		defer t.mu.Unlock()
		return teller.Tell(t.inventory.State())
	}
	return nil
}

// write takes events in and gives them out. What is there, is told before.
func (t *trace) write(out sink, events ...*event.Event) error {
	noter, notes := out.(noter)
	for _, e := range events {
		if err := t.tell(out); err != nil {
			return err
		}
		t.apply(e)
		if e.Seq == 0 {
			if notes {
				noter.Note(e)
			}
			continue
		}
		if err := out.Write(e); err != nil {
			return fmt.Errorf("write event %d: %w", e.Seq, err)
		}
	}
	return nil
}

// happened asks the stream, which asks the inventory: who draws that names things
// in it.
func (t *trace) happened(raw *tracer.Event) []*event.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stream.Events(raw)
}

// compare is what a look tells. What it tells nothing new of is taken in.
func (t *trace) compare(found *snapshot.Snapshot) []*event.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	told, fresh := t.stream.Look(found)
	for _, e := range fresh {
		t.inventory.Refresh(e)
	}
	return told
}

func (t *trace) apply(e *event.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case e.Seq != 0:
		t.inventory.Apply(e)
	case !t.strangers: // not asked for
		t.inventory.Note(e)
	}
}

func (t *trace) wall(boot time.Duration) time.Time {
	var clock tracer.Clock
	return clock.Wall(boot)
}

// label is the present name of a namespace, "" if nothing is known of it.
func (t *trace) label(inode uint64) string {
	if name := t.resolver.Label(inode, nsresolve.Maker{}); name != "?" {
		return name
	}
	return ""
}

// Close frees the tracer.
func (t *trace) Close() error {
	var err error
	if t.tracer != nil {
		err = t.tracer.Close()
	}
	return errors.Join(err, t.names.Close())
}
