package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/internal/view/screen"
	"golang.org/x/sys/unix"
)

// panicName is a command of this test's that breaks while it has the terminal: what
// draws, or with an argument a goroutine beside it.
const panicName = "ipctrace-panics"

func panics() {
	look := func(func(*screen.Scene)) { panic("it breaks") }
	if len(os.Args) > 1 {
		look = func(func(*screen.Scene)) {}
		time.AfterFunc(time.Second, func() {
			defer screen.GiveBack()
			panic("it breaks")
		})
	}
	s := screen.Open(os.Stdin, os.Stdout, look, screen.Controls{Quit: func() {}}, view.Options{})
	for nothing := inventory.New(inventory.Limits{}); s.Write(&event.Event{Event: event.TraceLost}, nothing) == nil; {
		time.Sleep(10 * time.Millisecond)
	}
	if err := s.Close(); err != nil {
		fmt.Println("closed:", err)
		os.Exit(1)
	}
}

// rootsLog is the log of a session, of which all users are root: others have other
// names on each machine.
func rootsLog(t *testing.T) string {
	t.Helper()
	users := regexp.MustCompile(`"([ug]id)":\d+`)
	return writeFile(t, "log", users.ReplaceAll(readLog(t, sessionLog), []byte(`"$1":0`)))
}

// TestScreenReplay: what a log has is on the screen as it was, wherever keys lead.
func TestScreenReplay(t *testing.T) {
	log := rootsLog(t)
	for _, size := range [][2]int{{60, 15}, {80, 24}, {200, 60}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			term := newTmux(t, size[0], size[1], "ipctrace replay --speed max "+log)
			goldenScreen := func(name, awaited string, keys ...string) {
				t.Helper()
				term.keys(keys...)
				term.await(awaited)
				path := filepath.Join("testdata", "screens", fmt.Sprintf("%s-%dx%d", name, size[0], size[1]))
				if *update {
					time.Sleep(300 * time.Millisecond) // a frame more: it stands still
					if err := os.WriteFile(path, []byte(term.screen()), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got, ok := term.reaches(func(s string) bool { return s == string(want) }); !ok {
					t.Errorf("%s: -want +got:\n%s", name, cmp.Diff(string(want), got))
				}
			}
			goldenScreen("end", "■ max")
			goldenScreen("opened", "▌IPC namespace 4026532765", "a", "G", "Enter") // the one that has ended
			goldenScreen("object", "HISTORY", "d")
			goldenScreen("event", "EVENT, as a log has it", "BSpace", "Tab", "d")
			goldenScreen("help", "KEYS", "BSpace", "?")
			term.keys("BSpace", "q")
			term.given(0)
		})
	}
}

// TestScreenPlays: a log is played, stands, goes back and on, by events and by parts of
// it; at the end it stays until it is ended, and then come the tables.
func TestScreenPlays(t *testing.T) {
	term := newTmux(t, 100, 30, "ipctrace replay --speed 0.01x "+rootsLog(t))
	term.await("▶ 0.01x", "04:33:17")
	term.keys("Space")
	term.await("‖ 0.01x")
	first := term.await("nothing has happened")
	term.keys(".", ".", ".", ".")
	stepped := term.await("born")
	if strings.Contains(first, "born") || stepped == first {
		t.Errorf("no step:\n%s", stepped)
	}
	for range 40 { // to the end, event by event
		term.keys(".")
	}
	term.await("■ 0.01x", "ipcrm")
	term.keys(",", ",", ",")
	back := term.await("‖")
	if strings.Contains(back, "■") {
		t.Errorf("not back:\n%s", back)
	}
	term.keys("Right")
	term.keys("Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left", "Left")
	term.awaitThat("not at the beginning", func(s string) bool {
		return strings.Contains(s, "nothing has happened") && strings.Contains(s, "‖")
	})
	for _, speed := range []string{"0.02x", "0.04x"} {
		term.keys("+")
		term.await(speed)
	}
	term.keys("-")
	term.await("0.02x")
	term.keys("0")
	term.await("1x")
	for range 13 {
		term.keys("+")
	}
	term.await("max")
	term.keys("Space")
	term.await("■ max")
	term.keys("0", "Space") // from the beginning
	term.await("▶ 1x")
	for range 13 {
		term.keys("+")
	}
	term.await("■ max")
	term.keys("q")
	after := term.given(0)
	if !strings.Contains(after, "15 events: ") {
		t.Errorf("no table:\n%s", after)
	}
}

// TestScreenTraces: between two traces of a log the player does not wait a day.
func TestScreenTraces(t *testing.T) {
	var w written
	w.start(clock("12:59:00"), "one", 1)
	w.create(clock("12:59:00"), "first")
	w.killed(clock("23:59:00"))
	w.start(clock("23:59:00"), "one", 1)
	w.create(clock("23:59:01"), "second")
	term := newTmux(t, 100, 30, "ipctrace replay --speed 1x "+writeFile(t, "log", w.text))
	term.await("first[7]", "▶ 1x")
	term.await("second[7]", "■ 1x")
	term.keys("q")
	if after := term.given(0); !strings.Contains(after, "on one · 2026-07-14 23:59:00") {
		t.Error(after)
	}
}

// TestScreenPipe: a log from a pipe is played too, keys come from the terminal; there is
// no way back, and that is told.
func TestScreenPipe(t *testing.T) {
	log := rootsLog(t)
	for name, command := range map[string]string{
		"stdin": "cat " + log + " | ipctrace replay --speed max -",
		"named": "mkfifo pipe; { cat " + log + " >pipe & }; ipctrace replay --speed max pipe",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := newTmux(t, 100, 30, command)
			term.await("■ max", "5 created")
			term.keys("Left")
			term.await("a pipe is read once: there is no way back")
			term.keys("q")
			term.given(0)
		})
	}
}

// TestScreenLines: -o text is lines, also on a terminal.
func TestScreenLines(t *testing.T) {
	term := newTmux(t, 200, 60, "ipctrace replay -o text "+rootsLog(t))
	if got := term.given(0); !strings.Contains(got, "object.create") || strings.Contains(got, "▌") {
		t.Error(got)
	}
}

// TestScreenEnds: whatever ends it, the terminal is as it was.
func TestScreenEnds(t *testing.T) {
	log := rootsLog(t)
	for name, test := range map[string]struct {
		status int
		end    func(*tmux)
	}{
		"q":       {0, func(term *tmux) { term.keys("q") }},
		"Ctrl-C":  {0, func(term *tmux) { term.keys("C-c") }},
		"SIGTERM": {0, func(term *tmux) { _ = syscall.Kill(term.pid("ipctrace"), syscall.SIGTERM) }},
		"SIGINT":  {0, func(term *tmux) { _ = syscall.Kill(term.pid("ipctrace"), syscall.SIGINT) }},
		"SIGQUIT": {0, func(term *tmux) { _ = syscall.Kill(term.pid("ipctrace"), syscall.SIGQUIT) }},
		"SIGHUP":  {0, func(term *tmux) { _ = syscall.Kill(term.pid("ipctrace"), syscall.SIGHUP) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			term := newTmux(t, 80, 24, "ipctrace replay --speed 0.01x "+log)
			term.await("▶ 0.01x")
			test.end(term)
			term.given(test.status)
		})
	}
	t.Run("panic", func(t *testing.T) {
		t.Parallel()
		term := newTmux(t, 80, 24, panicName+" 2>error")
		if got := term.given(1); !strings.Contains(got, "closed: screen: ") || !strings.Contains(term.file("error"), "it breaks") {
			t.Errorf("%s\n%s", got, term.file("error"))
		}
	})
	t.Run("panic beside it", func(t *testing.T) {
		t.Parallel()
		term := newTmux(t, 80, 24, panicName+" beside 2>error")
		if term.given(2); !strings.Contains(term.file("error"), "panic: it breaks") {
			t.Error(term.file("error"))
		}
	})
}

// TestScreenStalls: also a terminal that takes no output any more, as of a connection that
// stalls, does not keep a signal from ending it.
func TestScreenStalls(t *testing.T) {
	term := newTerminal(t, 200, 60)
	before, err := unix.IoctlGetTermios(int(term.slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ipctrace", "replay", "--speed", "0.01x", rootsLog(t))
	cmd.Env = append(os.Environ(), "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.SysProcAttr = term.slave, term.slave, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() }).Stop()
	term.awaitScreen("▶ 0.01x")
	term.taking.Lock()
	for full, written := 0, 0; full < 20; written++ { // often: a little goes into a full one
		if written == 1000 {
			t.Fatal("the terminal takes what it is not asked to")
		}
		if _, err := term.master.WriteString("?\x7f"[written%2:][:1]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // a frame for each key
		if term.full() {
			full++
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "took no output") {
		t.Errorf("%v: %s", cmd.ProcessState, &said)
	}
	after, err := unix.IoctlGetTermios(int(term.slave.Fd()), unix.TCGETS)
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Error(diff, err)
	}
	term.taking.Unlock()
	term.await("\x1b[?1049l")
}

// TestScreenStops: Ctrl-Z gives the terminal to the shell, fg takes it back.
func TestScreenStops(t *testing.T) {
	term := newTmux(t, 80, 24, "bash --norc -i")
	term.keys("ipctrace replay --speed 0.01x "+rootsLog(t), "Enter")
	term.await("▶ 0.01x")
	term.keys("C-z")
	term.await("Stopped")
	if flags := term.run("display", "-p", "#{alternate_on} #{cursor_flag}"); flags != "0 1\n" {
		t.Errorf("stopped: alternate screen, cursor: %s", flags)
	}
	term.keys("fg", "Enter")
	term.await("▌ NAMESPACE", "0.01x")
	term.keys("q")
	term.await("0 events: ")
	term.keys("exit", "Enter")
	term.given(0)
}

// TestScreenSizes: however the terminal is drawn large and small, the screen is right
// when that is over.
func TestScreenSizes(t *testing.T) {
	term := newTmux(t, 80, 24, "ipctrace replay --speed max "+rootsLog(t))
	term.await("■ max", "5 created", "/jobs")
	time.Sleep(300 * time.Millisecond) // a frame more: it stands still
	want := term.screen()
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		term.resize(1+random.IntN(250), 1+random.IntN(80))
	}
	term.resize(80, 24)
	term.awaitThat("not\n"+want, func(s string) bool { return s == want })
	term.keys("q")
	term.given(0)
}

// TestScreenLive: what is made is on the screen, whatever it calls itself; the filter,
// the pause, and all that stays when it is over.
func TestScreenLive(t *testing.T) {
	kerneltest.NeedRoot(t)
	term := newTmux(t, 120, 40, "ipctrace live")
	term.await("▸ 4026531839")
	runMaker(t, 64, "-unshare", "-comm", "\x1b]0;owned\a", "msgget:0x42:03600", "msgget:0x43:03600", "keep")
	term.await(`\x1b]0;owned\x07[`)
	term.keys("/", "comm=nobody", "Enter")
	term.await("filter: comm=nobody", "nothing has happened so far that the filter means")
	term.keys("/", "C-u", "Enter")
	term.await(`\x1b]0;owned\x07[`)
	term.keys("p")
	term.await("PAUSED, 0 events since")
	runMaker(t, 64, "-unshare", "-comm", "during", "msgget:0x44:03600")
	paused := term.awaitThat("nothing is told to have happened", func(s string) bool {
		return strings.Contains(s, "PAUSED, ") && !strings.Contains(s, "PAUSED, 0 events")
	})
	if strings.Contains(paused, "during[") {
		t.Errorf("not paused:\n%s", paused)
	}
	term.keys("p")
	term.await("during[")
	if title := term.run("display", "-p", "#{pane_title}"); strings.Contains(title, "owned") {
		t.Errorf("a name reached the terminal: %q", title)
	}
	term.resize(60, 15)
	term.await("▸ 4026531839")
	term.keys("C-c")
	if after := term.given(0); !strings.Contains(after, "0 lost") {
		t.Errorf("no totals:\n%s", after)
	}
}

// TestKernelScreen: on each kernel and in each tier the screen shows what is made, by
// whatever name, side by side with what has the same key elsewhere; and the terminal is
// given back.
func TestKernelScreen(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, tier := range kerneltest.Tiers() {
		t.Run(tier.String(), func(t *testing.T) {
			term := newTerminal(t, 110, 30)
			cmd := exec.Command("ipctrace", "live", "--hooks", tier.String(), "--no-host")
			cmd.Env = append(os.Environ(), "TERM=xterm")
			cmd.Stdin, cmd.SysProcAttr = term.slave, &syscall.SysProcAttr{Setsid: true, Setctty: true}
			s := beginCmd(t, cmd, term.slave)
			term.awaitScreen("▌ NAMESPACE")
			for range 2 { // one after the other: hooks that interrupt each other miss some
				holdMaker(t, "-comm", "\x1b]0;owned\a", "msgget:0x42:03600")
			}
			term.awaitScreen(`\x1b]0;owned\x07[`, "≠ msg")
			if _, err := term.master.WriteString("/comm=nobody\r"); err != nil { // as typed
				t.Fatal(err)
			}
			term.awaitScreen("filter: comm=nobody")
			if _, err := term.master.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
			if status := s.status(); status != 0 {
				t.Errorf("exit status %d: %s", status, s.stderr)
			}
			_, after, left := strings.Cut(term.text(), "\x1b[?1049l")
			if !left || !strings.Contains(after, "2 created") && !strings.Contains(after, "1 created") || !strings.Contains(term.text(), "\x1b[?25h") {
				t.Errorf("after the screen: %q", after)
			}
			if strings.Contains(term.text(), "\x1b]0;owned") {
				t.Error("a name reached the terminal")
			}
		})
	}
}

// TestScreenFlood: while events come as fast as they can, keys are answered, and when
// it is over the account is right.
func TestScreenFlood(t *testing.T) {
	kerneltest.NeedRoot(t)
	term := newTmux(t, 100, 30, "ipctrace live --comm flood --buffer 64M")
	term.await("no IPC namespace")
	const calls = 200_000
	flood := exec.Command(kerneltest.Maker64(t), "-unshare", "-comm", "flood", "-threads", "2", "-repeat", itoa(calls/2), "msgget:7:01600")
	if err := flood.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- flood.Wait() }()
	for more := true; more; {
		term.keys("?")
		term.await("KEYS")
		term.keys("BSpace", "j", "s", "Tab", "S", "k")
		term.await("▌")
		select {
		case err := <-ended:
			if err != nil {
				t.Fatal(err)
			}
			more = false
		default:
		}
	}
	term.keys("q")
	after := term.given(0)
	totals := regexp.MustCompile(`(\d+) events: .* (\d+) lost`).FindStringSubmatch(strings.ReplaceAll(after, "\n", " "))
	if totals == nil {
		t.Fatalf("no totals:\n%s", after)
	}
	var told, lost int
	if _, err := fmt.Sscan(strings.Join(slices.Clone(totals[1:]), " "), &told, &lost); err != nil {
		t.Fatal(err)
	}
	if told+lost < calls {
		t.Errorf("%d told and %d lost, of %d calls and more", told, lost, calls)
	}
}
