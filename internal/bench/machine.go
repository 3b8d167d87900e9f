package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine is what the figures are of.
type machine struct {
	kernel, arch, model string
	cpus                int
	when                time.Time
	before, during      float64 // part of the CPUs that others used before it began, and while it ran
	began               usage
}

func describeMachine(cpus int) machine {
	var name unix.Utsname
	_ = unix.Uname(&name) // fails only for a bad pointer
	m := machine{
		kernel: unix.ByteSliceToString(name.Release[:]), arch: unix.ByteSliceToString(name.Machine[:]),
		model: "unknown", cpus: cpus, when: time.Now().UTC(),
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.model = cpuModel(string(text))
	}
	idle := usageNow()
	time.Sleep(time.Second)
	m.began = usageNow()
	m.before = m.began.since(idle)
	return m
}

func cpuModel(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// usage is what the CPUs have done so far.
type usage struct {
	idle, all uint64  // ticks, of all CPUs
	own       float64 // seconds, by this program and its children that have ended
}

func usageNow() usage {
	var u usage
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		u.idle, u.all = cpuTimes(string(text))
	}
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		_ = unix.Getrusage(who, &r) // fails only for a bad pointer
		u.own += float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
	}
	return u
}

// since is the part of the CPUs' time that others used since then: what a host
// took away is in it, and what the kernel does on its own.
func (u usage) since(then usage) float64 {
	const ticks = 100 // a second: USER_HZ
	if u.all <= then.all {
		return 0
	}
	used := float64(u.all-then.all) - float64(u.idle-then.idle) - (u.own-then.own)*ticks
	return max(used, 0) / float64(u.all-then.all)
}

// cpuTimes are of the line of all CPUs: user nice system idle iowait irq softirq
// steal, and guest times that are in the first two.
func cpuTimes(stat string) (idle, all uint64) {
	fields := strings.Fields(firstLine([]byte(stat)))
	if len(fields) < 9 {
		return 0, 0
	}
	for i, f := range fields[1:9] {
		var n uint64
		if _, err := fmt.Sscan(f, &n); err != nil {
			return 0, 0
		}
		all += n
		if i == 3 || i == 4 {
			idle += n
		}
	}
	return idle, all
}
