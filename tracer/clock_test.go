package tracer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fakeClock is the kernel's two clocks: boot goes on, the wall can step.
type fakeClock struct {
	boot, offset time.Duration
	// between is how long the thread is off the CPU before each reading, in turn.
	between  []time.Duration
	readings int
}

func (f *fakeClock) clock() *Clock { return &Clock{read: f.read} }

func (f *fakeClock) read(clock int32) time.Duration {
	if len(f.between) > 0 {
		f.boot += f.between[f.readings%len(f.between)]
	}
	f.readings++
	switch clock {
	case unix.CLOCK_BOOTTIME:
		return f.boot
	case unix.CLOCK_REALTIME:
		return f.boot + f.offset
	}
	panic("another clock")
}

// perSample is how many readings a measurement of the offset takes.
const perSample = 9

const epoch = 495_555 * time.Hour // of a wall clock in 2026

func checkWall(t *testing.T, c *Clock, boot, want time.Duration) {
	t.Helper()
	got := c.Wall(boot)
	if diff := got.Sub(time.Unix(0, int64(want))); diff != 0 {
		t.Errorf("wall time of %v is %v off", boot, diff)
	}
	if got.Location() != time.UTC {
		t.Errorf("wall time of %v is in zone %v", boot, got.Location())
	}
}

func TestClock(t *testing.T) {
	f := fakeClock{boot: time.Hour, offset: epoch}
	c := f.clock()
	checkWall(t, c, time.Hour, epoch+time.Hour)
	checkWall(t, c, time.Hour-1, epoch+time.Hour-1) // a stamp from before
	checkWall(t, c, 0, epoch)
	checkWall(t, c, time.Hour+time.Second, epoch+time.Hour+time.Second)
	if got := c.Offset(); got != epoch {
		t.Errorf("offset %v, want %v", got, epoch)
	}
	if got := c.Boot(); got != time.Hour {
		t.Errorf("boot %v, want %v", got, time.Hour)
	}
}

// TestClockOffset: also before any stamp was asked for.
func TestClockOffset(t *testing.T) {
	f := fakeClock{boot: time.Hour, offset: -time.Minute} // a machine whose wall clock was never set
	c := f.clock()
	if got := c.Offset(); got != -time.Minute {
		t.Errorf("offset %v, want -1m", got)
	}
	checkWall(t, c, time.Hour, 59*time.Minute)
	if f.readings != perSample {
		t.Errorf("%d readings, want %d", f.readings, perSample)
	}
}

// TestClockStep: somebody sets the wall clock, forward and back. Stamps younger
// than a second after the measurement may have the old offset, later ones not.
func TestClockStep(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -24 * time.Hour, 1} {
		f := fakeClock{boot: time.Hour, offset: epoch}
		c := f.clock()
		checkWall(t, c, f.boot, epoch+f.boot)
		f.offset += step
		f.boot += resample
		checkWall(t, c, f.boot, epoch+f.boot)
		f.boot++
		checkWall(t, c, f.boot, epoch+step+f.boot)
		f.boot++
		checkWall(t, c, f.boot, epoch+step+f.boot)
		if got := c.Offset(); got != epoch+step {
			t.Errorf("offset %v, want %v", got, epoch+step)
		}
	}
}

// TestClockSuspend: both clocks go on while the machine sleeps.
func TestClockSuspend(t *testing.T) {
	f := fakeClock{boot: time.Hour, offset: epoch}
	c := f.clock()
	before := f.boot
	checkWall(t, c, before, epoch+before)
	f.boot += 8 * time.Hour
	checkWall(t, c, f.boot, epoch+f.boot)
	checkWall(t, c, before, epoch+before) // read late, stamped before
	if got := c.Wall(f.boot).Sub(c.Wall(before)); got != 8*time.Hour {
		t.Errorf("%v between the stamps, want 8h", got)
	}
}

// TestClockPreempted: of three readings the one in which the thread was off the
// CPU for the shortest time counts.
func TestClockPreempted(t *testing.T) {
	const off, brief = 50 * time.Millisecond, 100 * time.Nanosecond
	for _, test := range []struct {
		name    string
		between []time.Duration // before boot, wall, boot; three times
		error   time.Duration   // how far off the offset may be: half the tightest reading
	}{
		{"never", make([]time.Duration, perSample), 0},
		{"first", []time.Duration{0, off, 0, 0, brief, brief, 0, off, off}, 0},
		{"last", []time.Duration{0, off, 0, 0, 0, off, 0, brief, brief}, 0},
		{"second and last", []time.Duration{0, brief, brief, 0, off, 0, 0, 0, off}, 0},
		{"between readings", []time.Duration{off, brief, brief, off, brief, brief, off, brief, brief}, 0},
		{"each, before the wall", []time.Duration{0, off, 0, 0, brief, 0, 0, off, 0}, brief / 2},
		{"each, after the wall", []time.Duration{0, 0, off, 0, 0, off, 0, 0, brief}, brief / 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := fakeClock{boot: time.Hour, offset: epoch, between: test.between}
			if got := (f.clock().Offset() - epoch).Abs(); got != test.error {
				t.Errorf("%v off, want %v", got, test.error)
			}
		})
	}
}

// TestClockResamples at most once a second, however many stamps there are.
func TestClockResamples(t *testing.T) {
	f := fakeClock{boot: time.Hour, offset: epoch}
	c := f.clock()
	const seconds, perSecond = 10, 1000
	start := f.boot
	for range seconds * perSecond {
		c.Wall(f.boot)
		f.boot += time.Second / perSecond
	}
	samples := f.readings / perSample
	if most := int((f.boot-start)/resample) + 1; samples > most || samples < seconds-1 {
		t.Errorf("%d measurements in %d s, want one a second", samples, seconds)
	}

	// Many late stamps, none younger than the last measurement.
	f.readings = 0
	for i := range 1000 {
		c.Wall(f.boot - time.Duration(i)*time.Millisecond)
	}
	if f.readings > perSample {
		t.Errorf("%d readings for late stamps, want %d at most", f.readings, perSample)
	}
}

// TestClockReal: the zero Clock tells the time.
func TestClockReal(t *testing.T) {
	var c Clock
	for range 3 {
		before := time.Now()
		got := c.Wall(c.Boot())
		if after := time.Now(); got.Before(before.Add(-time.Second)) || got.After(after.Add(time.Second)) {
			t.Errorf("%v, but it is %v", got, before.UTC())
		}
	}
}
