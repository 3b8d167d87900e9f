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
	kernel, arch, model, load string
	cpus                      int
	busy                      float64 // part of the CPUs that others used before it began
	when                      time.Time
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
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	m.busy = busy(time.Second)
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

// busy is the part of the CPUs' time that is used while this program waits; that
// which a host took away counts as used.
func busy(d time.Duration) float64 {
	before, err := os.ReadFile("/proc/stat")
	time.Sleep(d)
	after, err2 := os.ReadFile("/proc/stat")
	if err != nil || err2 != nil {
		return 0
	}
	idle0, all0 := cpuTimes(string(before))
	idle1, all1 := cpuTimes(string(after))
	if all1 <= all0 {
		return 0
	}
	return 1 - float64(idle1-idle0)/float64(all1-all0)
}

// cpuTimes are of the line of all CPUs: user nice system idle iowait irq softirq
// steal, and guest times that are in the first two.
func cpuTimes(stat string) (idle, all uint64) {
	fields := strings.Fields(firstLine([]byte(stat)))
	for i, f := range fields[1:min(len(fields), 9)] {
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
