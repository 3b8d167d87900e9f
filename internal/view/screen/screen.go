// Package screen is the live screen: the IPC namespaces of a machine, or of a log that
// is played, side by side or one opened into its objects, what happens in them, and
// keys to move in all of that. It draws what inventory holds, a few times a second, and
// keeps of its own where the user is, the newest events, and how many there were of
// late. What it shows is copied while the inventory stands still, and laid out when that
// has gone on.
package screen

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
	"github.com/ipctrace/ipctrace/internal/view"
	"golang.org/x/sys/unix"
)

// interval is how far apart frames are.
const interval = 250 * time.Millisecond

// open is the screen that has the terminal; nil: none has.
var open atomic.Pointer[Screen]

// Screen has a terminal until it is closed.
type Screen struct {
	program *tea.Program
	out     *gauge
	memory  *memory
	ended   chan struct{} // closed when the terminal has been given back

	mu     sync.Mutex // guards failed
	failed error
}

// Scene is what there is to be shown at a moment.
type Scene struct {
	Inventory    *inventory.Inventory
	Tier         string // of hooks
	Started, Now time.Time
	Crowds       map[uint64]Crowd // by inode number of the namespace; nil: nobody has looked
	Playback     *Playback        // nil: it happens now
}

// Crowd is what no event tells of a namespace.
type Crowd struct {
	Processes int
	Limits    []view.Limit
}

// Look has see shown what there is, which stands still until see returns. Where there
// is nothing so far, see is not called.
type Look func(see func(*Scene))

// Controls are what keys do beyond the screen.
type Controls struct {
	Quit   func()
	Filter func(words string) (Filter, error) // what is to be shown, in the words of the flags
	Player Player                             // nil: it happens now
}

// Filter says what is to be shown.
type Filter interface {
	Wants(*event.Event, *inventory.Inventory) bool // whether an event is of what is meant
	Names(event.Type) bool                         // whether such events are
	Covers(ns *event.Namespace, kind string) bool  // whether objects of the kind in the namespace are; "": whether that is
}

// Open takes the terminal over, which Close gives back. Keys come from in; nil: there
// are none.
func Open(in, out *os.File, look Look, controls Controls, opts view.Options) *Screen {
	s := &Screen{out: &gauge{File: out}, memory: new(memory), ended: make(chan struct{})}
	m := newModel(look, controls, s.memory, opts.Complete())
	options := []tea.ProgramOption{
		tea.WithOutput(s.out), tea.WithInput(nil), tea.WithoutSignalHandler(), // which main does
		tea.WithFPS(framesPerSecond),
	}
	if in != nil {
		options = append(options, tea.WithInput(in))
	}
	s.program = tea.NewProgram(m, options...)
	open.Store(s)
	go s.run(controls.Quit)
	return s
}

// framesPerSecond is how often what has been drawn goes out at most. Keys are answered
// within that time.
const framesPerSecond = 12

// Keys is where keys come from: stdin, or when that is none the terminal that the
// program was started at; nil: there is none.
func Keys(stdin *os.File) *os.File {
	if _, err := unix.IoctlGetTermios(int(stdin.Fd()), unix.TCGETS); err == nil {
		return stdin
	}
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return nil
	}
	return tty
}

func (s *Screen) run(quit func()) {
	defer close(s.ended)
	if _, err := s.program.Run(); err != nil {
		s.fail(err)
		quit()
	}
}

func (s *Screen) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = fmt.Errorf("screen: %w", err)
}

func (s *Screen) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Write takes an event in that the inventory has taken in. The error is that of the
// terminal.
func (s *Screen) Write(e *event.Event, in *inventory.Inventory) error {
	s.memory.add(e, in)
	return s.err()
}

// Forget forgets the events: of what is shown from now on, others are told.
func (s *Screen) Forget() { s.memory.forget() }

// Close gives the terminal back as it was. It may be called again, and on nil.
func (s *Screen) Close() error {
	if s == nil {
		return nil
	}
	go s.program.Quit() // waits where the terminal does
	if err := s.await(); err != nil {
		s.fail(err)
	}
	open.CompareAndSwap(s, nil)
	if err := s.err(); !errors.Is(err, tea.ErrInterrupted) {
		return err
	}
	return nil
}

// GiveBack is deferred in goroutines that run beside a screen: should one panic, the
// terminal is given back before that is told.
func GiveBack() {
	broken := recover()
	if broken == nil {
		return
	}
	_ = open.Load().Close() // what is told is why
	panic(broken)
}
