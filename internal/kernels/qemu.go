package kernels

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// maxConsole bounds what a guest may print before it is stopped.
const maxConsole = 4 << 20

// machine is how QEMU emulates an architecture.
type machine struct {
	program string
	pkg     string // Debian's package of the program
	args    []string
	cmdline string
}

// machines by architecture. The processor is always emulated, in one thread:
// several emulated processors made kernels 6.18 and 7.2 oops, and /dev/kvm can
// be there, and accept a virtual machine, and still fail in the middle of a boot
// (inside another virtual machine), so nothing is gained by guessing.
var machines = map[string]machine{
	"amd64": {
		program: "qemu-system-x86_64",
		pkg:     "qemu-system-x86",
		args:    []string{"-cpu", "max"},
		cmdline: "console=ttyS0 syscall.x32=y", // Debian builds x32 into its general flavour, and turns it off
	},
	"arm64": {
		program: "qemu-system-aarch64",
		pkg:     "qemu-system-arm",
		args:    []string{"-machine", "virt", "-cpu", "max,pauth-impdef=on"}, // the architected one is slow to emulate
		cmdline: "console=ttyAMA0",
	},
}

// Counting has the guest's clocks count instructions: each that its processor
// executes takes a nanosecond, as CLOCK_MONOTONIC tells, and waiting takes no time
// here. So the same work takes the same time there, whatever this machine does.
var Counting = []string{"-icount", "shift=0,sleep=off"}

// Boot runs a kernel of the given architecture to its end and returns what its
// console said, also when there is an error. more are arguments of the emulator,
// which does not outlive ctx, nor this process.
func Boot(ctx context.Context, arch, kernel, initrd string, more ...string) ([]byte, error) {
	m := machines[arch]
	if _, err := exec.LookPath(m.program); err != nil {
		return nil, fmt.Errorf("no %s: install the package %s", m.program, m.pkg)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	console := &console{full: func() { cancel(errConsoleFull) }}
	cmd := exec.CommandContext(ctx, m.program, append(m.arguments(kernel, initrd), more...)...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.WaitDelay = 5 * time.Second

	// Pdeathsig is sent when the thread that started the child ends: keep it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}

	err := cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("guest stopped: %w", context.Cause(ctx))
	} else if err != nil {
		err = fmt.Errorf("run %s: %w", m.program, err)
	}
	return console.buf.Bytes(), err
}

func (m machine) arguments(kernel, initrd string) []string {
	return append([]string{
		"-accel", "tcg,thread=single", "-smp", "1", "-m", "1024",
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
		"-kernel", kernel, "-initrd", initrd,
		// An oops ends the guest at once, and -no-reboot the emulator with it.
		"-append", strings.Join([]string{m.cmdline, "quiet oops=panic panic=-1"}, " "),
	}, m.args...)
}

var errConsoleFull = errors.New("it printed more than 4 MiB")

// console keeps the first maxConsole bytes written to it.
type console struct {
	buf  bytes.Buffer
	full func()
}

func (c *console) Write(p []byte) (int, error) {
	room := maxConsole - c.buf.Len()
	if room < len(p) {
		c.buf.Write(p[:max(room, 0)])
		c.full()
		return len(p), nil
	}
	return c.buf.Write(p)
}
