package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// settle is how long a tool that has just attached is left alone: it may still
// tell what was there.
const settle = 50 * time.Millisecond

// startIpctrace runs ipctrace until it is attached.
func (b *bench) startIpctrace(ctx context.Context, stdout *os.File, args ...string) (*tool, error) {
	t, err := startTool(ctx, "attached", stdout, append([]string{b.ipctrace}, args...)...)
	if err != nil {
		return nil, err
	}
	if err := t.attached(); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	return t, nil
}

// record has do happen while ipctrace records into a file on the disk, and yields
// the account of it.
func (b *bench) record(ctx context.Context, do func(*tool) error, args ...string) (account, error) {
	file, remove := b.scratch("record.jsonl")
	defer remove()
	t, err := b.startIpctrace(ctx, nil, append([]string{"record", "-o", file}, args...)...)
	if err != nil {
		return account{}, err
	}
	err = do(t)
	// Exit status 1 says that the disk was too slow: the account says so too.
	stopped := t.stop()
	if err != nil {
		return account{}, err
	}
	a, err := readAccount(file)
	if err != nil {
		return a, errors.Join(stopped, err)
	}
	a.tool = t
	return a, nil
}

// An account is what a log says of itself, and what is in it.
type account struct {
	event.Stop
	Opens uint64 // lines that tell of the producers' calls on their queues
	tool  *tool
}

// Words of the lines that are of interest: every line has "event" in front of what
// others could choose.
var (
	stopWord = []byte(`"event":"` + event.TraceStop + `"`)
	openWord = []byte(`"event":"` + event.ObjectOpen + `"`)
	keyWord  = fmt.Appendf(nil, `"key":"0x%08x"`, queueKey)
)

func readAccount(file string) (account, error) {
	f, err := os.Open(file)
	if err != nil {
		return account{}, err
	}
	defer f.Close()
	return parseAccount(f)
}

func parseAccount(r io.Reader) (account, error) {
	var a account
	ended := false
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) { // what is so long is a seal
			return a, err
		}
		switch {
		case bytes.Contains(line, openWord) && bytes.Contains(line, keyWord):
			a.Opens++
		case bytes.Contains(line, stopWord):
			e, err := event.Parse(bytes.TrimSpace(line))
			if err != nil {
				return a, err
			}
			a.Stop, ended = *e.Stop, true
		}
	}
	if !ended {
		return a, errors.New("the log has no trace.stop")
	}
	return a, nil
}

// lost is the part of the events that did not come to be written.
func (a *account) lost() float64 {
	if a.Produced == 0 {
		return 0
	}
	return float64(a.Lost+a.Dropped) / float64(a.Produced)
}

// check says what is wrong with it, where the producers have made so many calls.
// Others may have made calls meanwhile, and lost some.
func (a *account) check(calls int) error {
	made := uint64(calls)
	missing := a.Lost + a.Dropped
	switch {
	case a.Produced != a.Delivered+a.Lost:
		return fmt.Errorf("%d produced, but %d delivered + %d lost", a.Produced, a.Delivered, a.Lost)
	case a.Skipped > 0:
		return fmt.Errorf("the kernel skipped %d runs of the hook", a.Skipped)
	case a.Produced < made:
		return fmt.Errorf("%d produced of %d calls", a.Produced, made)
	case a.Opens > made || a.Opens+missing < made || a.Opens+missing-made > a.Produced-made:
		return fmt.Errorf("%d calls, but %d in the log + %d lost", made, a.Opens, missing)
	}
	return nil
}
