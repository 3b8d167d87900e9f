package sysvipc

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits are how much a namespace may hold of what, and how much it does: at the
// limit a get call fails with ENOSPC.
type Limits struct {
	SHMMNI    Limit // segments
	SHMALL    Limit // pages of all segments, each rounded up
	MSGMNI    Limit // queues
	SEMMNI    Limit // semaphore sets
	SEMMNS    Limit // semaphores of all sets
	QueuesMax Limit // POSIX queues. The kernel counts also those that are unlinked and still open
}

// Limit is one of them.
type Limit struct {
	Used, Max uint64
	Known     bool // false: Used or Max could not be found out
}

// limits counts the objects, and reads what the calling thread's namespace may
// hold.
func limits(objects []Object) Limits {
	var l Limits
	for _, o := range objects {
		switch o.Kind {
		case "msg":
			l.MSGMNI.Used++
		case "shm":
			l.SHMMNI.Used++
			l.SHMALL.Used += pages(o.Size)
		case "sem":
			l.SEMMNI.Used++
			l.SEMMNS.Used += uint64(o.NSems)
		case "mq":
			l.QueuesMax.Used++
		}
	}
	sem := sysctl("kernel/sem") // semmsl semmns semopm semmni
	l.SHMMNI.most(sysctl("kernel/shmmni"), 0)
	l.SHMALL.most(sysctl("kernel/shmall"), 0)
	l.MSGMNI.most(sysctl("kernel/msgmni"), 0)
	l.SEMMNI.most(sem, 3)
	l.SEMMNS.most(sem, 1)
	l.QueuesMax.most(sysctl("fs/mqueue/queues_max"), 0)
	return l
}

// pages is what the kernel counts for a segment, of huge pages too: newseg in
// ipc/shm.c.
func pages(size uint64) uint64 {
	page := uint64(os.Getpagesize())
	n := size / page
	if size%page > 0 {
		n++
	}
	return n
}

// most takes one of the numbers, if it is there. A negative one lets nothing be
// made, like 0: newary in ipc/sem.c, ipc_addid in ipc/util.c.
func (l *Limit) most(numbers []string, place int) {
	if place >= len(numbers) {
		return
	}
	var err error
	if strings.HasPrefix(numbers[place], "-") {
		_, err = strconv.ParseInt(numbers[place], 10, 64)
	} else {
		l.Max, err = strconv.ParseUint(numbers[place], 10, 64)
	}
	l.Known = err == nil
}

// sysctl is the numbers in a file of /proc/sys, which shows the namespace of the
// thread that opens it. By bare system calls: os.File would try to poll it.
func sysctl(file string) []string {
	fd, err := unix.Open("/proc/sys/"+file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var text [128]byte // four numbers
	n, err := unix.Read(fd, text[:])
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[:n]))
}
