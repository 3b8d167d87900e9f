package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// writes keeps what each write had.
type writes struct {
	texts []string
	err   error
}

func (w *writes) Write(b []byte) (int, error) {
	w.texts = append(w.texts, string(b))
	return len(b), w.err
}

// TestBatch: lines go out whole, in order, and not before they are to be seen.
func TestBatch(t *testing.T) {
	var out writes
	b := batch{out: &out}
	line := []byte(strings.Repeat("x", 999) + "\n")
	for range 100 {
		if _, err := b.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if len(out.texts) != 1 || len(out.texts[0]) > batchSize || len(out.texts[0])%len(line) != 0 {
		t.Fatalf("%d writes, the first of %d bytes", len(out.texts), len(out.texts[0]))
	}
	long := bytes.Repeat([]byte("y"), 2*batchSize)
	if _, err := b.Write(long); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if all := strings.Join(out.texts, ""); all != strings.Repeat(string(line), 100)+string(long) || len(out.texts) != 3 {
		t.Errorf("%d bytes in %d writes", len(all), len(out.texts))
	}
	out.err = errors.New("full")
	if _, err := b.Write(line); err != nil || b.Flush() == nil {
		t.Errorf("write: %v; to flush it fails not", err)
	}
	if slices.Contains(out.texts, "") {
		t.Error("an empty write")
	}
}
