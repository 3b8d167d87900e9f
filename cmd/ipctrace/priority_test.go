package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// TestRecordNice: the thread that reads and the one that writes go first, no others,
// and not what is started for the seals.
func TestRecordNice(t *testing.T) {
	kerneltest.NeedRoot(t)
	for flag, want := range map[string][]string{"": {"-10", "-10"}, "--nice=-3": {"-3", "-3"}, "--nice=0": nil} {
		dir := t.TempDir()
		args := []string{"record", "-o", filepath.Join(dir, "trace.jsonl"), "--seal-to", "|nice >" + filepath.Join(dir, "nice") + "; cat >/dev/null"}
		if flag != "" {
			args = append(args, flag)
		}
		s := begin(t, nil, args...)
		var got []string
		for range 100 { // it is attached before it reads
			if got = nicer(t, s.cmd.Process.Pid); slices.Equal(got, want) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: nice values %q, want %q", flag, got, want)
		}
		s.interrupt()
		if status := s.status(); status != exitDone {
			t.Errorf("%s: exit status %d: %s", flag, status, s.stderr)
		}
		if text := strings.TrimSpace(string(readFile(t, filepath.Join(dir, "nice")))); text != "0" {
			t.Errorf("%s: the command for seals has the nice value %q", flag, text)
		}
	}
}

// nicer are the nice values of a process's threads that are not 0.
func nicer(t *testing.T, pid int) (values []string) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		_, behind, _ := strings.Cut(string(text), ") ")
		const nice = 19 - 3 // fields of proc(5) are counted from 1; behind begins with the third
		if value := strings.Fields(behind)[nice]; value != "0" {
			values = append(values, value)
		}
	}
	return values
}
