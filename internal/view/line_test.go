package view

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ipctrace/ipctrace/internal/event"
)

func writeLines(w io.Writer, opts Options, events ...*event.Event) error {
	l := NewLines(w, opts)
	if err := l.Header(); err != nil {
		return err
	}
	for _, e := range events {
		if err := l.Write(e); err != nil {
			return err
		}
	}
	return nil
}

func TestLines(t *testing.T) {
	events := append(session(),
		&event.Event{Event: event.TraceStart, Time: at(0), Start: &event.Start{
			Tier: "fentry", Kernel: "6.18.1", Arch: "x86_64", Host: "a\x1bb", Namespaces: 3}},
		&event.Event{Event: event.TraceStop, Time: at(20), Stop: &event.Stop{
			Reason: "signal", Produced: 20, Delivered: 8, Lost: 12, Filtered: 1, Written: 7}},
	)
	for name, color := range map[string]bool{"lines.txt": false, "lines-color.txt": true} {
		opts := plainOptions()
		opts.Color = color
		golden(t, name, rendered(t, func(w *bytes.Buffer) error { return writeLines(w, opts, events...) }))
	}
}

// Whatever parts an event lacks, there is a line.
func TestIncompleteLines(t *testing.T) {
	events := []*event.Event{
		{Event: event.ObjectCreate},
		{Event: event.ObjectOpen, NS: &event.Namespace{Inode: 1}, Process: &event.Process{PID: 5}},
		{Event: event.ObjectFail, Object: &event.Object{}},
		{Event: event.TraceLost},
		{Event: event.TraceStart},
		{Event: event.TraceStop},
		{Event: "a\x1b[2J\nb"},
		{},
	}
	golden(t, "lines-incomplete.txt", rendered(t, func(w *bytes.Buffer) error {
		return writeLines(w, plainOptions(), events...)
	}))
}

func TestLinesAreAligned(t *testing.T) {
	for _, columns := range [][]column{lineColumns, compactColumns} {
		start := 0
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = strings.Repeat("世", c.width/2)
			got := align(columns, append(append([]string{}, cells[:i]...), "|")...)
			if Width(got[:strings.Index(got, "|")]) != start {
				t.Errorf("%s does not begin at %d: %q", c.name, start, got)
			}
			start += c.width + 1
		}
	}
	// Behind a cell that is too long there is one space, and then order again.
	check(t, align(lineColumns[3:7], "msgmsg", "1", "0x1", "root"), "msgmsg 1     0x1        root")
}

func TestColoredLinesDifferInNothingElse(t *testing.T) {
	colored := plainOptions()
	colored.Color = true
	for _, e := range session() {
		r := lineRow(e, colored)
		plain := lineRow(e, plainOptions())
		check(t, r.Text, plain.Text)
		if !utf8.ValidString(plain.Text) || strings.ContainsAny(plain.Render(false), "\x1b\n\u202e") {
			t.Errorf("unsafe: %q", plain.Text)
		}
	}
}

type failing struct{ writes int }

var errBroken = errors.New("broken")

func (f *failing) Write(p []byte) (int, error) { f.writes++; return 0, errBroken }

type counting struct{ writes [][]byte }

func (c *counting) Write(p []byte) (int, error) {
	c.writes = append(c.writes, bytes.Clone(p))
	return len(p), nil
}

func TestEachLineIsOneWrite(t *testing.T) {
	var c counting
	if err := writeLines(&c, plainOptions(), session()...); err != nil {
		t.Fatal(err)
	}
	check(t, len(c.writes), 1+len(session()))
	for _, line := range c.writes {
		if bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
			t.Errorf("not one line: %q", line)
		}
	}
	if err := NewLines(&failing{}, plainOptions()).Write(session()[0]); !errors.Is(err, errBroken) {
		t.Errorf("error of the writer: %v", err)
	}
}

func check(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestBare: what nobody knows of an object that went is not told as zero.
func TestBare(t *testing.T) {
	for _, test := range []struct {
		object event.Object
		want   []string
	}{
		{event.Object{Kind: "msg", ID: new(int32(0)), Bare: true}, []string{"?", "?"}},
		{event.Object{Kind: "msg", ID: new(int32(0)), Key: 7, Bare: true}, []string{"0x00000007", "?"}},
		{event.Object{Kind: "msg", ID: new(int32(0))}, []string{"0x00000000", "0000"}},
		{event.Object{Kind: "mq", Name: "/jobs", Bare: true}, []string{"/jobs", "?"}},
		{event.Object{Kind: "mq", Bare: true}, []string{"?", "?"}},
	} {
		e := event.Event{Event: event.ObjectRemove, NS: hostNS(), Object: &test.object}
		cells := objectCells(&e, plainOptions())
		if diff := cmp.Diff(test.want, []string{cells[2], cells[4]}); diff != "" {
			t.Errorf("%+v: %s", test.object, diff)
		}
	}
}
