package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ipctrace/ipctrace/internal/ledger"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// removal is the line that removes an object, "" where none is known.
func removal(o *ledger.Object) string {
	ns, at := o.Place()
	command := ""
	switch obj := &o.Object; obj.Kind {
	case tracer.MQ.String():
		return queueRemoval(ns, at)
	case tracer.Msg.String():
		command = fmt.Sprintf("ipcrm -q %d", *obj.ID)
	case tracer.Shm.String():
		command = fmt.Sprintf("ipcrm -m %d", *obj.ID)
	case tracer.Sem.String():
		command = fmt.Sprintf("ipcrm -s %d", *obj.ID)
	}
	way, ok := wayInto(ns)
	if !ok {
		return ""
	}
	return way + command
}

// queueRemoval removes a queue through the mqueue filesystem of its namespace,
// which has to be mounted for that where it is not at hand. No line can be given
// for a name that a terminal would not show as it is.
func queueRemoval(ns *snapshot.Namespace, at int) string {
	o := &ns.Objects[at]
	way, ok := wayInto(ns)
	if !ok || view.Safe(o.Name, view.Whole) != o.Name {
		return ""
	}
	if file := "/dev/mqueue" + o.Name; way == "" && isQueue(file, o.Inode) {
		return "rm " + quoted(file)
	}
	return way + "unshare -m sh -c " + quoted("mount -t mqueue mqueue /mnt && rm "+quoted("/mnt"+o.Name))
}

// isQueue says whether a file is the queue with that inode number.
func isQueue(file string, inode uint64) bool {
	const mqueueMagic = 0x19800202 // MQUEUE_MAGIC, ipc/mqueue.c
	var st unix.Stat_t
	var fsys unix.Statfs_t
	return unix.Statfs(file, &fsys) == nil && fsys.Type == mqueueMagic && unix.Lstat(file, &st) == nil && st.Ino == inode
}

// wayInto is what runs a command in a namespace: nothing in this program's own.
func wayInto(ns *snapshot.Namespace) (prefix string, ok bool) {
	if own, err := namespaceOf("self"); err == nil && uint64(own) == ns.Inode {
		return "", true
	}
	where := ""
	switch {
	case len(ns.Processes) > 0:
		p := ns.Processes[0]
		where = fmt.Sprintf("/proc/%d/task/%d/ns/ipc", p.PID, p.Threads[0])
		if p.Threads[0] == p.PID {
			where = fmt.Sprintf("/proc/%d/ns/ipc", p.PID)
		}
	case len(ns.Pins) > 0 && ns.Pins[0].Kind == nsresolve.PinMount:
		where = filepath.Join("/proc", strconv.Itoa(ns.Pins[0].PID), "root", ns.Pins[0].Path)
	case len(ns.Pins) > 0:
		where = ns.Pins[0].Path
	}
	if where == "" || view.Safe(where, view.Whole) != where {
		return "", false
	}
	return "nsenter --ipc=" + quoted(where) + " ", true
}

// quoted is text as a word for a shell.
func quoted(text string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-=:@%+,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// cleanUp removes what is left behind and not allowed, and notes of each how that
// went. A namespace is entered once for all that is in it. What processes of the
// command may still use stays.
func cleanUp(r *nsresolve.Resolver, report *runReport) {
	left := report.left
	places := map[*snapshot.Namespace][]int{}
	var order []*snapshot.Namespace
	for i := range left {
		switch ns, _ := left[i].Place(); {
		case left[i].Allowed:
		case report.running > 0:
			left[i].Note = noteRunning
		case places[ns] == nil:
			order = append(order, ns)
			fallthrough
		default:
			places[ns] = append(places[ns], i)
		}
	}
	for _, ns := range order {
		errs, err := removeFrom(r, ns, left, places[ns])
		for n, i := range places[ns] {
			failed := err
			if failed == nil {
				failed = errs[n]
			}
			left[i].Note = outcome(left[i].Object, failed)
		}
	}
}

func outcome(o *ledger.Object, err error) string {
	if err != nil {
		return "not removed: " + err.Error()
	}
	if s := o.Object.State; s != nil && s.Attached != nil && *s.Attached > 0 {
		return noteMarked
	}
	return noteRemoved
}

func removeFrom(r *nsresolve.Resolver, ns *snapshot.Namespace, left []view.Leftover, indices []int) ([]error, error) {
	var f *os.File
	f, err := r.Open(&ns.Namespace)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var objects []sysvipc.Object
	for _, i := range indices {
		_, at := left[i].Place()
		objects = append(objects, ns.Objects[at])
	}
	return sysvipc.Remove(f, objects)
}
