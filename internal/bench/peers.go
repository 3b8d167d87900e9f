package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// peers are the tools that could be used instead.
type peers struct{ bpftrace, perf, strace peerTool }

type peerTool struct {
	path    string
	version string
	err     error // why it cannot be run
}

func findPeers() peers {
	return peers{
		bpftrace: findPeer("bpftrace", os.Getenv("BPFTRACE"), "--version"),
		perf:     findPeer("perf", "", "--version"),
		strace:   findPeer("strace", "", "--version"),
	}
}

func findPeer(name, path, versionFlag string) peerTool {
	var p peerTool
	if path == "" {
		path = name
	}
	if p.path, p.err = exec.LookPath(path); p.err != nil {
		p.err = fmt.Errorf("there is no %s: install it", path)
		return p
	}
	out, err := exec.Command(p.path, versionFlag).Output()
	if err != nil {
		p.err = fmt.Errorf("%s %s: %w", path, versionFlag, err)
		return p
	}
	p.version = firstLine(out)
	return p
}

// peer is the role that a peer is run by: in a mount namespace of its own, with
// tracefs where the machine has not mounted it.
func peer(argv []string) error {
	const tracefs = "/sys/kernel/tracing"
	if _, err := os.Stat(tracefs + "/events"); err != nil {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("make mount namespace: %w", err)
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("keep mounts private: %w", err)
		}
		if err := unix.Mount("tracefs", tracefs, "tracefs", 0, ""); err != nil {
			return fmt.Errorf("mount tracefs: %w", err)
		}
	}
	return unix.Exec(argv[0], argv, os.Environ())
}

// inRole is the command that has this program play a role.
func inRole(role string, args ...string) ([]string, error) {
	self, err := os.Executable()
	return append([]string{self, role}, args...), err
}

// script is what ipctrace tells of a call at least: who, in which namespace, and
// what came of it.
const script = `tracepoint:syscalls:sys_exit_msgget {
	printf("%d %s %u %d\n", pid, comm, ((struct task_struct *)curtask)->nsproxy->ipc_ns->ns.inum, args->ret);
}`

// bpftrace has do happen while bpftrace prints into a file on the disk, and yields
// how many calls it said it lost, and how many are in the file.
func (b *bench) bpftrace(ctx context.Context, do func(*tool) error) (lost, printed int, err error) {
	if b.peers.bpftrace.err != nil {
		return 0, 0, b.peers.bpftrace.err
	}
	file, remove := b.scratch("bpftrace.out")
	defer remove()
	argv, err := inRole("peer", b.peers.bpftrace.path, "-o", file, "-e", script)
	if err != nil {
		return 0, 0, err
	}
	t, err := startTool(ctx, "", nil, argv...)
	if err != nil {
		return 0, 0, err
	}
	t.name = "bpftrace"
	if err := t.poked(file); err != nil {
		return 0, 0, err
	}
	time.Sleep(settle)
	err = errors.Join(do(t), t.stop())
	if err != nil {
		return 0, 0, err
	}
	out, err := os.Open(file)
	if err != nil {
		return 0, 0, err
	}
	defer out.Close()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		return 0, 0, err
	}
	return parseBpftrace(io.MultiReader(out, strings.NewReader(t.said.String())), strings.TrimSpace(string(comm)))
}

// poked calls msgget until the tool writes of it: so it is known to be attached.
// It writes a buffer at a time, so that is many calls.
func (t *tool) poked(file string) error {
	const sure = 2000 // bytes: more than what it says before
	const somewhere = 0x7fffff31
	for time.Since(t.began) < patience {
		for range 100 {
			_, _, _ = unix.RawSyscall(unix.SYS_MSGGET, somewhere, 0, 0)
		}
		if info, err := os.Stat(file); err == nil && info.Size() > sure {
			t.ready = time.Since(t.began)
			return nil
		}
		if t.ended() {
			return t.failed("ended")
		}
		time.Sleep(time.Millisecond)
	}
	return t.failed(fmt.Sprintf("was not attached after %v", patience))
}

var lostLine = regexp.MustCompile(`[Ll]ost (\d+) events`)

// parseBpftrace sums what bpftrace says it lost, and counts the calls that it
// prints of producers: they are of this program's name, and lead somewhere.
func parseBpftrace(r io.Reader, comm string) (lost, printed int, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if m := lostLine.FindSubmatch(lines.Bytes()); m != nil {
			n, err := strconv.Atoi(string(m[1]))
			if err != nil {
				return 0, 0, err
			}
			lost += n
			continue
		}
		if f := strings.Fields(lines.Text()); len(f) == 4 && f[1] == comm && !strings.HasPrefix(f[3], "-") {
			printed++
		}
	}
	return lost, printed, lines.Err()
}
