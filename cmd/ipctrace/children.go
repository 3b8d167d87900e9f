package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// children are the numbers of this program's child processes, which each of its
// threads may have. Where the kernel does not list them (CONFIG_PROC_CHILDREN) it
// is taken to have none.
func children() map[int]bool {
	all := map[int]bool{}
	files, _ := filepath.Glob("/proc/self/task/*/children") // fails only for a bad pattern
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, field := range bytes.Fields(text) {
			if pid, err := strconv.Atoi(string(field)); err == nil {
				all[pid] = true
			}
		}
	}
	return all
}

// stopped says whether the command is stopped.
func (c *command) stopped() bool {
	s, ok := statOf(c.process.Pid)
	return ok && s.state == 'T'
}

// stat is what /proc/PID/stat says of a process.
type stat struct {
	comm    string
	state   byte
	threads int    // that live, and the main one, also when it has ended
	start   uint64 // ticks after boot, as this program's time namespace has it
	kernel  bool   // it is a thread of the kernel's own
}

// lives says whether any thread of the process does: the main one may have ended
// before others (delay_group_leader, kernel/exit.c).
func (s stat) lives() bool { return s.state != 'X' && (s.state != 'Z' || s.threads > 1) }

// statOf reads fields 2, 3, 9, 20 and 22. All but the name stand behind it, and nothing there
// holds a parenthesis.
func statOf(pid int) (s stat, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return s, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return s, false
	}
	s.comm = string(text[bytes.IndexByte(text, '(')+1 : bytes.LastIndexByte(text, ')')])
	s.state = fields[0][0]
	const kthread = 0x00200000 // PF_KTHREAD, include/linux/sched.h
	flags, _ := strconv.ParseUint(string(fields[6]), 10, 32)
	s.kernel = flags&kthread != 0
	s.threads, _ = strconv.Atoi(string(fields[17]))
	s.start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return s, err == nil
}

// bootOffset is how far this program's time namespace has moved the clock that
// counts from boot: /proc shows times as who reads it has them (do_task_stat,
// fs/proc/array.c).
var bootOffset = sync.OnceValue(func() time.Duration {
	text, err := os.ReadFile("/proc/self/timens_offsets")
	if err != nil {
		return 0 // a kernel without time namespaces
	}
	for line := range bytes.Lines(text) {
		var seconds, nanoseconds int64
		if n, _ := fmt.Sscanf(string(line), "boottime %d %d", &seconds, &nanoseconds); n == 2 {
			return time.Duration(seconds)*time.Second + time.Duration(nanoseconds)
		}
	}
	return 0
})
