package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// tmux is a terminal in which a command runs, as a person would see it. Behind the
// command the shell says its exit status, and stays.
type tmux struct {
	t      *testing.T
	socket string
	dir    string
}

func newTmux(t *testing.T, columns, rows int, command string) *tmux {
	t.Helper()
	kerneltest.NeedProgram(t, "tmux")
	dir, err := os.MkdirTemp("", "ipctrace") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	term := &tmux{t: t, socket: filepath.Join(dir, "tmux"), dir: dir}
	t.Cleanup(func() {
		_ = exec.Command("tmux", "-S", term.socket, "kill-server").Run()
		_ = os.RemoveAll(dir)
	})
	shell := fmt.Sprintf("cd %s; stty -a >before; %s; echo \"status $?\"; stty -a >after; sleep 1000", dir, command)
	term.run("-f", "/dev/null", "new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows), "sh", "-c", shell)
	return term
}

func (term *tmux) run(args ...string) string {
	term.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", term.socket}, args...)...)
	cmd.Env = append(os.Environ(), "TZ=UTC", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TERM=xterm")
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		term.t.Fatalf("tmux %q: %v", args, err)
	}
	return string(out)
}

// screen is what is on it, without spaces at the ends of lines.
func (term *tmux) screen() string {
	term.t.Helper()
	var b strings.Builder
	for l := range strings.Lines(term.run("capture-pane", "-p")) {
		b.WriteString(strings.TrimRight(l, " \n") + "\n")
	}
	return b.String()
}

// keys presses keys, by the names that tmux has for them. Escape with another key behind
// it is that key with Alt: what closes something here is BSpace.
func (term *tmux) keys(names ...string) {
	term.t.Helper()
	for _, name := range names {
		term.run("send-keys", name)
	}
}

func (term *tmux) resize(columns, rows int) {
	term.t.Helper()
	term.run("resize-window", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows))
}

// await waits until all texts are there, and returns the screen then.
func (term *tmux) await(texts ...string) string {
	term.t.Helper()
	return term.awaitThat(fmt.Sprintf("no %q", texts), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

func (term *tmux) awaitThat(wrong string, holds func(screen string) bool) string {
	term.t.Helper()
	screen, ok := term.reaches(holds)
	if !ok {
		term.t.Fatalf("%s on the screen:\n%s", wrong, screen)
	}
	return screen
}

// reaches waits until something holds of the screen, a minute at most.
func (term *tmux) reaches(holds func(screen string) bool) (screen string, ok bool) {
	term.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if screen = term.screen(); holds(screen) {
			return screen, true
		}
	}
	return screen, false
}

// given makes sure that the command has ended with a status, and that the terminal is
// as it was.
func (term *tmux) given(status int) string {
	term.t.Helper()
	screen := term.await(fmt.Sprintf("status %d\n", status))
	before, after := term.settings("before"), ""
	for i := 0; i < 100 && after == ""; i++ { // stty takes a moment
		time.Sleep(20 * time.Millisecond)
		after = term.settings("after")
	}
	if before != after {
		term.t.Errorf("the terminal was\n%s\nand is\n%s", before, after)
	}
	if flags := term.run("display", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"); flags != "0 1 0\n" {
		term.t.Errorf("alternate screen, cursor, mouse: %s", flags)
	}
	return screen
}

// settings of the terminal, without its size.
func (term *tmux) settings(file string) string {
	_, settings, _ := strings.Cut(term.file(file), "\n")
	return settings
}

func (term *tmux) file(name string) string {
	text, err := os.ReadFile(filepath.Join(term.dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		term.t.Fatal(err)
	}
	return string(text)
}

// pid is the process that has the terminal.
func (term *tmux) pid(name string) int {
	term.t.Helper()
	for range 200 {
		shell := strings.TrimSpace(term.run("display", "-p", "#{pane_pid}"))
		out, err := exec.Command("pgrep", "-P", shell, "-x", name).Output()
		if err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
			if err != nil {
				term.t.Fatal(err)
			}
			return pid
		}
		time.Sleep(20 * time.Millisecond)
	}
	term.t.Fatalf("no %s in the terminal", name)
	return 0
}
