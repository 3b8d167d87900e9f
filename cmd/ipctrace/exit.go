package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
)

// Exit statuses.
const (
	exitDone    = 0
	exitFinding = 1 // what was looked at is not as it should be; or the work broke off
	exitUsage   = 2
	exitCannot  = 3 // this kernel or these privileges cannot
)

// errFinding ends a command that has already said what it found.
var errFinding = errors.New("finding")

// usageError is a word of the command line that cannot be taken.
type usageError struct{ error }

func usage(err error) error { return usageError{err} }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exit says what went wrong, once, and gives the exit status.
func exit(command *cobra.Command, err error, stderr io.Writer) int {
	var wrong usageError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return exitDone
	case errors.Is(err, errFinding):
		return exitFinding
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "ipctrace: %v\nTry \"%s --help\".\n", wrong.error, command.CommandPath())
		return exitUsage
	case errors.Is(err, tracer.ErrPrivilege), errors.Is(err, tracer.ErrNoBTF), errors.Is(err, tracer.ErrNoHooks),
		errors.Is(err, errCannot):
		fmt.Fprintf(stderr, "ipctrace: %v\n\"ipctrace doctor\" says what this machine lets it see.\n", err)
		return exitCannot
	default:
		fmt.Fprintf(stderr, "ipctrace: %v\n", err)
		return exitFinding
	}
}

// errCannot is wrapped by what privileges other than the tracer's forbid.
var errCannot = errors.New("not permitted")

// noArgs refuses arguments by name.
func noArgs(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if command.HasSubCommands() {
		return usagef("unknown command %q", args[0])
	}
	return usagef("%s takes no arguments: %q", command.CommandPath(), args[0])
}
