package main

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// get makes one of the get calls, which r names.
func (t *thread) get(r Result) {
	key, flags := int(r.Key), int(r.Flags)
	var id uintptr
	var errno syscall.Errno
	switch r.Kind {
	case "msg":
		id, errno = t.invoke(r.Call, key, flags)
	case "shm":
		id, errno = t.invoke(r.Call, key, int(r.Size), flags)
	case "sem":
		id, errno = t.invoke(r.Call, key, int(r.NSems), flags)
	}
	r.ID = -1
	if errno == 0 {
		r.ID = int32(id)
		t.got[r.Kind] = append(t.got[r.Kind], r.ID)
		if r.Key == unix.IPC_PRIVATE || r.Flags&unix.IPC_CREAT != 0 {
			t.made = append(t.made, object{kind: r.Kind, id: r.ID, ns: t.ns})
		}
	}
	t.report(r, errno)
}

func (t *thread) rmid(kind string, id int32) {
	cmd := unix.IPC_RMID
	if t.ipc64 {
		cmd |= 0x100 // IPC_64: include/uapi/linux/ipc.h
	}
	errno := t.control(kind, id, cmd)
	if errno == 0 {
		t.forget(object{kind: kind, id: id})
	}
	t.report(Result{Call: kind + "ctl", Kind: kind, ID: id, Flags: int32(cmd)}, errno)
}

func (o *options) control(kind string, id int32, cmd int) syscall.Errno {
	args := []any{int(id), cmd}
	if kind == "sem" {
		args = []any{int(id), 0, cmd} // the semaphore's number
	}
	_, errno := o.invoke(kind+"ctl", args...)
	return errno
}

func (t *thread) attach(id int32) {
	address, errno := t.invoke("shmat", int(id), 0, 0)
	if errno != 0 {
		address = 0
	} else {
		t.attached = append(t.attached, segment{id, address})
	}
	t.report(Result{Call: "shmat", Kind: "shm", ID: id, Address: uint64(address)}, errno)
}

func (t *thread) detach() error {
	last := len(t.attached) - 1
	if last < 0 {
		return errors.New("nothing is attached: attach first")
	}
	s := t.attached[last]
	_, errno := t.invoke("shmdt", s.address)
	if errno == 0 {
		t.attached = t.attached[:last]
	}
	t.report(Result{Call: "shmdt", Kind: "shm", ID: s.id, Address: uint64(s.address)}, errno)
	return nil
}

func (t *thread) unmap(size int) error {
	last := len(t.attached) - 1
	if last < 0 {
		return errors.New("nothing is attached: attach first")
	}
	s := t.attached[last]
	_, errno := t.invoke("munmap", s.address, size)
	if errno == 0 {
		t.attached = t.attached[:last]
	}
	t.report(Result{Call: "munmap", Kind: "shm", ID: s.id, Address: uint64(s.address), Size: uint64(size)}, errno)
	return nil
}
