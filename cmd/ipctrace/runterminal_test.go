package main

import (
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestRunTerminal: under a shell with job control the command is a job like any
// other, with the keys of its terminal.
func TestRunTerminal(t *testing.T) {
	kerneltest.NeedRoot(t)
	unchanged(t)
	term := newTerminal(t, 120, 40)
	shell := exec.Command(kerneltest.NeedProgram(t, "bash"), "--norc", "--noediting", "-i")
	shell.Env = append(shell.Environ(), "PS1=> ", "TERM=xterm")
	shell.Stdin, shell.Stdout, shell.Stderr = term.slave, term.slave, term.slave
	shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shell.Process.Kill(); _ = shell.Wait() }()
	at := 0
	// send types keys, and waits until there is something on the terminal since.
	send := func(keys, want string) {
		t.Helper()
		at = len(term.text())
		if _, err := term.master.WriteString(keys); err != nil {
			t.Fatal(err)
		}
		term.awaitAfter(at, want)
	}
	const ctrlC, ctrlZ = "\x03", "\x1a"
	send("ipctrace run -q -- sh -c 'echo r1eady; sleep 100'\n", "\nr1eady")
	send(ctrlC, "sh[")
	send("echo sta''tus $?\n", "status 130")

	send("ipctrace run -q -- sh -c 'echo r2eady; read x; echo got $x'\n", "\nr2eady")
	send(ctrlZ, "Stopped")
	send("fg\n", "ipctrace run")
	send("hello\n", "got hello")
	term.awaitAfter(at, "ended with 0")

	// A shell in it does the same with jobs of its own, and is stopped as a whole.
	send("ipctrace run -q -- bash --norc --noediting -i\n", "> ")
	time.Sleep(500 * time.Millisecond) // its prompt looks like the other's
	send("echo in''ner; sleep 100\n", "inner")
	send(ctrlZ, "Stopped")
	send("kill %1; suspend\n", "Stopped                 ipctrace run")
	send("fg\n", "ipctrace run")
	send("exit 5\n", "ended with 5")
	send("echo sta''tus $?\n", "status 5")
	send("stty size\n", "40 120")
}
