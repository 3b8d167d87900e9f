package kernels

import (
	"bytes"
	"testing"
)

func TestConsoleIsBounded(t *testing.T) {
	full := 0
	c := &console{full: func() { full++ }}
	chunk := bytes.Repeat([]byte("x"), maxConsole/2+1)
	for range 3 {
		if n, err := c.Write(chunk); n != len(chunk) || err != nil {
			t.Fatal(n, err)
		}
	}
	if c.buf.Len() != maxConsole || full != 2 {
		t.Errorf("%d bytes kept, full %d times, want %d and 2", c.buf.Len(), full, maxConsole)
	}
}
