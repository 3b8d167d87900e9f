package main

import (
	"fmt"
	"math/rand/v2"

	"golang.org/x/sys/unix"
)

// random makes n calls, of the System V ones half gets, a fifth each removals and
// attaches, and a tenth detaches; with -mq every fifth is one on message queues.
// Keys, names and sizes come from small sets that no other program uses, so that
// objects are found and calls refused; an object is one of the last that the
// thread got, perhaps removed since. Every call is reported.
//
// A thread draws the same at every run: from the seed, its own index and what its
// earlier calls gave. So in a new namespace a thread alone does the same.
func (t *thread) random(seed uint64, n int64) error {
	d := dice{t.source(seed)}
	for range n {
		do := t.randomSysV
		if t.mq && d.oneIn(5) {
			do = t.randomQueue
		}
		if err := do(d); err != nil {
			return err
		}
	}
	return nil
}

type dice struct{ *rand.Rand }

func (d dice) oneIn(n int) bool { return d.IntN(n) == 0 }

// recent is one of the last objects.
func (d dice) recent(ids []int32) int32 {
	const last = 8
	return ids[len(ids)-1-d.IntN(min(last, len(ids)))]
}

func (t *thread) randomSysV(d dice) error {
	kind := kinds[d.IntN(len(kinds))]
	switch what := d.IntN(10); {
	case what < 2 && len(t.got[kind]) > 0:
		t.rmid(kind, d.recent(t.got[kind]))
	case what < 4 && len(t.got["shm"]) > 0:
		t.attach(d.recent(t.got["shm"]))
	case what < 5 && len(t.attached) > 0:
		return t.detach()
	default:
		t.get(d.get(kind))
	}
	return nil
}

func (d dice) get(kind string) Result {
	const keys = 4
	r := Result{Call: kind + "get", Kind: kind, Flags: 0o600}
	if !d.oneIn(5) {
		r.Key = 0x69706300 + int32(d.IntN(keys))
	}
	r.Flags |= []int32{0, unix.IPC_CREAT, unix.IPC_CREAT, unix.IPC_CREAT | unix.IPC_EXCL}[d.IntN(4)]
	switch kind {
	case "shm":
		r.Size = uint64(1 + d.IntN(3*4096))
	case "sem":
		r.NSems = int32(1 + d.IntN(4))
	}
	return r
}

func (t *thread) randomQueue(d dice) error {
	const names, open = 4, 16 // of each user's few
	name := fmt.Sprintf("ipcmaker-%d", d.IntN(names))
	switch what := d.IntN(8); {
	case what < 2:
		t.unlink(name)
	case what < 3 && len(t.queues) > 0:
		return t.send("random")
	case what < 4 && len(t.queues) > 0, len(t.queues) >= open:
		return t.closeQueue()
	default:
		create := []int32{0, unix.O_CREAT, unix.O_CREAT, unix.O_CREAT | unix.O_EXCL}[d.IntN(4)]
		return t.openQueue(Result{
			Name: name, Mode: 0o600, MaxMsg: int64(1 + d.IntN(4)), MsgSize: 64,
			Flags: unix.O_RDWR | unix.O_NONBLOCK | create, // a full queue refuses
		})
	}
	return nil
}
