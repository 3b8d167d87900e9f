package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/internal/view/screen"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usesKept is how many of the calls that opened it are kept of each object, to be
// looked at on the screen.
const usesKept = 16

// screenSink shows the events of a trace on the screen.
type screenSink struct {
	screen *screen.Screen
	of     *inventory.Inventory
}

func (s *screenSink) Write(e *event.Event) error { return s.screen.Write(e, s.of) }

// showScreen shows the trace on a terminal, and what stays of it when that is the
// user's again.
func (t *trace) showScreen(ctx context.Context, c *cobra.Command, count uint64, f *os.File, opts view.Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.inventory.KeepUses(usesKept)
	live := &liveScene{trace: t, started: time.Now()}
	controls := screen.Controls{Quit: cancel, Filter: func(words string) (screen.Filter, error) { return filterOf(words, livePlace) }}
	s := screen.Open(keysOf(c.InOrStdin()), f, live.look, controls, opts)
	defer s.Close()
	var surveying sync.WaitGroup
	surveying.Go(func() {
		defer screen.GiveBack()
		live.survey(ctx)
	})
	err := t.follow(ctx, count, &screenSink{s, t.inventory})
	cancel()
	surveying.Wait()
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	return t.summary(f, opts)
}

// keysOf are those of stdin, or of the terminal.
func keysOf(stdin io.Reader) *os.File {
	if file, ok := stdin.(*os.File); ok {
		return screen.Keys(file)
	}
	return nil
}

// liveScene is what a running trace has to show.
type liveScene struct {
	trace   *trace
	started time.Time
	crowds  atomic.Pointer[map[uint64]screen.Crowd]
	labeled time.Time // guarded by trace.mu
}

// look shows what is there now. What was there before is in the first scene already.
func (l *liveScene) look(see func(*screen.Scene)) {
	t := l.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun {
		return
	}
	now := time.Now()
	if now.Sub(l.labeled) >= time.Second {
		t.inventory.Relabel(t.label)
		l.labeled = now
	}
	scene := screen.Scene{Inventory: t.inventory, Tier: t.tracer.Tier().String(), Started: l.started, Now: now}
	if crowds := l.crowds.Load(); crowds != nil {
		scene.Crowds = *crowds
	}
	see(&scene)
}

// survey looks now and then who is in the namespaces, and how much of their limits is
// used: where nothing happens more seldom. That takes a fiftieth of the time of one CPU
// at most.
func (l *liveScene) survey(ctx context.Context) {
	const interval, quiet, share = 3 * time.Second, 15 * time.Second, 50
	for {
		began, happened := time.Now(), l.happened()
		if found, err := snapshot.TakeAll(ctx, l.trace.resolver); err == nil {
			crowds := crowdsOf(found)
			l.crowds.Store(&crowds)
		}
		wait := max(interval, share*time.Since(began))
		for more := true; more; more = l.happened() == happened && time.Since(began) < quiet {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
		}
	}
}

// happened is what has, so far.
func (l *liveScene) happened() inventory.Totals {
	l.trace.mu.Lock()
	defer l.trace.mu.Unlock()
	return l.trace.inventory.Totals()
}

func crowdsOf(found *snapshot.Snapshot) map[uint64]screen.Crowd {
	crowds := make(map[uint64]screen.Crowd, len(found.Namespaces))
	for i := range found.Namespaces {
		n := &found.Namespaces[i]
		crowd := screen.Crowd{Processes: len(n.Processes)}
		if n.Err == nil {
			crowd.Limits = limitsUsed(&n.Limits, func(string) bool { return true })
		}
		crowds[n.Inode] = crowd
	}
	return crowds
}

// filterOf reads the words of a filter: those of the flags, with or without dashes.
// What has a space in it stands in quotes: "comm=tmux: server".
func filterOf(words string, place func(string) (stream.Place, error)) (*stream.Filter, error) {
	reader := csv.NewReader(strings.NewReader(words))
	reader.Comma, reader.LazyQuotes = ' ', true
	fields, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("no closing quote")
	}
	var s filters
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.addPlaces(f, "")
	s.addCalls(f)
	var args []string
	for _, field := range slices.DeleteFunc(fields, func(s string) bool { return s == "" }) {
		arg, err := filterWord(f, field)
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if err := s.complete(f.Changed); err != nil {
		return nil, err
	}
	filter, err := s.filter(place)
	return &filter, err
}

// filterWord is a word as a flag.
func filterWord(f *pflag.FlagSet, word string) (string, error) {
	name, value := strings.TrimLeft(word, "-"), ""
	at := strings.IndexAny(name, "=:")
	valued := at > 0
	if valued {
		name, value = name[:at], name[at+1:]
	}
	flag := f.Lookup(name)
	switch {
	case flag == nil && !valued:
		return "", fmt.Errorf("%q: a filter is kind=, event=, ns=, pid=, uid=, comm=, container= or no-host; perhaps comm=%s", word, name)
	case flag == nil:
		return "", fmt.Errorf("no filter %q: kind, event, ns, pid, uid, comm, container or no-host", name)
	case valued:
		return "--" + name + "=" + value, nil
	case flag.NoOptDefVal == "":
		return "", fmt.Errorf("%s: no value: %s=…", name, name)
	}
	return "--" + name, nil
}
