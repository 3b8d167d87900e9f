// Package sysvipc reads the kernel's own list of System V IPC objects, in any
// IPC namespace: the second witness to what the hooks saw.
package sysvipc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Object is a line of /proc/sysvipc.
type Object struct {
	Kind string // "msg" "shm" "sem"
	Key  int32
	ID   int32
}

// Kinds are the files of /proc/sysvipc.
var Kinds = []string{"msg", "shm", "sem"}

// ErrPrivilege: looking into a namespace takes CAP_SYS_ADMIN in the user
// namespace that owns it, and in one's own.
var ErrPrivilege = errors.New("looking into an IPC namespace needs CAP_SYS_ADMIN: run with sudo")

// Read lists the objects of the IPC namespace that ns, an open
// /proc/PID/ns/ipc, stands for.
//
// /proc/sysvipc shows the namespace of whoever opens it, whatever /proc it is
// opened through. So a thread of its own moves into the namespace, and is thrown
// away afterwards.
func Read(ns *os.File) ([]Object, error) {
	var objects []Object
	err := onThread(func() error {
		err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWIPC)
		if errors.Is(err, unix.EPERM) {
			return ErrPrivilege
		}
		if err != nil {
			return fmt.Errorf("enter %s: %w", ns.Name(), err)
		}
		objects, err = Here()
		return err
	})
	return objects, err
}

// onThread runs f on a thread that ends with it. Not on the main thread: that
// one cannot end, and /proc/self/ns is about it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			done <- f() // never unlocked: the thread ends
			return
		}
		done <- onThread(f) // while this goroutine sits on the main thread
		runtime.UnlockOSThread()
	}()
	return <-done
}

// Here lists the objects of the calling thread's own IPC namespace. The error is
// fs.ErrNotExist on a kernel without System V IPC.
func Here() ([]Object, error) {
	var objects []Object
	for _, kind := range Kinds {
		f, err := os.Open("/proc/sysvipc/" + kind)
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		of, err := Parse(f, kind)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("list objects of %s: %w", kind, err)
		}
		objects = append(objects, of...)
	}
	return objects, nil
}

// Parse reads a file of /proc/sysvipc: a line of names, then a line an object,
// which begins with key and id.
func Parse(r io.Reader, kind string) ([]Object, error) {
	var objects []Object
	lines := bufio.NewScanner(r)
	for first := true; lines.Scan(); first = false {
		fields := strings.Fields(lines.Text())
		if first || len(fields) == 0 {
			continue
		}
		if len(fields) < 2 {
			return nil, fmt.Errorf("line %q: want a key and an id", lines.Text())
		}
		key, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		id, err := strconv.ParseInt(fields[1], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("id: %w", err)
		}
		objects = append(objects, Object{Kind: kind, Key: int32(key), ID: int32(id)})
	}
	return objects, lines.Err()
}
