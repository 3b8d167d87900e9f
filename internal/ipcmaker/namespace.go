package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func (t *thread) newNamespace() error {
	_, errno := t.invoke("unshare", unix.CLONE_NEWIPC)
	if err := t.locate(); err != nil {
		return err
	}
	t.report(Result{Call: "unshare", ID: -1, Flags: unix.CLONE_NEWIPC}, errno)
	t.ended = errno != 0 // the rest is not meant for this namespace
	return nil
}

func (t *thread) enterPath(path string, nstype int32) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer unix.Close(fd)
	return t.enter(fd, nstype, path)
}

func (t *thread) enterProcess(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd: %w", err)
	}
	defer unix.Close(fd)
	return t.enter(fd, unix.CLONE_NEWIPC, "")
}

func (t *thread) enter(fd int, nstype int32, path string) error {
	_, errno := t.invoke("setns", fd, int(nstype))
	if err := t.locate(); err != nil {
		return err
	}
	t.report(Result{Call: "setns", ID: -1, FD: fd, Flags: nstype, Path: path}, errno)
	t.ended = errno != 0
	return nil
}
