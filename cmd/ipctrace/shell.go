package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// proveShell lets the user do the walk-through: a shell in a new IPC namespace,
// and the events of the whole machine between its lines.
func proveShell(c *cobra.Command, tier tracer.Tier) error {
	stderr := c.ErrOrStderr()
	t, err := openTrace(c.Context(), tracer.Config{Tier: tier}, stream.Filter{}, container.Sockets{}, stderr)
	if err != nil {
		return err
	}
	defer t.Close()
	shell, ns, err := startShell(c)
	if err != nil {
		return err
	}
	defer ns.Close()
	links, err := t.resolver.Diff(os.Getpid(), shell.Process.Pid)
	if err != nil {
		return errors.Join(err, shell.Process.Kill(), shell.Wait())
	}
	opts := view.Options{Color: colored(c.Flags(), stderr), Native: nativeABI()}
	fmt.Fprintf(stderr, "ipctrace: this shell is in the new IPC namespace %d; leave it with exit or Ctrl-D\n", inodeOf(links, false))

	sink := t.lineSink(stderr, opts)
	if err := sink.lines.Header(); err != nil {
		return errors.Join(err, shell.Process.Kill(), shell.Wait())
	}
	tracing, end := context.WithCancelCause(context.WithoutCancel(c.Context()))
	var followed error
	var wg sync.WaitGroup
	wg.Go(func() { followed = t.follow(tracing, 0, sink) })
	// To end this program is to end the shell, as if its terminal went away.
	defer context.AfterFunc(c.Context(), func() { _ = shell.Process.Signal(syscall.SIGHUP) })()
	_ = shell.Wait() // how the shell ended is the user's business
	inside, readErr := sysvipc.Read(ns)
	end(errWork)
	wg.Wait()
	if err := errors.Join(followed, readErr); err != nil {
		return err
	}
	return t.shellVerdict(c, links, inside.Objects, opts)
}

// startShell starts the user's shell, and opens its namespace: it stays to be
// looked into when the shell has ended.
func startShell(c *cobra.Command) (*exec.Cmd, *os.File, error) {
	path := os.Getenv("SHELL")
	if path == "" {
		path = "/bin/sh"
	}
	shell := exec.Command(path)
	shell.Stdin, shell.Stdout, shell.Stderr = c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr()
	shell.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWIPC}
	err := shell.Start()
	if errors.Is(err, unix.EPERM) {
		return nil, nil, fmt.Errorf("%w: a new IPC namespace needs CAP_SYS_ADMIN: run with sudo", errCannot)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", path, err)
	}
	// The terminal's signals are for the shell and what runs in it. Ignored only
	// now: the shell would inherit it.
	signal.Ignore(os.Interrupt, syscall.SIGQUIT, syscall.SIGTSTP)
	ns, err := openNamespace(shell.Process.Pid)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s ended at once: give it a terminal, or something to read", path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, shell.Process.Kill(), shell.Wait())
	}
	return shell, ns, nil
}

func (t *trace) shellVerdict(
	c *cobra.Command, links []nsresolve.Link, inside []sysvipc.Object, opts view.Options,
) error {
	w := c.OutOrStdout()
	opts.Color = colored(c.Flags(), w)
	fmt.Fprintln(w)
	if err := t.summary(w, opts); err != nil {
		return err
	}
	fmt.Fprintln(w)
	checks := []view.Check{
		differInIPC(links),
		seenMade(t.inventory, inodeOf(links, false), inside),
		nothingLost(t.tracer.Tier(), t.tracer.Stats()),
	}
	if err := view.Checks(w, checks, opts); err != nil {
		return err
	}
	if !proved(checks) {
		return errFinding
	}
	return nil
}

// seenMade: what the shell's namespace holds at its end, the hooks saw come to
// be in that namespace, and in no other.
func seenMade(inv *inventory.Inventory, inode uint64, inside []sysvipc.Object) view.Check {
	type object struct {
		kind string
		id   int32
	}
	unseen := map[object]bool{}
	for _, o := range inside {
		if o.Kind != "mq" { // which is not in /proc/sysvipc
			unseen[object{o.Kind, o.ID}] = true // not the key: a segment that waits for its last detach has lost it
		}
	}
	listed := len(unseen)
	for _, ns := range inv.Namespaces() {
		if ns.Inode != inode {
			continue
		}
		for _, o := range append(ns.Objects(), ns.Gone()...) {
			if o.LastUser != nil { // else a look saw it, not the hooks
				delete(unseen, object{o.Kind, o.ID})
			}
		}
	}
	return check("every object in the shell's namespace was seen there", len(unseen) == 0,
		"/proc/sysvipc in %d: %s, %d not seen", inode, counted(listed), len(unseen))
}
