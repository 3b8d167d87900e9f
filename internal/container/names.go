// Package container asks the engines of containers what they call theirs: Docker's
// API, and the one that Kubernetes speaks with its runtimes (CRI).
//
// Nobody who wants a name waits for it: what is not known is asked for, and known
// later. What engines say is believed, but bounded: an engine that is away, slow or
// hostile costs names, and no more.
package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ipctrace/ipctrace/internal/lru"
)

// Info is what an engine says of a container: valid UTF-8 of bounded length, which is
// not escaped. "" is what it does not say.
type Info struct {
	Name         string // of a pod's sandbox ""
	Image        string // as it was named when the container was made
	Pod          string // of Kubernetes
	PodNamespace string
}

// How long what an engine says may be, in bytes: NAME_MAX, and more than any
// reference to an image has.
const (
	maxName  = 255
	maxImage = 1024
)

func (i Info) bounded() Info {
	return Info{
		Name: text(i.Name, maxName), Image: text(i.Image, maxImage),
		Pod: text(i.Pod, maxName), PodNamespace: text(i.PodNamespace, maxName),
	}
}

func text(s string, most int) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), most)]), "")
}

const (
	maxKnown = 8192            // containers whose names are kept, the least recently used goes first
	maxQueue = 1024            // that wait to be asked for
	askers   = 4               // questions at once
	patience = 3 * time.Second // for an answer
	maxBytes = 1 << 20         // of an answer

	// How long after it brought no name a question is asked again, at first and at
	// last: a container may be asked for before its engine knows it.
	soon = time.Second
	late = time.Minute
)

// engine is one of those that can be asked.
type engine interface {
	// ask for a container by its id. errUnknown: it has none.
	ask(ctx context.Context, id string) (Info, error)
	close() error
}

var errUnknown = errors.New("no such container")

// Names are those of containers, as far as they are known. Safe for concurrent use.
// A nil *Names knows none.
type Names struct {
	docker, cri engine // nil: not to be asked
	now         func() time.Time
	patience    time.Duration // with an engine
	queue       chan question
	stop        context.CancelFunc
	askers      sync.WaitGroup

	mu    sync.Mutex
	idle  *sync.Cond // open is 0
	known *lru.Cache[string, *entry]
	open  int // questions that wait, or are being asked
	stats Stats
}

// Stats are totals: questions asked, and what became of them.
type Stats struct {
	Asked    uint64
	Answered uint64 // with a name, or more
	Unknown  uint64 // the engine has no such container
	Failed   uint64 // it gave no answer, or none that can be read
	Dropped  uint64 // not asked: too many waited. They are asked again
}

type question struct{ id, runtime string }

// entry is what is known of a container.
type entry struct {
	info    Info
	known   bool
	waiting bool          // for an answer
	again   time.Time     // to be asked not before
	pause   time.Duration // the last one
}

// Open begins to ask the engines behind sockets. It is nil where there are none.
// That an engine is not there is no error: it may come. What asks defers guard, so that
// it can recover, as the goroutines of a caller that holds a terminal do. To be closed.
func Open(s Sockets, guard func()) (*Names, error) {
	if s == (Sockets{}) {
		return nil, nil
	}
	if err := cmp.Or(Check(s.Docker), Check(s.CRI)); err != nil {
		return nil, err
	}
	var docker, cri engine
	if s.Docker != "" {
		docker = newDocker(socketPath(s.Docker))
	}
	if s.CRI != "" {
		var err error
		if cri, err = newCRI(socketPath(s.CRI)); err != nil {
			return nil, fmt.Errorf("CRI: %w", err)
		}
	}
	return open(docker, cri, time.Now, guard), nil
}

func open(docker, cri engine, now func() time.Time, guard func()) *Names {
	ctx, cancel := context.WithCancel(context.Background())
	n := &Names{
		docker: docker, cri: cri, now: now, patience: patience, stop: cancel,
		queue: make(chan question, maxQueue), known: lru.New[string, *entry](maxKnown),
	}
	n.idle = sync.NewCond(&n.mu)
	for range askers {
		n.askers.Go(func() {
			defer guard()
			n.work(ctx)
		})
	}
	return n
}

// Close stops asking. What is known stays known.
func (n *Names) Close() error {
	if n == nil {
		return nil
	}
	n.stop()
	n.askers.Wait()
	var errs []error
	for _, e := range []engine{n.docker, n.cri} {
		if e != nil {
			errs = append(errs, e.close())
		}
	}
	return errors.Join(errs...)
}

// Of is what is known of a container, by its id and its runtime as nsresolve tells
// them. If nothing is, it is asked for, unless it was a moment ago.
func (n *Names) Of(id, runtime string) (Info, bool) {
	if n == nil || !isID(id) {
		return Info{}, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.known.Get(id)
	if !ok {
		e = &entry{}
		n.known.Put(id, e)
	}
	if !e.known && !e.waiting && !n.now().Before(e.again) {
		n.ask(e, question{id, runtime})
	}
	return e.info, e.known
}

// ask puts a question into the queue. The caller has the lock.
func (n *Names) ask(e *entry, q question) {
	select {
	case n.queue <- q:
		n.stats.Asked++
		n.open++
		e.waiting = true
	default:
		n.stats.Dropped++
		e.again = n.now().Add(soon)
	}
}

// Wait waits until all that was asked so far is answered, or ctx ends.
func (n *Names) Wait(ctx context.Context) {
	if n == nil {
		return
	}
	defer context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.idle.Broadcast()
	})()
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.open > 0 && ctx.Err() == nil {
		n.idle.Wait()
	}
}

// Stats may be called at any time.
func (n *Names) Stats() Stats {
	if n == nil {
		return Stats{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stats
}

func (n *Names) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-n.queue:
			info, err := n.answer(ctx, q)
			n.take(q, info.bounded(), err)
		}
	}
}

// answer asks the engine that is likely to have it, then the other one.
func (n *Names) answer(ctx context.Context, q question) (Info, error) {
	engines := []engine{n.cri, n.docker}
	if q.runtime == "docker" || q.runtime == "podman" {
		engines = []engine{n.docker, n.cri}
	}
	failure := error(errUnknown)
	for _, e := range engines {
		if e == nil {
			continue
		}
		info, err := n.within(ctx, e, q.id)
		if err == nil {
			return info, nil
		}
		if !errors.Is(err, errUnknown) {
			failure = err
		}
	}
	return Info{}, failure
}

func (n *Names) within(ctx context.Context, e engine, id string) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, n.patience)
	defer cancel()
	return e.ask(ctx, id)
}

// take takes an answer in.
func (n *Names) take(q question, info Info, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.open--; n.open == 0 {
		n.idle.Broadcast()
	}
	switch {
	case err == nil:
		n.stats.Answered++
	case errors.Is(err, errUnknown):
		n.stats.Unknown++
	default:
		n.stats.Failed++
	}
	e, ok := n.known.Peek(q.id)
	if !ok {
		return // there were too many meanwhile
	}
	e.waiting, e.info, e.known = false, info, err == nil
	e.pause = min(max(soon, 2*e.pause), late)
	e.again = n.now().Add(e.pause)
}

// isID: engines know their containers by these; the names of other containers go
// into no request.
func isID(id string) bool {
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}
