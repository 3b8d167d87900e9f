package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/tracer"
)

// errCannot is wrapped by what privileges other than the tracer's forbid.
var errCannot = errors.New("not permitted")

// errNoSysVIPC: there is nothing to isolate.
var errNoSysVIPC = errors.New("this kernel has no System V IPC (CONFIG_SYSVIPC)")

// causes are those for which this kernel or these privileges cannot.
var causes = []error{
	tracer.ErrPrivilege, tracer.ErrMemlock, tracer.ErrNoBTF, tracer.ErrNoHooks, sysvipc.ErrPrivilege,
	errCannot, errNoSysVIPC, errUnseen,
}

func isCannot(err error) bool {
	return slices.ContainsFunc(causes, func(cause error) bool { return errors.Is(err, cause) })
}

// circumstances are what it depends on which command mends what cannot be.
type circumstances struct {
	program     string   // as it was called
	args        []string // it was given
	path        string   // the file of the program
	root        bool
	initialUser bool // it is in the initial user namespace
	sudo        bool // there is one
}

// here are those of this process.
func here(args []string) circumstances {
	user, err := os.Readlink("/proc/self/ns/user")
	path, _ := os.Executable()
	_, noSudo := exec.LookPath("sudo")
	return circumstances{
		program: os.Args[0], args: args, path: path, root: os.Geteuid() == 0,
		initialUser: err != nil || user == initialUserNamespace, sudo: noSudo == nil,
	}
}

// command is a line for a shell that does the same.
func (c circumstances) command() string {
	words := []string{c.program}
	for _, arg := range c.args {
		words = append(words, quoted(arg))
	}
	return strings.Join(words, " ")
}

// tellCannot says why something cannot be, what mends it, and who says more.
func tellCannot(w io.Writer, err error, c circumstances) {
	fmt.Fprintf(w, "ipctrace: %s\n", printable(err.Error()))
	for _, line := range c.mends(err) {
		fmt.Fprintf(w, "Try: %s\n", printable(line))
	}
	fmt.Fprintln(w, `"ipctrace doctor" says what this machine lets it see.`)
}

// mends are commands after which it can be, each with when it is the one.
func (c circumstances) mends(err error) []string {
	const config = "=y' /boot/config-$(uname -r) # this kernel was built without: boot one that says so"
	switch {
	case errors.Is(err, tracer.ErrNoBTF):
		return []string{"grep '^CONFIG_DEBUG_INFO_BTF" + config}
	case errors.Is(err, errNoSysVIPC):
		return []string{"grep '^CONFIG_SYSVIPC" + config}
	case errors.Is(err, fs.ErrNotExist):
		return []string{c.asRoot("mount -t proc proc /proc")}
	case errors.Is(err, tracer.ErrMemlock):
		return []string{"ulimit -l unlimited && " + c.command()}
	case errors.Is(err, errUnseen):
		return []string{c.program + " prove --hooks syscall # do the other hooks see it?"}
	case errors.Is(err, tracer.ErrNoHooks):
		return []string{c.program + " doctor # tries each hook, and says why it does not attach"}
	}
	return c.rights(errors.Is(err, tracer.ErrPrivilege))
}

// rights are the ways to those that lack; for hooks a file's will do.
func (c circumstances) rights(hooks bool) []string {
	switch {
	case !c.initialUser:
		return []string{c.command() + " # outside of this user namespace: on the host, or in a privileged container (docker run --privileged --pid=host)"}
	case c.root:
		return []string{c.command() + " # with more capabilities: on the host, or in a privileged container (docker run --privileged --pid=host)"}
	}
	lines := []string{c.asRoot(c.command())}
	if hooks {
		lines = append(lines, c.asRoot("setcap "+hookCapabilities+"+ep "+quoted(c.path))+" # from then on for whoever may execute it")
	}
	return lines
}

// hookCapabilities are those without which no hook can be loaded, as setcap(8) has them.
const hookCapabilities = "cap_bpf,cap_perfmon"

func (c circumstances) asRoot(command string) string {
	if c.sudo {
		return "sudo " + command
	}
	return "su -c " + quoted(command)
}
