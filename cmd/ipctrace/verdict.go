package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
)

// checks hold what was seen against what isolation means.
func (p *proof) checks() []view.Check {
	a, b := inodeOf(p.links, true), inodeOf(p.links, false)
	return []view.Check{
		differInIPC(p.links),
		p.hooksSaw("B", p.b, b, p.madeB),
		p.listed("B's namespace lists them", p.inB, p.madeB, 3),
		p.listed("A's namespace does not", p.inA, p.madeB, 0),
		p.hooksSaw("A, with the same key,", p.a, a, p.madeA),
		p.listed("A's namespace lists them", p.laterA, p.madeA, 3),
		check("B's namespace is as it was", slices.Equal(p.inB, p.laterB),
			"/proc/sysvipc in B: %s", counted(len(p.laterB))),
		p.nothingElsewhere(a, b),
		p.hooksSawEnds(a, b),
		nothingLost(p.tier, p.stats),
		check("nothing is left behind", len(p.left) == 0,
			"/proc/sysvipc here: %s with this key", counted(len(p.left))),
	}
}

// nothingLost: a hook of the fentry tier that the kernel skipped is an event
// missed. One of the syscall tier is any system call of the machine: what it may
// have hidden, /proc/sysvipc shows.
func nothingLost(tier tracer.Tier, s tracer.Stats) view.Check {
	skipped := ""
	if s.Skipped > 0 {
		skipped = fmt.Sprintf("; %d runs of hooks skipped by the kernel", s.Skipped)
	}
	return check("nothing was lost", s.Lost == 0 && s.Pending == 0 && (s.Skipped == 0 || tier == tracer.Syscall),
		"%d produced = %d delivered + %d lost%s", s.Produced, s.Delivered, s.Lost, skipped)
}

func check(name string, ok bool, format string, args ...any) view.Check {
	return view.Check{Name: name, OK: ok, Detail: fmt.Sprintf(format, args...)}
}

func proved(checks []view.Check) bool {
	return !slices.ContainsFunc(checks, func(c view.Check) bool { return !c.OK })
}

func counted(n int) string { return plural(n, "object") }

func differInIPC(links []nsresolve.Link) view.Check {
	var differ []string
	for _, l := range links {
		if !l.Same {
			differ = append(differ, l.Name)
		}
	}
	return check("A and B differ in ipc alone", slices.Equal(differ, []string{"ipc"}),
		"links that differ: %s", strings.Join(differ, ", "))
}

// hooksSaw: exactly one creation of each kind, by that process, in that namespace.
func (p *proof) hooksSaw(name string, who *party, inode uint64, made objects) view.Check {
	ids := map[string]int{"msg": made.Msg, "shm": made.Shm, "sem": made.Sem}
	seen := 0
	for _, e := range p.events {
		if !who.did(e) {
			continue
		}
		id, due := ids[e.Object.Kind]
		if !due || e.Event != event.ObjectCreate || e.NS.Inode != inode ||
			int(*e.Object.ID) != id || int32(e.Object.Key) != made.Key {
			seen = -1
			break
		}
		delete(ids, e.Object.Kind)
		seen++
	}
	return check("the hooks saw "+name+" make three objects in "+fmt.Sprint(inode), seen == 3,
		"msg %d, shm %d, sem %d, key %v", made.Msg, made.Shm, made.Sem, event.Key(made.Key))
}

// hooksSawEnds: each removed its own, in its own namespace.
func (p *proof) hooksSawEnds(a, b uint64) view.Check {
	byA, byB := 0, 0
	for _, e := range p.ends {
		switch {
		case e.Process == nil:
		case p.a.did(e) && e.NS.Inode == a:
			byA++
		case p.b.did(e) && e.NS.Inode == b:
			byB++
		}
	}
	return check("the hooks saw each remove its own three", byA == 3 && byB == 3 && len(p.ends) == 6,
		"%d by A in %d, %d by B in %d", byA, a, byB, b)
}

// nothingElsewhere: every event is of one of the two, in its own namespace.
func (p *proof) nothingElsewhere(a, b uint64) view.Check {
	wrong := 0
	for _, e := range p.events {
		own := a
		if p.b.did(e) {
			own = b
		}
		if e.NS.Inode != own || !p.a.did(e) && !p.b.did(e) {
			wrong++
		}
	}
	return check("no event in the other's namespace", wrong == 0 && a != b && a != 0 && b != 0,
		"%d of %d events", wrong, len(p.events))
}

// listed: /proc/sysvipc shows want of the objects with this key, by their ids.
func (p *proof) listed(name string, list []sysvipc.Object, made objects, want int) view.Check {
	ids := map[string]int{"msg": made.Msg, "shm": made.Shm, "sem": made.Sem}
	found := withKey(list, made.Key)
	ok := len(found) == want
	for _, o := range found {
		ok = ok && ids[o.Kind] == int(o.ID)
	}
	return check(name, ok, "/proc/sysvipc: %s with key %v", counted(len(found)), event.Key(made.Key))
}

// inodeOf is the IPC namespace of A or B.
func inodeOf(links []nsresolve.Link, ofA bool) uint64 {
	var inode uint64
	for _, l := range links {
		if l.Name != "ipc" {
			continue
		}
		text := l.B
		if ofA {
			text = l.A
		}
		_, _ = fmt.Sscanf(text, "ipc:[%d]", &inode) // 0: no such link, which no check lets pass
	}
	return inode
}

func (p *proof) writeText(w io.Writer, checks []view.Check, color bool) error {
	opts := view.Options{Color: color, Native: nativeABI()}
	fmt.Fprintf(w, "A is process %d, here. B is process %d, in a new IPC namespace. Hooks: %s tier.\n\n",
		p.a.pid(), p.b.pid(), p.tier)
	headers := []string{fmt.Sprintf("A[%d]", p.a.pid()), fmt.Sprintf("B[%d]", p.b.pid())}
	if err := view.Links(w, headers, linkRows(jsonLinks(p.links)), opts); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nB made a queue, a segment and a semaphore set, then A did, with the same key:\n\n")
	if err := view.Table(w, p.inventory, time.Now(), opts); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := view.Checks(w, checks, opts); err != nil {
		return err
	}
	verdict := "proved: what is made in an IPC namespace lands only there"
	if !proved(checks) {
		verdict = "NOT proved: see the checks marked ✗"
	}
	_, err := fmt.Fprintf(w, "\n%s\n", verdict)
	return err
}
