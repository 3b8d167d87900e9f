package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// kernelSide writes into a ring as kernel/bpf/ringbuf.c does.
type kernelSide struct {
	ring
	written, freed uint64
}

func newKernelSide(size int) *kernelSide {
	var k kernelSide
	k.consumer, k.producer, k.data = &k.freed, &k.written, make([]byte, size)
	return &k
}

// write has room for a record, with its bits; false: there is none.
func (k *kernelSide) write(text string, bits uint32) bool {
	whole := (ringHeader + uint64(len(text)) + 7) &^ 7
	if k.written+whole-k.freed > uint64(len(k.data)) {
		return false
	}
	record := binary.NativeEndian.AppendUint32(nil, uint32(len(text))|bits)
	record = append(append(record, 0, 0, 0, 0), text...)
	for i, b := range record {
		k.data[k.offset(k.written+uint64(i))] = b
	}
	k.written += whole
	return true
}

func (k *kernelSide) read(t *testing.T) (texts []string) {
	for {
		sample, err := k.next()
		if err != nil {
			t.Fatal(err)
		}
		if sample == nil {
			return texts
		}
		texts = append(texts, string(sample))
	}
}

// TestRing: what was written is read once, in order, wherever in the ring it is and
// however much is written between two readings.
func TestRing(t *testing.T) {
	k := newKernelSide(256)
	var want, got []string
	for i := range 1000 {
		text := fmt.Sprintf("%d:%s", i, bytes.Repeat([]byte("x"), i%90))
		for !k.write(text, 0) {
			before := len(got)
			got = append(got, k.read(t)...)
			k.free()
			if len(got) == before {
				t.Fatalf("no room for %q, and nothing to read", text)
			}
		}
		want = append(want, text)
	}
	if got = append(got, k.read(t)...); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if !k.empty() {
		t.Error("not empty, and nothing to read")
	}
}

// TestRingBusy: what is being written is not read, nor what is behind it; what was
// given up is passed over.
func TestRingBusy(t *testing.T) {
	k := newKernelSide(256)
	k.write("first", 0)
	k.write("given up", ringDiscard)
	at := k.written
	k.write("in work", ringBusy)
	k.write("last", 0)
	if got := k.read(t); !slices.Equal(got, []string{"first"}) || k.empty() {
		t.Errorf("got %q, empty %v", got, k.empty())
	}
	binary.NativeEndian.PutUint32(k.data[k.offset(at):], uint32(len("in work")))
	if got := k.read(t); !slices.Equal(got, []string{"in work", "last"}) || !k.empty() {
		t.Errorf("got %q, empty %v", got, k.empty())
	}
}

// TestRingFrees: who reads on without ever coming to an end gives room back.
func TestRingFrees(t *testing.T) {
	k := newKernelSide(1024)
	for range 40 {
		k.write("twenty-four bytes with..", 0)
	}
	for range 20 {
		_, _ = k.next()
	}
	if k.freed == 0 || k.freed > k.at {
		t.Errorf("read up to %d, given back up to %d", k.at, k.freed)
	}
}

func TestRingMalformed(t *testing.T) {
	k := newKernelSide(256)
	k.write("short", 0)
	binary.NativeEndian.PutUint32(k.data, 200)
	if sample, err := k.next(); !errors.Is(err, errRecord) {
		t.Errorf("got %q, %v", sample, err)
	}
}
