package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// idOf is the id of the nth container.
func idOf(n int) string { return fmt.Sprintf("%064x", n) }

// fakeEngine answers as the test says, and counts how often it was asked.
type fakeEngine struct {
	mu     sync.Mutex
	asked  map[string]int
	answer func(ctx context.Context, id string) (Info, error)
}

func (f *fakeEngine) ask(ctx context.Context, id string) (Info, error) {
	f.mu.Lock()
	if f.asked == nil {
		f.asked = map[string]int{}
	}
	f.asked[id]++
	answer := f.answer
	f.mu.Unlock()
	return answer(ctx, id)
}

func (f *fakeEngine) close() error { return nil }

func (f *fakeEngine) answers(answer func(ctx context.Context, id string) (Info, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func called(name string) func(context.Context, string) (Info, error) {
	return func(context.Context, string) (Info, error) { return Info{Name: name}, nil }
}

func fails(err error) func(context.Context, string) (Info, error) {
	return func(context.Context, string) (Info, error) { return Info{}, err }
}

// clock is a time that the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func begin(t *testing.T, docker, cri engine) (*Names, *clock) {
	t.Helper()
	c := &clock{at: time.Unix(1000, 0)}
	n := open(docker, cri, c.now, func() {})
	n.patience = 200 * time.Millisecond
	t.Cleanup(func() { _ = n.Close() })
	return n, c
}

// name is what is known of a container once the answer is there.
func (n *Names) name(t *testing.T, id, runtime string) Info {
	t.Helper()
	n.Of(id, runtime)
	n.Wait(t.Context())
	info, _ := n.Of(id, runtime)
	return info
}

func TestNames(t *testing.T) {
	f := &fakeEngine{answer: called("web")}
	n, c := begin(t, f, nil)
	if info, known := n.Of(idOf(1), "docker"); known {
		t.Errorf("known before it was asked: %+v", info)
	}
	n.Wait(t.Context())
	f.answers(fails(errUnknown)) // it is gone
	for range 3 {
		c.advance(time.Hour)
		if info, known := n.Of(idOf(1), "docker"); !known || info.Name != "web" {
			t.Errorf("%+v, %v", info, known)
		}
	}
	if f.asked[idOf(1)] != 1 {
		t.Errorf("asked %d times", f.asked[idOf(1)])
	}
	for _, id := range []string{"", "web", idOf(1)[1:], strings.ToUpper(fmt.Sprintf("%064x", 0xab)), "../" + idOf(1)[3:]} {
		n.Of(id, "docker")
	}
	if len(f.asked) != 1 {
		t.Errorf("asked for what is no id: %v", f.asked)
	}
}

// TestGuard: who asks is given the time to put things in order should asking panic.
func TestGuard(t *testing.T) {
	recovered := make(chan any, 1)
	f := &fakeEngine{answer: func(context.Context, string) (Info, error) { panic("it breaks") }}
	n := open(f, nil, time.Now, func() {
		if why := recover(); why != nil {
			recovered <- why
		}
	})
	n.Of(idOf(1), "docker")
	if why := <-recovered; why != "it breaks" {
		t.Errorf("recovered %v", why)
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// TestUnknown: an engine is asked again, less and less often.
func TestUnknown(t *testing.T) {
	for _, err := range []error{errUnknown, errors.New("away")} {
		f := &fakeEngine{answer: fails(err)}
		n, c := begin(t, f, nil)
		var asked []int
		for range 200 {
			n.name(t, idOf(1), "docker")
			asked = append(asked, f.asked[idOf(1)])
			c.advance(time.Second)
		}
		if diff := cmp.Diff([]int{1, 2, 2, 3, 3, 3, 3, 4}, asked[:8]); diff != "" || asked[199] != 9 {
			t.Errorf("%v: asked %v", err, asked)
		}
		f.answers(called("there"))
		c.advance(late)
		if info := n.name(t, idOf(1), "docker"); info.Name != "there" {
			t.Errorf("%+v", info)
		}
		if s := n.Stats(); s.Asked != 10 || s.Answered != 1 || s.Unknown+s.Failed != 9 {
			t.Errorf("%+v", s)
		}
	}
}

// TestEngines: the likely one is asked first, and the other one too.
func TestEngines(t *testing.T) {
	for _, test := range []struct {
		runtime, docker, cri, want string
	}{
		{"docker", "d", "c", "d"}, {"podman", "d", "c", "d"}, {"containerd", "d", "c", "c"},
		{"kubernetes", "d", "c", "c"}, {"docker", "", "c", "c"}, {"cri-o", "d", "", "d"}, {"docker", "", "", ""},
	} {
		answer := func(name string) *fakeEngine {
			if name == "" {
				return &fakeEngine{answer: fails(errUnknown)}
			}
			return &fakeEngine{answer: called(name)}
		}
		n, _ := begin(t, answer(test.docker), answer(test.cri))
		if info := n.name(t, idOf(1), test.runtime); info.Name != test.want {
			t.Errorf("%+v: %+v", test, info)
		}
	}
}

// TestFlood: an engine that never answers holds nobody up, and what waits for it is
// bounded; what found no room is asked later.
func TestFlood(t *testing.T) {
	f := &fakeEngine{answer: func(ctx context.Context, id string) (Info, error) {
		<-ctx.Done()
		return Info{}, ctx.Err()
	}}
	n, c := begin(t, f, nil)
	n.patience = time.Hour
	const containers = 3 * maxKnown
	for i := range containers {
		n.Of(idOf(i), "docker")
	}
	s := n.Stats()
	if s.Asked+s.Dropped != containers || s.Asked > maxQueue+askers {
		t.Errorf("%+v", s)
	}
	if n.known.Len() != maxKnown {
		t.Errorf("%d kept", n.known.Len())
	}
	c.advance(soon)
	n.Of(idOf(containers-1), "docker")
	if again := n.Stats(); again.Asked+again.Dropped != containers+1 {
		t.Errorf("%+v", again)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	n.Wait(ended)
}

// TestBounds: what an engine says is cut, and is valid UTF-8.
func TestBounds(t *testing.T) {
	long := strings.Repeat("é", 3000) + "\xff"
	f := &fakeEngine{answer: func(context.Context, string) (Info, error) { return Info{long, long, long, long}, nil }}
	n, _ := begin(t, f, nil)
	want := Info{strings.Repeat("é", 127), strings.Repeat("é", 512), strings.Repeat("é", 127), strings.Repeat("é", 127)}
	if diff := cmp.Diff(want, n.name(t, idOf(1), "docker")); diff != "" {
		t.Error(diff)
	}
}

// TestNone: without sockets nothing is asked, and no one need look.
func TestNone(t *testing.T) {
	n, err := Open(Sockets{}, func() {})
	if n != nil || err != nil {
		t.Fatal(n, err)
	}
	if info, known := n.Of(idOf(1), "docker"); known || info != (Info{}) || n.Stats() != (Stats{}) {
		t.Error(info)
	}
	n.Wait(t.Context())
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func TestSockets(t *testing.T) {
	for _, s := range []Sockets{{Docker: "docker.sock"}, {CRI: "tcp://127.0.0.1:1"}, {CRI: "/" + strings.Repeat("x", maxSocket)}, {Docker: "unix://"}} {
		if n, err := Open(s, func() {}); err == nil {
			n.Close()
			t.Errorf("taken: %+v", s)
		}
	}
	dir := t.TempDir()
	if missing := (Sockets{Docker: dir, CRI: dir + "/none"}).Missing(); len(missing) != 2 {
		t.Errorf("%q", missing)
	}
}
