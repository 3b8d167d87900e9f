package main

import (
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/snapshot"
)

// TestLookExtra: what a look read that the later ones do not read is not counted.
func TestLookExtra(t *testing.T) {
	const at = time.Minute
	l := newLooks(nil)
	l.pending = &snapshot.Snapshot{From: at - 3*time.Second, To: at}
	l.taken(at + settle)
	if l.askAll(); !l.due(at + lookInterval) {
		t.Error("the first look holds up the next one")
	}
}

// TestLookShare: looks are a second apart, or so far that they take a twentieth of
// the time. What is asked for does not come sooner.
func TestLookShare(t *testing.T) {
	const at = time.Minute
	for _, tc := range []struct{ took, apart time.Duration }{
		{0, time.Second}, {time.Millisecond, time.Second}, {50 * time.Millisecond, time.Second},
		{100 * time.Millisecond, 2 * time.Second}, {3 * time.Second, time.Minute},
	} {
		l := newLooks(nil)
		l.extra, l.pending = false, &snapshot.Snapshot{From: at - tc.took, To: at}
		if l.taken(at+settle-1) != nil || l.taken(at+settle) == nil {
			t.Fatalf("%v: not handed out when its time had come", tc.took)
		}
		l.askAll()
		if l.due(at+tc.apart-1) || !l.due(at+tc.apart) {
			t.Errorf("a look of %v: the next one is not due after %v", tc.took, tc.apart)
		}
	}
}
