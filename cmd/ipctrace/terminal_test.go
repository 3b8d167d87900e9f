package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal; the test sits at its master.
type terminal struct {
	t             *testing.T
	master, slave *os.File
	columns, rows uint16

	taking sync.Mutex // held: the terminal takes no output

	mu  sync.Mutex
	got bytes.Buffer
}

func newTerminal(t *testing.T, columns, rows uint16) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, master: master, slave: slave}
	term.resize(columns, rows)
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			term.mu.Lock()
			term.got.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
			term.taking.Lock()
			term.taking.Unlock() //nolint:staticcheck // it only waits
		}
	}()
	t.Cleanup(func() {
		slave.Close() // the last writer: then reading ends
		<-read
		master.Close()
	})
	return term
}

func (term *terminal) resize(columns, rows uint16) {
	term.t.Helper()
	term.columns, term.rows = columns, rows
	size := &unix.Winsize{Col: columns, Row: rows}
	if err := unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, size); err != nil {
		term.t.Fatal(err)
	}
}

// full says whether who writes to it has to wait.
func (term *terminal) full() bool {
	term.t.Helper()
	fds := []unix.PollFd{{Fd: int32(term.slave.Fd()), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 300)
	if err != nil && err != unix.EINTR {
		term.t.Fatal(err)
	}
	return n == 0 && err == nil
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return term.got.String()
}

func (term *terminal) await(want string) {
	term.t.Helper()
	term.awaitAfter(0, want)
}

// awaitAfter waits for want behind the first bytes.
func (term *terminal) awaitAfter(first int, want string) {
	term.t.Helper()
	for range 400 {
		if strings.Contains(term.text()[first:], want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	term.t.Fatalf("no %q on the terminal: %q", want, term.text())
}

// questions that programs ask a terminal. Nobody would take the emulated one's answers.
var questions = regexp.MustCompile(`\x1b\[\?\d+\$p`)

// screen is what a person would see now.
func (term *terminal) screen() string {
	seen := vt.NewEmulator(int(term.columns), int(term.rows))
	_, _ = seen.WriteString(questions.ReplaceAllString(term.text(), ""))
	return seen.String()
}

// awaitScreen waits until it shows all texts, and returns it.
func (term *terminal) awaitScreen(texts ...string) string {
	term.t.Helper()
	screen := ""
	for range 400 {
		screen = term.screen()
		missing := slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(screen, text) })
		if !missing {
			return screen
		}
		time.Sleep(50 * time.Millisecond)
	}
	term.t.Fatalf("no %q on the screen:\n%s", texts, screen)
	return ""
}
