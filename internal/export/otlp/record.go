package otlp

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// entry is an event on its way, with what the stream that it is of does not say in
// it.
type entry struct {
	event    *event.Event
	stream   string    // drawn at random when the stream began, hexadecimal
	observed time.Time // when it came here
	own      bool      // it is a trace.lost of this output
}

// namePrefix makes names of events ours among all others.
const namePrefix = "ipctrace."

// maker makes records. Not for concurrent use.
type maker struct {
	attributes attributes
	body       []byte
}

// record is an event as a log record, whose attributes are those of the maker until
// the next.
func (m *maker) record(en *entry) log.Record {
	e := en.event
	var r log.Record
	r.SetEventName(namePrefix + valid(string(e.Event)))
	r.SetTimestamp(e.Time)
	r.SetObservedTimestamp(en.observed)
	severity := severityOf(e)
	r.SetSeverity(severity)
	r.SetSeverityText(severityTexts[severity])
	m.body = appendBody(m.body[:0], e)
	r.SetBody(attribute.StringValue(string(m.body)))
	m.attributes = m.attributes[:0]
	m.attributes.known("ipc.stream", en.stream)
	m.attributes.event(e)
	return r
}

var severityTexts = map[log.Severity]string{log.SeverityInfo: "INFO", log.SeverityWarn: "WARN"}

// severityOf is a warning where something went wrong. That a key is taken, or not
// there, is how programs find out.
func severityOf(e *event.Event) log.Severity {
	switch {
	case e.Event == event.TraceLost:
		return log.SeverityWarn
	case e.Event == event.ObjectFail && e.Errno != "EEXIST" && e.Errno != "ENOENT":
		return log.SeverityWarn
	}
	return log.SeverityInfo
}

// event has all of an event but its time, in the order of docs/events.md.
func (a *attributes) event(e *event.Event) {
	a.uint("ipc.seq", e.Seq)
	a.int("ipc.boot_ns", e.BootNS)
	a.text("ipc.event", string(e.Event)) // a backend may not keep names of events
	a.known("ipc.observed", string(e.Observed))
	if e.NS != nil {
		a.namespace(&namespaceKeys, e.NS)
	}
	if e.From != nil {
		a.namespace(&fromKeys, e.From)
	}
	if e.Object != nil {
		a.object(e.Object)
	}
	a.known("ipc.cause", string(e.Cause))
	if e.Errno != "" {
		a.text("ipc.errno", e.Errno)
		a.text(semconv.ErrorTypeKey, e.Errno)
	}
	if e.Process != nil {
		a.process(&callerKeys, e.Process)
	}
	if e.Container != nil {
		a.container(e.Container)
	}
	a.known("ipc.syscall", e.Syscall)
	a.known("ipc.abi", e.ABI)
	a.seldom(e)
}

// seldom has what few events have. Seals are of files alone.
func (a *attributes) seldom(e *event.Event) {
	if e.History != nil {
		a.history(e.History)
	}
	if e.Lost != nil {
		a.lost(e.Lost)
	}
	if e.State != nil {
		a.int("ipc.state.namespaces", int64(e.State.Namespaces))
		a.int("ipc.state.objects", int64(e.State.Objects))
		a.uint("ipc.state.forgotten", e.State.Forgotten)
	}
	if e.Start != nil {
		a.start(e.Start)
	}
	if e.Stop != nil {
		a.stop(e.Stop)
	}
}

type placeKeys struct{ inode, gen, id, initial, label, labelHex attribute.Key }

var (
	namespaceKeys = placeKeys{"ipc.namespace.inode", "ipc.namespace.gen", "ipc.namespace.id", "ipc.namespace.initial", "ipc.namespace.label", "ipc.namespace.label_hex"}
	fromKeys      = placeKeys{"ipc.from.inode", "ipc.from.gen", "ipc.from.id", "ipc.from.initial", "ipc.from.label", "ipc.from.label_hex"}
)

func (a *attributes) namespace(k *placeKeys, n *event.Namespace) {
	a.uint(k.inode, n.Inode)
	a.int(k.gen, int64(n.Gen))
	if n.ID != 0 {
		a.uint(k.id, n.ID)
	}
	a.bool(k.initial, n.Initial)
	a.foreign(k.label, n.Label, k.labelHex)
}

func (a *attributes) object(o *event.Object) {
	a.text("ipc.kind", o.Kind)
	number(a, "ipc.id", o.ID)
	if o.Kind == "mq" {
		a.foreign("ipc.name", o.Name, "ipc.name_hex")
		number(a, "ipc.ino", o.Inode)
	} else if !o.Bare || o.Key != 0 {
		a.text("ipc.key", o.Key.String())
	}
	number(a, "ipc.size", o.Size)
	number(a, "ipc.nsems", o.NSems)
	number(a, "ipc.maxmsg", o.MaxMsg)
	number(a, "ipc.msgsize", o.MsgSize)
	if !o.Bare {
		a.text("ipc.mode", o.Mode.String())
		a.texts("ipc.flags", o.Flags)
	}
	number(a, "ipc.uid", o.UID)
	number(a, "ipc.gid", o.GID)
	if o.State != nil {
		a.state(o.State)
	}
}

func (a *attributes) state(s *event.State) {
	number(a, "ipc.object.messages", s.Messages)
	number(a, "ipc.object.bytes", s.Bytes)
	number(a, "ipc.object.nattch", s.Attached)
	number(a, "ipc.object.cpid", s.CPID)
	number(a, "ipc.object.lpid", s.LPID)
	number(a, "ipc.object.lspid", s.LSPID)
	number(a, "ipc.object.lrpid", s.LRPID)
	number(a, "ipc.object.cuid", s.CUID)
	number(a, "ipc.object.cgid", s.CGID)
	if !s.CTime.IsZero() {
		a.time("ipc.object.ctime", s.CTime)
	}
	a.bool("ipc.object.dest", s.Dest)
}

type doerKeys struct {
	pid, tid, nsPID, ppid, uid, gid, comm, commHex, parentComm, parentCommHex, cgroupID, cgroup, cgroupHex, followed attribute.Key
}

var (
	callerKeys = doerKeys{
		semconv.ProcessPIDKey, semconv.ThreadIDKey, semconv.ProcessVpidKey, semconv.ProcessParentPIDKey,
		semconv.ProcessRealUserIDKey, "ipc.process.gid", semconv.ThreadNameKey, "ipc.process.comm_hex",
		"ipc.process.parent_comm", "ipc.process.parent_comm_hex",
		"ipc.process.cgroup_id", semconv.ProcessLinuxCgroupKey, "ipc.process.cgroup_hex", "ipc.process.followed",
	}
	lastUserKeys = doerKeys{
		"ipc.history.last_user.pid", "ipc.history.last_user.tid", "ipc.history.last_user.ns_pid", "ipc.history.last_user.ppid",
		"ipc.history.last_user.uid", "ipc.history.last_user.gid", "ipc.history.last_user.comm", "ipc.history.last_user.comm_hex",
		"ipc.history.last_user.parent_comm", "ipc.history.last_user.parent_comm_hex",
		"ipc.history.last_user.cgroup_id", "ipc.history.last_user.cgroup", "ipc.history.last_user.cgroup_hex", "ipc.history.last_user.followed",
	}
)

// process is one. Its comm is the name of a thread; what program it runs it does not
// say.
func (a *attributes) process(k *doerKeys, p *event.Process) {
	a.int(k.pid, int64(p.PID))
	a.int(k.tid, int64(p.TID))
	if p.NSPID != 0 {
		a.int(k.nsPID, int64(p.NSPID))
	}
	a.int(k.ppid, int64(p.PPID))
	a.int(k.uid, int64(p.UID))
	a.int(k.gid, int64(p.GID))
	a.foreign(k.comm, p.Comm, k.commHex)
	a.foreign(k.parentComm, p.ParentComm, k.parentCommHex)
	a.uint(k.cgroupID, p.CgroupID)
	if p.Cgroup != "" {
		a.foreign(k.cgroup, p.Cgroup, k.cgroupHex)
	}
	if p.Followed {
		a.bool(k.followed, true)
	}
}

func (a *attributes) container(c *event.Container) {
	a.text(semconv.ContainerIDKey, c.ID)
	a.text(semconv.ContainerRuntimeNameKey, c.Runtime)
	a.known(semconv.ContainerNameKey, c.Name)
	if c.Image != "" {
		a.image(c.Image)
	}
	a.known(semconv.K8SPodNameKey, c.Pod)
	a.known(semconv.K8SNamespaceNameKey, c.PodNamespace)
}

func (a *attributes) history(h *event.History) {
	a.text("ipc.history.first", string(h.First))
	a.time("ipc.history.time", h.Time)
	if h.BootNS != 0 {
		a.int("ipc.history.boot_ns", h.BootNS)
	}
	if !h.Marked.IsZero() {
		a.time("ipc.history.marked", h.Marked)
	}
	if h.Opens > 0 {
		a.uint("ipc.history.opens", h.Opens)
	}
	if h.LastUser != nil {
		a.process(&lastUserKeys, h.LastUser)
	}
}

func (a *attributes) lost(l *event.Lost) {
	a.uint("ipc.lost.count", l.Count)
	a.time("ipc.lost.from", l.From)
	a.time("ipc.lost.to", l.To)
	a.bool("ipc.lost.at_most", l.AtMost)
	a.known("ipc.lost.stage", string(l.Stage))
}

func (a *attributes) start(s *event.Start) {
	a.text("ipc.start.tool", s.Tool)
	a.text("ipc.start.host", s.Host)
	a.text("ipc.start.boot_id", s.BootID)
	a.text("ipc.start.kernel", s.Kernel)
	a.text("ipc.start.arch", s.Arch)
	a.text("ipc.start.tier", s.Tier)
	a.texts("ipc.start.gaps", s.Gaps)
	a.texts("ipc.start.filters", s.Filters)
	a.int("ipc.start.namespaces", int64(s.Namespaces))
	a.int("ipc.start.objects", int64(s.Objects))
	a.int("ipc.start.unreadable", int64(s.Unreadable))
	a.int("ipc.start.clock_offset_ns", s.ClockOffsetNS)
}

func (a *attributes) stop(s *event.Stop) {
	a.text("ipc.stop.reason", s.Reason)
	a.uint("ipc.stop.produced", s.Produced)
	a.uint("ipc.stop.delivered", s.Delivered)
	a.uint("ipc.stop.lost", s.Lost)
	a.uint("ipc.stop.skipped", s.Skipped)
	a.uint("ipc.stop.filtered", s.Filtered)
	a.uint("ipc.stop.written", s.Written)
	a.uint("ipc.stop.found", s.Found)
	a.uint("ipc.stop.dropped", s.Dropped)
	a.uint("ipc.stop.cgroups_lost", s.CgroupsLost)
}
