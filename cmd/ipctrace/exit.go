package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"unicode"

	"github.com/ipctrace/ipctrace/internal/view"
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

func (u usageError) Unwrap() error { return u.error }

func usage(err error) error { return usageError{err} }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// refusal is of the value of a flag. In serve's configuration keys are called like
// flags, and there it is told by its place.
type refusal struct {
	flag string
	why  error
}

func (r refusal) Error() string { return "--" + r.flag + r.why.Error() }

func (r refusal) Unwrap() error { return r.why }

// refused refuses one; the format goes on behind its name.
func refused(flag, format string, args ...any) error {
	return usage(refusal{flag, fmt.Errorf(format, args...)})
}

// exit says what went wrong, once, and gives the exit status.
func exit(command *cobra.Command, args []string, err error, stderr io.Writer) int {
	var wrong usageError
	var status commandStatus
	if errors.As(err, &status) {
		if text := err.Error(); text != "" { // it was not started
			fmt.Fprintf(stderr, "ipctrace: %s\n", printable(text))
		}
		return int(status)
	}
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE), errors.Is(err, context.Canceled):
		return exitDone
	case errors.Is(err, errFinding):
		return exitFinding
	case errors.As(err, &wrong), errors.Is(err, tracer.ErrConfig):
		fmt.Fprintf(stderr, "ipctrace: %s\nTry \"%s --help\".\n", printable(err.Error()), command.CommandPath())
		return exitUsage
	case isCannot(err):
		tellCannot(stderr, err, here(args))
		return exitCannot
	default:
		fmt.Fprintf(stderr, "ipctrace: %s\n", printable(err.Error()))
		return exitFinding
	}
}

// printable keeps what words of the command line or names of files may hold off
// the terminal.
func printable(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		return view.Safe(text, view.Whole)
	}
	return text
}

// noArgs refuses arguments by name.
func noArgs(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if command.HasSubCommands() {
		return usagef("unknown command %q%s", args[0], didYouMean(args[0], commandNames(command)))
	}
	return usagef("%s takes no arguments: %q", command.CommandPath(), args[0])
}

func commandNames(c *cobra.Command) (names []string) {
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			names = append(names, sub.Name())
		}
	}
	return names
}
