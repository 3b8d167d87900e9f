package screen

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/view"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
}

var start = time.Date(2026, 7, 14, 7, 46, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return start.Add(time.Duration(seconds * float64(time.Second)))
}

func options() view.Options {
	return view.Options{Native: "x86_64", Location: time.UTC, Users: &view.Users{Lookup: func(uid string) (*user.User, error) {
		if uid == "0" {
			return &user.User{Uid: uid, Username: "ro\x1b[31mot"}, nil
		}
		return nil, errors.New("unknown user")
	}}}
}

var (
	host  = &event.Namespace{Inode: 4026531839, Gen: 1, Initial: true, Label: "host"}
	shell = &event.Namespace{Inode: 4026532765, Gen: 1, Label: "bash[62293]"}
	other = &event.Namespace{Inode: 4026532766, Gen: 2, ID: 4132, Label: "\x1b]0;owned\a世界\u202e\xff and much more than fits"}
)

// made is a call by a process of some name.
func made(seconds float64, t event.Type, ns *event.Namespace, kind string, id int32, key event.Key, comm string) *event.Event {
	o := &event.Object{Kind: kind, ID: &id, Key: key, Mode: 0o600, UID: new(uint32), GID: new(uint32)}
	if kind == "shm" {
		o.Size = new(uint64(65536))
	}
	return &event.Event{
		V: event.Version, Time: at(seconds), BootNS: int64(seconds * 1e9), Event: t, NS: ns, Object: o, ABI: "x86_64",
		Process: &event.Process{PID: uint32(60000 + seconds), TID: 1, PPID: 62293, Comm: comm, ParentComm: "bash"},
	}
}

// session is three namespaces with the same key in each, and one that ends.
func session() []*event.Event {
	gone := &event.Namespace{Inode: 4026532777, Gen: 1, Label: "sh[7]"}
	born := func(seconds float64, ns *event.Namespace) *event.Event {
		return &event.Event{Event: event.NamespaceCreate, Time: at(seconds), NS: ns, From: host, Process: &event.Process{PID: 62293, Comm: "unshare"}}
	}
	failed := made(9, event.ObjectFail, other, "sem", 0, 0x77, "fakeroot")
	failed.Object.ID, failed.Errno = nil, "ENOSPC"
	removed := made(12, event.ObjectRemove, shell, "shm", 0, 0x6c54b6c5, "ipcrm")
	removed.Cause = event.CauseRMID
	return []*event.Event{
		{Event: event.NamespaceFound, Time: at(0), NS: host, Observed: event.ObservedSnapshot},
		made(0.5, event.ObjectCreate, host, "msg", 5, 0x6c54b6c4, "postgres"),
		born(1, shell), made(2, event.ObjectCreate, shell, "msg", 0, 0x6c54b6c4, "ipcmk"),
		made(3, event.ObjectCreate, shell, "shm", 0, 0x6c54b6c5, "ipcmk"),
		made(4, event.ObjectOpen, shell, "msg", 0, 0x6c54b6c4, "writer"),
		born(5, other), made(6, event.ObjectCreate, other, "msg", 32768, 0x6c54b6c4, "\x1b]0;owned\a🌍e\u0301\xff"),
		born(7, gone), made(7.5, event.ObjectCreate, gone, "shm", 1, 0, "sh"),
		{Event: event.NamespaceFree, Time: at(8), NS: gone},
		failed,
		{Event: event.TraceLost, Time: at(11), Lost: &event.Lost{Count: 12, From: at(10), To: at(11)}},
		removed,
	}
}

// crowd is more of everything than fits anywhere.
func crowd() []*event.Event {
	events := session()
	for n := range 40 {
		ns := &event.Namespace{Inode: 4026540000 + uint64(n), Gen: uint32(n), Label: strings.Repeat("世\x1b", n)}
		for i := range int32(n) {
			events = append(events, made(12+float64(n)/10, event.ObjectCreate, ns, "shm", i, event.Key(i), strings.Repeat("\u202e", n)))
		}
	}
	return events
}

// fake is a session that has been told.
type fake struct {
	inventory *inventory.Inventory
	memory    memory
	now       time.Time
	crowds    map[uint64]Crowd
	playback  *Playback
}

func newFake(events []*event.Event) *fake {
	f := &fake{inventory: inventory.New(inventory.Limits{Uses: 4}), now: at(13)}
	for _, e := range events {
		f.add(e)
	}
	return f
}

func (f *fake) add(e *event.Event) {
	f.inventory.Apply(e)
	f.memory.add(e, f.inventory)
}

func (f *fake) look(see func(*Scene)) {
	see(&Scene{Inventory: f.inventory, Tier: "fentry", Started: start, Now: f.now, Crowds: f.crowds, Playback: f.playback})
}

func (f *fake) model(columns, rows int) *model {
	m := newModel(f.look, Controls{Quit: func() {}, Filter: words}, &f.memory, options().Complete())
	m.Update(tea.WindowSizeMsg{Width: columns, Height: rows})
	return m
}

// words are a filter of one kind, or a mistake.
func words(text string) (Filter, error) {
	kind, ok := strings.CutPrefix(text, "kind=")
	if !ok {
		return nil, fmt.Errorf("no filter %q", text)
	}
	return &stream.Filter{Kinds: []string{kind}}, nil
}

// limited is that with somebody who looked.
func limited(f *fake) *fake {
	f.crowds = map[uint64]Crowd{
		host.Inode:  {Processes: 88, Limits: []view.Limit{{Name: "MSGMNI", Used: 1, Max: 32000, Unit: "queues"}, {Name: "SHMALL", Used: 16, Max: 1 << 63, Unit: "pages"}}},
		shell.Inode: {Processes: 2, Limits: []view.Limit{{Name: "MSGMNI", Used: 1, Max: 3, Unit: "queues"}}},
		other.Inode: {Processes: 1, Limits: []view.Limit{{Name: "SEMMNI", Used: 4, Max: 4, Unit: "sets"}, {Name: "MSGMNI", Used: 1, Max: 3, Unit: "queues"}}},
	}
	return f
}

// press presses keys, by the names that Bubble Tea has for them; a single character is
// itself.
func press(m *model, keys ...string) {
	named := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
		"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
		"pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp}, "end": {Code: tea.KeyEnd}, "home": {Code: tea.KeyHome},
		"backspace": {Code: tea.KeyBackspace}, "space": {Code: tea.KeySpace, Text: " "}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
		"ctrl+w": {Code: 'w', Mod: tea.ModCtrl},
	}
	for _, key := range keys {
		msg, ok := named[key]
		if !ok {
			msg = tea.KeyPressMsg{Code: []rune(key)[0], Text: key}
		}
		m.Update(msg)
	}
}

// typed presses each character.
func typed(m *model, text string) {
	for _, r := range text {
		press(m, string(r))
	}
}

// fits makes sure that a frame is as large as the screen, and harmless.
func fits(t *testing.T, m *model) {
	t.Helper()
	lines := strings.Split(m.text, "\n")
	if len(lines) != m.rows {
		t.Fatalf("%d×%d: %d rows:\n%s", m.columns, m.rows, len(lines), m.text)
	}
	for _, l := range lines {
		if w := view.Width(l); w > m.columns {
			t.Fatalf("%d×%d: %d columns: %q", m.columns, m.rows, w, l)
		}
		for _, r := range l {
			if !unicode.IsPrint(r) {
				t.Fatalf("%U came through: %q", r, l)
			}
		}
	}
}

func has(t *testing.T, m *model, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(m.text, text) {
			t.Errorf("no %q in\n%s", text, m.text)
		}
	}
}

func hasNot(t *testing.T, m *model, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(m.text, text) {
			t.Errorf("%q in\n%s", text, m.text)
		}
	}
}

// trimmed is a frame as a golden file has it.
func trimmed(m *model) string {
	var b strings.Builder
	for l := range strings.Lines(m.text + "\n") {
		b.WriteString(strings.TrimRight(l, " \n") + "\n")
	}
	return b.String()
}

// TestFrames looks at whole screens.
func TestFrames(t *testing.T) {
	for _, size := range [][2]int{{60, 15}, {80, 24}, {200, 60}} {
		name := fmt.Sprintf("%dx%d", size[0], size[1])
		m := limited(newFake(session())).model(size[0], size[1])
		fits(t, m)
		golden(t, "beside-"+name, trimmed(m))
		press(m, "j", "enter")
		fits(t, m)
		golden(t, "opened-"+name, trimmed(m))
		press(m, "G", "d")
		fits(t, m)
		golden(t, "object-"+name, trimmed(m))
		press(m, "esc", "tab", "d")
		fits(t, m)
		press(m, "esc", "?")
		fits(t, m)
		golden(t, "help-"+name, trimmed(m))
		f := newFake(crowd())
		f.playback = &Playback{From: start, To: at(26), At: at(13), Speed: 2, Paused: true}
		m = f.model(size[0], size[1])
		fits(t, m)
		golden(t, "crowd-"+name, trimmed(m))
	}
	m := newFake(nil).model(60, 15)
	fits(t, m)
	golden(t, "empty", trimmed(m))
	m = newModel(func(func(*Scene)) {}, Controls{}, new(memory), options().Complete())
	m.Update(tea.WindowSizeMsg{Width: 60, Height: 15})
	fits(t, m)
	has(t, m, "looking at what is there")
}

// TestSizes: at every size a frame is as large as the screen, wherever the user is.
func TestSizes(t *testing.T) {
	for name, events := range map[string][]*event.Event{"session": session(), "crowd": crowd(), "nothing": nil} {
		for _, columns := range []int{1, 2, 17, 37, 60, 80, 141, 200} {
			for rows := 1; rows <= 70; rows += 1 + rows/4 {
				f := limited(newFake(events))
				m := f.model(columns, rows)
				for _, key := range []string{"", "j", "enter", "j", "d", "pgdown", "esc", "tab", "k", "d", "G", "esc", "?", "pgdown", "esc", "/", "x", "enter", "esc", "a", "s", "f", "p", "tab", "end", "enter"} {
					if key != "" {
						press(m, key)
					}
					fits(t, m)
				}
				f.playback = &Playback{From: start, To: at(26), At: at(13), Note: strings.Repeat("note ", 30)}
				m.draw()
				fits(t, m)
				if t.Failed() {
					t.Fatal(name)
				}
			}
		}
	}
}

// TestMoves: the user stays where he is while things come and go around him.
func TestMoves(t *testing.T) {
	f := newFake(session())
	m := f.model(100, 30)
	has(t, m, "▸ 4026531839")
	press(m, "down")
	has(t, m, "▸ 4026532765")
	press(m, "enter", "G")
	has(t, m, "▌IPC namespace 4026532765", "gone: rmid")
	press(m, "g", "j")
	f.add(made(13, event.ObjectCreate, shell, "sem", 7, 0x99, "late"))
	m.draw()
	has(t, m, "▸ shm   0   0x6c54b6c5  gone: rmid", "sem   7")
	f.now = at(23) // what is gone has faded, and the cursor is where it was
	m.draw()
	hasNot(t, m, "gone: rmid")
	press(m, "a")
	has(t, m, "gone: rmid", "ended 15s ago")
	press(m, "esc", "g", "down", "down", "down", "down", "down")
	has(t, m, "▸ 4026532777")
	press(m, "f")
	has(t, m, "▸ 4026532765", "follow")
	press(m, "home")
	has(t, m, "▸ 4026531839")
	hasNot(t, m, "follow")
}

// TestIsolation: the same key in several namespaces stands in one row, marked, and is
// explained.
func TestIsolation(t *testing.T) {
	m := newFake(session()).model(140, 30)
	row := ""
	for l := range strings.Lines(m.text) {
		if strings.Count(l, "0x6c54b6c4") == 3 {
			row = l
		}
	}
	if strings.Count(row, "≠ msg") != 3 {
		t.Errorf("no row with all three: %q\n%s", row, m.text)
	}
	hasNot(t, m, "≠ shm")
	press(m, "j", "enter")
	has(t, m, "≠ SAME KEY IN", "4026531839 host, 4026532766.2")
	press(m, "d")
	has(t, m, "≠ the same key leads to another object in 4026531839 host")
}

// TestDetails: of an object all is told that was seen of it.
func TestDetails(t *testing.T) {
	f := newFake(session())
	for second := range 6 {
		f.add(made(12+float64(second)/10, event.ObjectOpen, shell, "msg", 0, 0x6c54b6c4, fmt.Sprint("user", second)))
	}
	mark := made(12.9, event.ObjectMark, shell, "shm", 9, 5, "marker")
	f.add(made(12.8, event.ObjectGet, shell, "shm", 9, 5, "getter"))
	f.add(mark)
	m := f.model(120, 40)
	press(m, "j", "enter", "s", "s") // by kind
	has(t, m, "by kind and id")
	press(m, "d")
	has(t, m, "MSG 0 in 4026532765 bash[62293]", "07:46:02.000000  created  by ipcmk[60002] · of bash[62293] · uid",
		"… 3 calls opened it, or got it, before these", "opened   by user5[60012]", "11s since", `ro\x1b[31mot`)
	hasNot(t, m, "user1")
	press(m, "esc", "j", "d")
	has(t, m, "got      by getter[60012]", "marked   by marker[60012]", "whether it was made then, the hooks could not tell")
	press(m, "esc", "j", "d")
	has(t, m, "created  by ipcmk[60003]", "removed  by ipcrm[60012]", "cause: rmid")
	press(m, "esc", "esc", "d")
	has(t, m, "IPC NAMESPACE 4026532765 bash[62293]", "born 07:46:01 by unshare[62293] from 4026531839", "gone: 1 (1 rmid)")
	press(m, "esc", "shift+tab", "d")
	has(t, m, "EVENT, as a log has it", `"comm": "marker"`)
}

// TestNothingChosen: where a namespace has nothing in it, its details are shown, and not
// those of an object that was chosen elsewhere.
func TestNothingChosen(t *testing.T) {
	empty := &event.Namespace{Inode: 4026532999, Gen: 1, Label: "empty"}
	f := newFake(append(session(), &event.Event{Event: event.NamespaceCreate, Time: at(12), NS: empty}))
	m := f.model(100, 30)
	press(m, "enter", "j")
	has(t, m, "▌IPC namespace 4026531839")
	press(m, "l", "l", "l")
	has(t, m, "▌IPC namespace 4026532999", "no objects")
	press(m, "d")
	has(t, m, "IPC NAMESPACE 4026532999")
}

// TestFilter: a filter hides what it does not mean, in all panes; a mistake is told.
func TestFilter(t *testing.T) {
	f := newFake(session())
	m := f.model(100, 30)
	press(m, "/")
	typed(m, "kimd=shm")
	press(m, "enter")
	has(t, m, `filter: kimd=shm`, `no filter "kimd=shm"`)
	press(m, "ctrl+u")
	typed(m, "kind=shn")
	press(m, "backspace")
	typed(m, "m")
	press(m, "enter")
	has(t, m, "filter: kind=shm", "0x6c54b6c5")
	hasNot(t, m, "0x6c54b6c4", "fakeroot", "4026532766")
	f.add(made(13, event.ObjectCreate, host, "shm", 77, 0x123, "new"))
	f.add(made(13, event.ObjectCreate, host, "msg", 78, 0x124, "hidden"))
	m.Update(tick{})
	has(t, m, "new[60013]")
	hasNot(t, m, "hidden")
	press(m, "esc")
	has(t, m, "0x6c54b6c4", "hidden")
}

// TestPause: the screen stands still, and says how much it does not show.
func TestPause(t *testing.T) {
	f := newFake(session())
	m := f.model(100, 30)
	press(m, "p")
	f.add(made(13, event.ObjectCreate, host, "shm", 77, 0x123, "new"))
	f.now = at(20)
	m.Update(tick{})
	has(t, m, "PAUSED, 1 event since", "ended 5s ago")
	hasNot(t, m, "new[60013]")
	press(m, "/")
	typed(m, "kind=shm")
	press(m, "enter") // of what there was
	has(t, m, "PAUSED, 1 event since", "filter: kind=shm", "ipcmk[60003]")
	hasNot(t, m, "new[60013]")
	f.add(made(13, event.ObjectCreate, host, "msg", 78, 0x124, "other"))
	m.Update(tick{})
	has(t, m, "PAUSED, 2 events since")
	press(m, "esc")
	has(t, m, "fakeroot")
	hasNot(t, m, "new[60013]")
	press(m, "p")
	has(t, m, "new[60013]")
	hasNot(t, m, "PAUSED")
}

// TestIdle: where nothing happens nothing is drawn but once a second.
func TestIdle(t *testing.T) {
	f := newFake(session())
	m := f.model(80, 24)
	m.Update(tick{})
	m.text = "as it was"
	m.Update(tick{})
	if m.text != "as it was" {
		t.Error("drawn anew")
	}
	f.now = at(14)
	m.Update(tick{})
	has(t, m, "ipctrace")
}

// TestKeyThenTick: what a key did for a moment does not stay on the screen.
func TestKeyThenTick(t *testing.T) {
	f := newFake(session())
	f.playback = &Playback{From: start, To: at(26), At: at(13), Ended: true}
	m := f.model(80, 24)
	m.Update(tick{})
	f.playback.Ended = false // as long as the log is played again
	press(m, "j")
	has(t, m, "▶")
	f.playback.Ended = true
	m.Update(tick{})
	has(t, m, "■")
}

// TestScrollSmall: what is open is scrolled also where there is no room for it.
func TestScrollSmall(t *testing.T) {
	for rows := range 4 {
		m := newFake(session()).model(80, 1+rows)
		press(m, "?")
		for range 100 {
			press(m, "down")
		}
		fits(t, m)
	}
}

// TestPulse: events a second come to be seen, and go.
func TestPulse(t *testing.T) {
	f := newFake(session())
	m := f.model(80, 24)
	for i := range int32(100) {
		f.add(made(13, event.ObjectCreate, host, "msg", 100+i, event.Key(i+1), "busy"))
	}
	f.now = at(14)
	m.Update(tick{})
	has(t, m, "100", "▃")
	for s := range 3 {
		f.now = at(15 + float64(s))
		m.Update(tick{})
	}
	has(t, m, "▃   ")
	for count, want := range map[uint32]int{0: 0, 1: 1, 10: 2, 1000: 5, 500_000: 8, 1e9: 8} {
		if got := level(count); got != want {
			t.Errorf("%d a second: level %d, want %d", count, got, want)
		}
	}
}

// TestPulseBack: events need not come in the order of their times.
func TestPulseBack(t *testing.T) {
	var p pulse
	for _, second := range []int64{1000, 1001, 1000, 1059, 1002, 1060, 900, 1061} {
		p.beat(second)
	}
	if p.at(1061) != 1 || p.at(900) != 0 || p.at(1000) != 0 {
		t.Errorf("%+v", p)
	}
	p = pulse{}
	for _, second := range []int64{1000, 1001, 1000, 1059, 1002} {
		p.beat(second)
	}
	for second, want := range map[int64]uint32{999: 0, 1000: 2, 1001: 1, 1002: 1, 1003: 0, 1059: 1, 1060: 0} {
		if got := p.at(second); got != want {
			t.Errorf("second %d: %d, want %d", second, got, want)
		}
	}
}

// TestColors: only the sixteen colours, and no more when there is to be none.
func TestColors(t *testing.T) {
	f := limited(newFake(session()))
	m := newModel(f.look, Controls{}, &f.memory, func() view.Options { o := options(); o.Color = true; return o }().Complete())
	m.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	golden(t, "color-80x24", strings.ReplaceAll(m.text, "\x1b", "␛")+"\n")
	if strings.Contains(m.text, ";5;") || strings.Contains(m.text, ";2;") {
		t.Error("colours that not all terminals have")
	}
}

// TestUnending: a flood of keys and events does not bring it down.
func TestUnending(t *testing.T) {
	f := newFake(session())
	m := f.model(80, 24)
	keys := []string{"j", "k", "enter", "esc", "tab", "d", "s", "S", "a", "f", "p", "/", "g", "G", "pgup", "pgdown", "left", "right", "?"}
	for i, e := range crowd() {
		f.add(e)
		press(m, keys[i*7%len(keys)])
		fits(t, m)
	}
}
