package main

import (
	"os/exec"
	"strconv"
	"strings"
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
	defer func() { // all that has the terminal open
		_ = exec.Command(kerneltest.NeedProgram(t, "pkill"), "-KILL", "-s", strconv.Itoa(shell.Process.Pid)).Run()
		_ = shell.Wait()
	}()
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
	// ask does the same, and waits for the prompt behind that: what is typed before
	// the shell has its terminal back is lost.
	ask := func(keys, want string) {
		t.Helper()
		send(keys, want)
		for range 400 {
			if strings.HasSuffix(term.text(), "> ") {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("no prompt: %q", term.text())
	}
	const ctrlC, ctrlZ = "\x03", "\x1a"
	ask("\n", "> ")
	// dash heeds no Ctrl-C between its words and the start of what comes then.
	send("ipctrace run -q -- sh -c 'echo r1eady; cat'\n", "\nr1eady")
	send("cat runs\n", "cat runs\r\ncat runs")
	ask(ctrlC, "sh[")
	ask("echo sta''tus $?\n", "status 130")

	send("ipctrace run -q -- sh -c 'echo r2eady; read x; echo got $x'\n", "\nr2eady")
	ask(ctrlZ, "Stopped")
	send("fg\n", "ipctrace run")
	send("hello\n", "got hello")
	term.awaitAfter(at, "ended with 0")
	ask("\n", "> ")

	// It is told of the size of the window, as it is in the foreground.
	send("ipctrace run -q -- sh -c 'trap \"stty size; exit 3\" WINCH; echo r3eady; while :; do sleep 0.05; done'\n", "\nr3eady")
	term.resize(100, 30)
	term.awaitAfter(at, "\n30 100")
	term.awaitAfter(at, "ended with 3")
	ask("echo sta''tus $?\n", "status 3")
	term.resize(120, 40)

	// A shell in it does the same with jobs of its own, and is stopped as a whole.
	ask("ipctrace run -q -- bash --norc --noediting -i\n", "attached")
	send("sh -c \"echo in''ner; sleep 100\"\n", "inner") // says so when the terminal is its own
	ask(ctrlZ, "Stopped")
	// wait alone takes it for stopped, where it has not heard yet that it is dead.
	ask("kill -KILL %1; while [ -n \"$(jobs -s)\" ]; do sleep 0.05; done; echo wait''ed\n", "waited")
	ask("suspend\n", "Stopped                 ipctrace run")
	send("fg\n", "ipctrace run")
	time.Sleep(500 * time.Millisecond) // it says nothing when it goes on
	ask("exit 5\n", "ended with 5")
	ask("echo sta''tus $?\n", "status 5")
	ask("stty size\n", "40 120")
}
