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

// stopped says whether the command is stopped: the state in /proc/PID/stat, which
// stands behind the name, and nothing behind that holds a parenthesis.
func (c *command) stopped() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.process.Pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(text[max(0, bytes.LastIndexByte(text, ')')):], []byte(") "))
	return bytes.HasPrefix(rest, []byte("T"))
}
