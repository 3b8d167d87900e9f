package tracer

import (
	"time"

	"golang.org/x/sys/unix"
)

// resample is how old the offset between the two clocks may get. A step of the
// wall clock shows in the events after at most this long.
const resample = time.Second

// Clock turns CLOCK_BOOTTIME stamps into wall time. Boot time goes on over
// suspend and never steps; wall time does step, so the offset between the two is
// measured again and again instead of once. The zero Clock is ready for use. Not
// for concurrent use.
type Clock struct {
	offset  time.Duration // CLOCK_REALTIME − CLOCK_BOOTTIME
	sampled time.Duration // boot time of the last measurement
	read    func(clock int32) time.Duration
}

// Wall is the wall time of boot, a CLOCK_BOOTTIME stamp, in UTC.
func (c *Clock) Wall(boot time.Duration) time.Time {
	if c.offset == 0 || boot > c.sampled+resample {
		c.sample()
	}
	return time.Unix(0, int64(boot+c.offset)).UTC()
}

// Boot is CLOCK_BOOTTIME now.
func (c *Clock) Boot() time.Duration { return c.now(unix.CLOCK_BOOTTIME) }

// Offset is CLOCK_REALTIME − CLOCK_BOOTTIME as last measured.
func (c *Clock) Offset() time.Duration {
	if c.offset == 0 {
		c.sample()
	}
	return c.offset
}

// sample takes the tightest of three readings: between the two clocks of one
// reading the thread may have been off the CPU.
func (c *Clock) sample() {
	best := time.Duration(1<<63 - 1)
	for range 3 {
		before := c.now(unix.CLOCK_BOOTTIME)
		wall := c.now(unix.CLOCK_REALTIME)
		after := c.now(unix.CLOCK_BOOTTIME)
		if after-before < best {
			best = after - before
			c.offset = wall - (before + best/2)
			c.sampled = after
		}
	}
}

func (c *Clock) now(clock int32) time.Duration {
	if c.read != nil {
		return c.read(clock)
	}
	var ts unix.Timespec
	// Fails only for clocks that the kernel does not have.
	_ = unix.ClockGettime(clock, &ts)
	return time.Duration(ts.Nano())
}
