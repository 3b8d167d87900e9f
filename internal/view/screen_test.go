package view

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

func fixed(columns, rows int) Size {
	return func() (int, int, error) { return columns, rows, nil }
}

// many is more of everything than fits anywhere.
func many() *inventory.Inventory {
	v := inventoryOf(session())
	for n := range 40 {
		ns := &event.Namespace{Inode: 4026540000 + uint64(n), Gen: uint32(n), Label: strings.Repeat("世\x1b", n)}
		for i := range int32(n) {
			o := shm(i, event.Key(i), 1<<uint(i), owner(uint32(i)))
			v.Apply(call(float64(10+n), event.ObjectCreate, ns, o, uint32(i), strings.Repeat("\u202e", n)))
		}
	}
	return v
}

func status() Status { return Status{Tier: "fentry", Started: start, Now: at(65)} }

func frameText(t *testing.T, v *inventory.Inventory, columns, rows int) string {
	t.Helper()
	all, err := frame(v, status(), columns, rows, plainOptions())
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range all {
		b.WriteString(r.text + "\n")
	}
	return b.String()
}

func TestFrames(t *testing.T) {
	for _, size := range [][2]int{{60, 15}, {80, 24}, {200, 60}} {
		name := fmt.Sprintf("frame-%dx%d", size[0], size[1])
		golden(t, name+".txt", []byte(frameText(t, inventoryOf(session()), size[0], size[1])))
		golden(t, name+"-many.txt", []byte(frameText(t, many(), size[0], size[1])))
	}
	golden(t, "frame-empty.txt", []byte(frameText(t, inventoryOf(nil), 60, 15)))
}

// Every frame has as many rows as the screen, and none is wider; where there is
// room for them, there are events and what they are of.
func TestFramesFit(t *testing.T) {
	inventories := []*inventory.Inventory{inventoryOf(nil), inventoryOf(session()), many(), inventoryOf(session()[7:])}
	for i, v := range inventories {
		for _, columns := range []int{1, 2, 37, 60, 80, 141, 200} {
			for rows := 1; rows <= 70; rows += 1 + rows/12 {
				text := frameText(t, v, columns, rows)
				lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
				if len(lines) != rows {
					t.Fatalf("inventory %d, %d×%d: %d rows", i, columns, rows, len(lines))
				}
				for _, line := range lines {
					if width(line) > columns {
						t.Fatalf("inventory %d, %d×%d: %d columns: %q", i, columns, rows, width(line), line)
					}
				}
			}
		}
	}
}

// All that is left out is counted.
func TestFramesCountWhatTheyLeaveOut(t *testing.T) {
	v := many()
	var namespaces []contents
	for _, n := range v.Namespaces() {
		namespaces = append(namespaces, fading(n, status().Now))
	}
	for room := 2; room < 300; room += 1 + room/15 {
		c := choose(namespaces, room)
		rows := 0
		for i, n := range c.of {
			rows += 2 + max(1, c.limits[i])
			if n.len() > c.limits[i] {
				rows++
			}
			if n.len() > 0 {
				rows++ // the header
			} else {
				rows--
			}
			if n.len() > 0 && c.limits[i] == 0 || c.limits[i] > screenObjects+1 {
				t.Fatalf("room %d: %d of %d objects", room, c.limits[i], n.len())
			}
		}
		blocks, err := namespaceRows(v, status(), 80, room, plainOptions())
		if err != nil {
			t.Fatal(err)
		}
		if len(blocks) > room {
			t.Fatalf("room %d: %d rows", room, len(blocks))
		}
		if len(c.of) < len(namespaces) {
			want := fmt.Sprintf("… and %s", count(len(namespaces)-len(c.of), "more namespace"))
			check(t, blocks[len(blocks)-1].text, want)
		}
	}
}

func TestScreen(t *testing.T) {
	var out counting
	s, err := NewScreen(&out, fixed(60, 15), plainOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Draw(many(), status()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(out.writes) != 3 {
		t.Fatalf("%d writes", len(out.writes))
	}
	check(t, string(out.writes[0]), "\x1b[?1049h\x1b[?25l\x1b[?7l")
	check(t, string(out.writes[2]), "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l")

	drawn := string(out.writes[1])
	if !strings.HasPrefix(drawn, home) || !strings.HasSuffix(drawn, home) {
		t.Errorf("the cursor is not at home before and after: %q", drawn)
	}
	drawn = strings.TrimSuffix(strings.TrimPrefix(drawn, home), home)
	rows := strings.Split(drawn, "\r\n")
	check(t, len(rows), 15)
	for _, r := range rows {
		text, cleared := strings.CutSuffix(r, "\x1b[K")
		if cleared != (width(text) < 60) {
			t.Errorf("end of line cleared: %v, %d columns: %q", cleared, width(text), r)
		}
		if strings.Contains(text, "\x1b") {
			t.Errorf("escape sequence in %q", text)
		}
	}
}

func TestColoredScreen(t *testing.T) {
	var out bytes.Buffer
	opts := plainOptions()
	opts.Color = true
	s, err := NewScreen(&out, fixed(80, 24), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Draw(inventoryOf(session()), status()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\x1b[1m4026531839 · host", "\x1b[31m07:46:06 fail", "\x1b[7m07:46:09 lost", "\x1b[7mfentry · "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestScreenFollowsTheTerminal(t *testing.T) {
	columns, rows, failed := 60, 15, error(nil)
	s, err := NewScreen(io.Discard, func() (int, int, error) { return columns, rows, failed }, plainOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		columns, rows         int
		err                   error
		wantColumns, wantRows int
	}{
		{200, 60, nil, 200, 60},
		{0, 0, nil, 80, 24},
		{9, 9, errors.New("no terminal"), 80, 24},
	} {
		columns, rows, failed = test.columns, test.rows, test.err
		gotColumns, gotRows := s.dimensions()
		check(t, []int{gotColumns, gotRows}, []int{test.wantColumns, test.wantRows})
	}
}

func TestSizeOfNoTerminal(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := TerminalSize(f)(); !errors.Is(err, unix.ENOTTY) {
		t.Errorf("size of %s: %v", f.Name(), err)
	}
}

func TestScreenThatBreaks(t *testing.T) {
	out := &failing{}
	s, err := NewScreen(out, fixed(60, 15), plainOptions())
	if s != nil || !errors.Is(err, errBroken) {
		t.Errorf("%v, %v", s, err)
	}
	check(t, out.writes, 2) // it was given back all the same
	if err := s.Close(); err != nil {
		t.Errorf("close of no screen: %v", err)
	}
}

func TestRate(t *testing.T) {
	var r rate
	check(t, r.at(at(0), 0), 0.0)
	check(t, r.at(at(1), 10), 10.0)
	check(t, r.at(at(2), 10), 5.0)
	check(t, r.at(at(3), 10), 0.0)
	check(t, r.at(at(3), 10), 0.0)
	check(t, r.at(at(1), 10), 0.0) // the clock was set back
	for i := range 1000 {
		r.at(at(10+float64(i)/4), uint64(i))
	}
	if len(r.samples) > 10 {
		t.Errorf("%d samples kept", len(r.samples))
	}
}

func BenchmarkDraw(b *testing.B) {
	s, err := NewScreen(io.Discard, fixed(200, 60), plainOptions())
	if err != nil {
		b.Fatal(err)
	}
	v := many()
	st := status()
	for b.Loop() {
		st.Now = st.Now.Add(time.Second)
		if err := s.Draw(v, st); err != nil {
			b.Fatal(err)
		}
	}
}
