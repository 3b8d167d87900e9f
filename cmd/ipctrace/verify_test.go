package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"golang.org/x/sys/unix"
)

// TestVerifyHostile: a log may come from anybody. What it says reaches no terminal
// raw, and makes no lines of its own.
func TestVerifyHostile(t *testing.T) {
	const hostile = "\x1b]0;owned\a\u202e\nwhole: all is fine"
	begin := event.Event{V: 1, Seq: 1, Event: event.TraceStart, Start: &event.Start{
		Host: hostile, Log: &event.Log{ID: hostile, Part: 2, After: hostile},
	}}
	seal := event.Event{V: 1, Seq: 2, Event: event.TraceSeal, Seal: &event.Seal{
		First: 1, Last: 1, CRCs: hostile, Key: hostile, Hash: hostile, Signature: hostile, CRC: hostile,
	}}
	own := filepath.Join(t.TempDir(), "own")
	log, err := journal.Open(journal.Config{File: own, Now: now, Warn: func(text string) { t.Error(text) }})
	if err == nil {
		err = errors.Join(log.Write(&event.Event{Event: event.TraceStart, Start: &event.Start{}}), log.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, parsable, _ := bytes.Cut(readFile(t, own), []byte("\n"))
	for _, text := range [][]byte{
		append(begin.AppendJSON(nil), '\n'),
		append(append(append(begin.AppendJSON(nil), '\n'), seal.AppendJSON(nil)...), '\n'),
		append(append(begin.AppendJSON(nil), '\n'), parsable...),
	} {
		out, err := exec.Command("ipctrace", "verify", writeFile(t, "log", text)).Output()
		if err == nil || strings.Count(string(out), "whole: all is fine") != strings.Count(string(out), `\nwhole: all is fine`) {
			t.Errorf("%v: %s", err, out)
		}
		for _, r := range string(out) {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U came through: %q", r, out)
			}
		}
	}
}

// TestVerifyEnds: Ctrl-C ends it while it waits, and there is no verdict.
func TestVerifyEnds(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{fifo, "-"} {
		var out bytes.Buffer
		cmd := exec.Command("ipctrace", "verify", name)
		cmd.Stdout, cmd.Stderr = &out, &out
		input, err := cmd.StdinPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		defer time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
		if name == fifo { // opens when its reader does
			if input, err = os.OpenFile(fifo, os.O_WRONLY, 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := input.Write(make([]byte, 1<<18)); err != nil { // more than fits unless it reads
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != exitFinding || out.String() != "ipctrace: interrupted: not verified\n" {
			t.Errorf("%s: exit status %d: %s", name, status, &out)
		}
		_ = input.Close()
	}
}
