package journal_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/ipctrace/ipctrace/internal/journal"
)

// TestFlip: whichever bit is flipped, the line that it is in is named.
func TestFlip(t *testing.T) {
	for _, signed := range []bool{false, true} {
		cfg := config(t)
		if signed {
			name := cfg.File + ".key"
			_, err := journal.NewKey(name)
			must(t, err)
			cfg.Key, err = journal.PrivateKey(name)
			must(t, err)
		}
		record(t, cfg, 1200)
		text := read(t, cfg.File)
		seal := bytes.LastIndex(text[:len(text)-1], []byte("\n")) + 1
		flip := func(offset int, bit uint) {
			altered := bytes.Clone(text)
			altered[offset] ^= 1 << bit
			must(t, os.WriteFile(cfg.File, altered, 0o600))
			r := journal.Verify([]string{cfg.File}, journal.Check{})
			if r.Whole() {
				t.Fatalf("bit %d of byte %d (%q): whole", bit, offset, text[offset])
			}
			if want := lineAt(text, offset); r.Findings[0].Line != want {
				t.Errorf("bit %d of byte %d (%q): line %d, want %d: %+v", bit, offset, text[offset], r.Findings[0].Line, want, r.Findings)
			}
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		for range 150 {
			flip(random.IntN(len(text)), random.UintN(8))
		}
		first := bytes.Index(text, []byte("trace.seal"))
		first = bytes.LastIndexByte(text[:first], '\n') + 1
		for range 60 { // seals are what all hangs on
			flip(first+random.IntN(400), random.UintN(8))
			flip(seal+random.IntN(len(text)-seal), random.UintN(8))
		}
		for offset := range 100 { // and the beginning, which says what it is
			flip(offset, random.UintN(8))
		}
	}
}

// TestTampered: lines that are gone, moved or put in are found, and where.
func TestTampered(t *testing.T) {
	cfg := config(t)
	record(t, cfg, 2500)
	text := read(t, cfg.File)
	lines := slices.DeleteFunc(bytes.SplitAfter(text, []byte("\n")), func(l []byte) bool { return len(l) == 0 })
	for _, test := range []struct {
		name   string
		tamper func(lines [][]byte) [][]byte
		fault  journal.Fault
		line   int
	}{
		{"one deleted", func(l [][]byte) [][]byte { return slices.Delete(l, 500, 501) }, journal.Gap, 501},
		{"some deleted", func(l [][]byte) [][]byte { return slices.Delete(l, 1500, 1600) }, journal.Gap, 1501},
		{"the last of a segment deleted", func(l [][]byte) [][]byte { return slices.Delete(l, 999, 1000) }, journal.Gap, 1000},
		{"the first deleted", func(l [][]byte) [][]byte { return slices.Delete(l, 0, 1) }, journal.Gap, 1},
		{"two swapped", func(l [][]byte) [][]byte { l[700], l[800] = l[800], l[700]; return l }, journal.Altered, 701},
		{"neighbours swapped", func(l [][]byte) [][]byte { l[1700], l[1701] = l[1701], l[1700]; return l }, journal.Altered, 1701},
		{"one twice", func(l [][]byte) [][]byte { return slices.Insert(l, 600, l[599]) }, journal.Altered, 601},
		{"one put in", func(l [][]byte) [][]byte { return slices.Insert(l, 600, []byte("{}\n")) }, journal.Altered, 601},
		{"a seal deleted", func(l [][]byte) [][]byte { return slices.Delete(l, 1000, 1001) }, journal.Altered, 1000},
		{"a segment deleted", func(l [][]byte) [][]byte { return slices.Delete(l, 1001, 2002) }, journal.Gap, 1002},
		{"the newest part cut off", func(l [][]byte) [][]byte { return l[:1001] }, "", 0},
		{"cut within a segment", func(l [][]byte) [][]byte { return l[:1500] }, journal.Unsealed, 1002},
		{"cut to nothing", func([][]byte) [][]byte { return nil }, journal.NoLog, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			must(t, os.WriteFile(cfg.File, bytes.Join(test.tamper(slices.Clone(lines)), nil), 0o600))
			r := journal.Verify([]string{cfg.File}, journal.Check{})
			var fault journal.Fault
			line := 0
			if !r.Whole() {
				fault, line = r.Findings[0].Fault, r.Findings[0].Line
			}
			if fault != test.fault || line != test.line {
				t.Errorf("%q in line %d, want %q in line %d: %+v", fault, line, test.fault, test.line, r.Findings)
			}
		})
	}
}

// TestHead: that the newest part was cut off shows where a seal is known.
func TestHead(t *testing.T) {
	cfg := config(t)
	record(t, cfg, 2500)
	text := read(t, cfg.File)
	head := whole(t, cfg.File).Head
	check := journal.Check{Head: head}
	if r := journal.Verify([]string{cfg.File}, check); !r.Whole() || r.Beyond != 0 {
		t.Errorf("%+v", r)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	must(t, os.WriteFile(cfg.File, bytes.Join(lines[:1001], nil), 0o600))
	whole(t, cfg.File) // by itself
	if r := journal.Verify([]string{cfg.File}, check); len(r.Findings) != 1 || r.Findings[0].Fault != journal.CutShort {
		t.Errorf("%+v", r.Findings)
	}
	check.Head = whole(t, cfg.File).Head
	must(t, os.WriteFile(cfg.File, text, 0o600))
	if r := journal.Verify([]string{cfg.File}, check); !r.Whole() || r.Beyond != uint64(len(lines)-1-1001) {
		t.Errorf("%+v", r)
	}
}

// TestNoLog: what was never sealed is not called whole.
func TestNoLog(t *testing.T) {
	cfg := config(t)
	for _, text := range []string{"", "\n", "a diary\n", string(append(start().AppendJSON(nil), '\n'))} {
		must(t, os.WriteFile(cfg.File, []byte(text), 0o600))
		if r := journal.Verify([]string{cfg.File}, journal.Check{}); r.Whole() {
			t.Errorf("%q is whole", text)
		}
	}
	must(t, os.WriteFile(cfg.File, []byte("hello"), 0o600))
	if r := journal.Verify([]string{cfg.File}, journal.Check{}); len(r.Findings) != 1 || r.Findings[0].Fault != journal.NoLog {
		t.Errorf("%+v", r.Findings)
	}
	must(t, os.Remove(cfg.File))
	record(t, cfg, 1)
	text := read(t, cfg.File)
	text[len(text)/2]++
	must(t, os.WriteFile(cfg.File, text, 0o600))
	must(t, os.WriteFile(cfg.File+".empty", nil, 0o600))
	r := journal.Verify([]string{cfg.File, cfg.File + ".empty"}, journal.Check{})
	if n := len(r.Findings); n == 0 || r.Findings[n-1].Fault != journal.NoLog {
		t.Errorf("an empty file beside an altered one: %+v", r.Findings)
	}
	if r := journal.Verify([]string{cfg.File + ".not"}, journal.Check{}); r.Whole() {
		t.Error("what is not there is whole")
	}
}

// FuzzVerify: a file may hold anything.
func FuzzVerify(f *testing.F) {
	cfg := config(f)
	record(f, cfg, 3)
	text := read(f, cfg.File)
	f.Add(text)
	f.Add(text[:len(text)/2])
	f.Add([]byte("\x1f\x8b\x08\x00\x00"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x00\x00"))
	f.Add([]byte("{\"v\":1,\"seq\":1,\"event\":\"trace.seal\",\"seal\":{\"crcs\":\"0\",\"hash\":\"\",\"crc\":\"\"}}\n"))
	file := cfg.File + ".fuzz"
	f.Fuzz(func(t *testing.T, content []byte) {
		must(t, os.WriteFile(file, content, 0o600))
		r := journal.Verify([]string{file}, journal.Check{})
		if r.Whole() && r.Seals == 0 {
			t.Error("whole without a seal")
		}
		if r.Whole() && !bytes.Equal(content, text) {
			// Somebody else's seal may hold, but not around what is no line of a log.
			for line, err := range journal.Lines(file) {
				if err != nil || line.Torn {
					t.Error(fmt.Sprint("whole with ", err, line.Torn))
				}
			}
		}
	})
}

// TestSealsAlone: a segment is missing before a seal that seals nothing, as is
// written where the log is reopened.
func TestSealsAlone(t *testing.T) {
	cfg := config(t)
	j := begin(t, cfg)
	write(t, j, start())
	for n := range 999 {
		write(t, j, create(n+1))
	}
	await(t, func() bool { return bytes.Contains(read(t, cfg.File), []byte("trace.seal")) })
	moved := cfg.File + ".moved"
	must(t, os.Rename(cfg.File, moved))
	j.Reopen()
	await(t, func() bool { _, err := os.Stat(cfg.File); return err == nil })
	write(t, j, stop(999))
	must(t, j.Close())
	whole(t, moved, cfg.File)
	lines := bytes.SplitAfter(read(t, moved), []byte("\n"))
	if len(lines) != 1003 || !bytes.Contains(lines[1001], []byte(`"crcs":""`)) {
		t.Fatalf("%d lines: %s", len(lines), lines[len(lines)-2])
	}
	for _, from := range []int{0, 1, 999, 1000} {
		must(t, os.WriteFile(moved, bytes.Join(slices.Delete(slices.Clone(lines), from, 1001), nil), 0o600))
		if r := journal.Verify([]string{moved}, journal.Check{}); r.Whole() {
			t.Errorf("whole without the lines from %d on", from+1)
		}
	}
}
