package screen

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestAwait: a terminal that is slow is waited for, one that takes nothing is not.
func TestAwait(t *testing.T) {
	for name, test := range map[string]struct {
		takes time.Duration // between two writes that it takes; 0: it takes none
		after time.Duration // it has been given back
		want  error
	}{
		"quick":   {0, time.Millisecond, nil},
		"late":    {0, patience - time.Millisecond, nil},
		"slow":    {patience / 2, 10 * patience, nil},
		"stalled": {0, patience + time.Millisecond, errStalled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer null.Close()
				s := &Screen{out: &gauge{File: null}, ended: make(chan struct{})}
				go func() {
					end := time.After(test.after)
					for {
						var takes <-chan time.Time
						if test.takes > 0 {
							takes = time.After(test.takes)
						}
						select {
						case <-takes:
							_, _ = s.out.WriteString("a frame")
						case <-end:
							close(s.ended)
							return
						}
					}
				}()
				if err := s.await(); !errors.Is(err, test.want) {
					t.Errorf("%v, want %v", err, test.want)
				}
			})
		})
	}
}
