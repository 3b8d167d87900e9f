package spool_test

import (
	"os"
	"testing"
)

// TestSegmentRemoved: the position is of a segment that somebody has removed, or that a
// loss of power took: what is put in later is none of it.
func TestSegmentRemoved(t *testing.T) {
	cfg := config(t, 1<<20)
	s := open(t, cfg)
	put(t, s, 0, 100)
	got, _ := s.Next(50, 1<<20)
	s.Done(len(got))
	must(t, s.Close())
	must(t, os.Remove(files(t, cfg)[0]))
	s = open(t, cfg)
	put(t, s, 100, 300)
	same(t, take(t, s, 40), texts(100, 300))
}
