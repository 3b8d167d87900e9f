package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
	state, _, ok := statOf(c.process.Pid)
	return ok && state == 'T'
}

// statOf is a process's state, and when it began in ticks after boot: fields 3 and
// 22 of /proc/PID/stat. They stand behind the name, and nothing behind that holds a
// parenthesis.
func statOf(pid int) (state byte, start uint64, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, false
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	return fields[0][0], start, err == nil
}
