package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
)

// notRun are the commands of the documents that TestDocs does not run, by what they
// have and no other, and why.
var notRun = map[string]string{
	"make prove":              "it builds anew; what it runs is here too",
	"make test":               "it runs this",
	"make build":              "TestInstall runs it, of deploy",
	"make install":            "TestInstall runs it, of deploy",
	"make deb":                "TestReproducible runs it, of internal/packaging",
	"apt install ./":          "TestDebian runs it, of internal/packaging, in a Debian of its own",
	"tar -xzf ipctrace-":      "TestReproducible and TestTarball run it, of internal/packaging",
	"git clone -q . /tmp/":    "TestReproducible makes it twice too, of internal/packaging",
	"make bench":              "it takes ten minutes",
	"pg_ctl start":            "TestRunDocs runs it, on a database",
	"runc run":                "TestRunDocs runs it, on a bundle",
	"openssl pkeyutl":         "TestRecordDocs runs it, on a log that is signed",
	"awk '/\"event\":\"trace": "TestRecordDocs runs it, on a log with two seals",
	"--since 04:33:20":        "TestReportDocs runs it, on a log of that time",
	"kafka-console-consumer":  "TestRecipe of internal/export/otlp runs it, without Kafka",
	"completion fish":         "TestComplete runs it, in fish",
	"completion zsh":          "TestCompleteZsh runs it, in zsh",
}

// notCommands begin what is set like a command, and is none.
var notCommands = []string{"produced", "delivered", "ipctrace_objects", "ipctrace (host", "└", "│", "{"}

// A docSource is a page, or the examples of a command: what is run one after the other
// in a directory.
type docSource struct {
	name     string
	commands []string
}

// docSources are all documents with commands in them.
func docSources(t *testing.T) []docSource {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []docSource
	for _, page := range append(pages, "../../README.md") {
		all = append(all, docSource{filepath.Base(page), commandsOf(string(readFile(t, page)))})
	}
	for _, c := range documented() {
		all = append(all, docSource{c.CommandPath(), strings.Split(c.Example, "\n")})
	}
	for i := range all {
		for j := range all[i].commands {
			all[i].commands[j] = strings.TrimSpace(all[i].commands[j])
		}
		all[i].commands = slices.DeleteFunc(all[i].commands, func(line string) bool { return line == "" })
	}
	return all
}

// commandsOf are the blocks of a page that are fenced as sh, each as a whole, and the
// lines of those that are indented.
func commandsOf(page string) (commands []string) {
	fence, fenced, blank := "", []string(nil), true
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		language, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && fenced == nil:
			fence, fenced = language, []string{}
		case isFence:
			if fence == "sh" {
				commands = append(commands, strings.Join(fenced, "\n"))
			}
			fenced = nil
		case fenced != nil:
			fenced = append(fenced, line)
		case strings.HasPrefix(line, "    ") && blank:
			commands = append(commands, line[4:])
			continue // the block goes on
		}
		blank = line == ""
	}
	return commands
}

// TestDocs runs every command of README.md, docs and the examples of --help.
func TestDocs(t *testing.T) {
	kerneltest.NeedRoot(t)
	for _, name := range []string{"bash", "jq", "make", "pkill", "ip", "logger", "fakeroot-sysv"} {
		kerneltest.NeedProgram(t, name)
	}
	unused := map[string]bool{}
	for text := range notRun {
		unused[text] = true
	}
	logs := t.TempDir() // a log that is signed
	make := exec.Command("sh", "-ec", "ipctrace keygen key; ipctrace record -o trace.jsonl --sign key --duration 1s; cp trace.jsonl t.jsonl")
	make.Dir = logs
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Run("all", func(t *testing.T) {
		for _, source := range docSources(t) {
			var run []string
			for _, command := range source.commands {
				if text := runElsewhere(command); text != "" {
					delete(unused, text)
				} else if isCommand(t, source.name, command) {
					run = append(run, command)
				}
			}
			t.Run(source.name, func(t *testing.T) {
				t.Parallel()
				runDocs(t, run, logs)
			})
		}
	})
	for text := range unused {
		t.Errorf("no document has %q any more", text)
	}
}

func runElsewhere(command string) string {
	for text := range notRun {
		if strings.Contains(command, text) {
			return text
		}
	}
	return ""
}

// isCommand: a synopsis is as --help has it, and is none.
func isCommand(t *testing.T, source, text string) bool {
	t.Helper()
	if slices.ContainsFunc(notCommands, func(word string) bool { return strings.HasPrefix(text, word) }) {
		return false
	}
	if strings.Contains(text, "[flags]") {
		for _, c := range documented() {
			if c.UseLine() == text {
				return false
			}
		}
		t.Errorf("%s: no --help has %q", source, text)
		return false
	}
	word := strings.TrimPrefix(strings.Fields(strings.TrimPrefix(text, "sudo "))[0], "bin/")
	if _, err := exec.LookPath(word); err != nil && word != "source" {
		t.Errorf("%s: neither a command nor known to be none: %q", source, text)
		return false
	}
	return true
}

// runDocs runs commands in a directory that has what they take for granted, as root
// who has sudo, with namespaces of their own for what they make and listen on.
func runDocs(t *testing.T, commands []string, logs string) {
	dir := reachable(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	program := forNobody(t)
	must(os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	must(os.Symlink(program, filepath.Join(dir, "bin/ipctrace")))
	must(os.WriteFile(filepath.Join(dir, "bin/sudo"), []byte("#!/bin/sh\nexec \"$@\"\n"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "Makefile"), []byte("check:\n\t@true\n"), 0o644))
	all := strings.Join(commands, "\n")
	for name, maker := range map[string]string{"trace.jsonl": "-o trace.jsonl", "t.jsonl": "-o t.jsonl", "key.pub": "keygen key"} {
		if !strings.Contains(all, maker) {
			must(os.WriteFile(filepath.Join(dir, name), readFile(t, filepath.Join(logs, name)), 0o644))
		}
	}
	self, parent := strconv.Itoa(os.Getpid()), strconv.Itoa(os.Getppid())
	places := strings.NewReplacer("1234", self, "5678", parent, "ns 1 ", "ns "+parent+" ", "/var/lib/ipctrace", dir, "/var/log", dir, "/tmp/", dir+"/")
	for _, command := range commands {
		cmd := exec.Command("bash", "-c", "ip link set lo up; set -o pipefail; "+places.Replace(command))
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+"/bin:"+os.Getenv("PATH"), "SHELL=/bin/sh")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET}
		if out, err := untilDone(cmd); err != nil {
			t.Errorf("%s: %v: %s", command, err, out)
		}
	}
}

// untilDone gives a command that traces some time to end by itself, and then Ctrl-C.
func untilDone(cmd *exec.Cmd) (said string, err error) {
	const enough, tooLong = 3 * time.Second, 2 * time.Minute
	var out attachedBuffer
	out.attached = make(chan struct{})
	cmd.Stdout, cmd.Stderr = &out, &out
	stdin, err := cmd.StdinPipe() // a shell ends with it
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ended:
			return
		case <-out.attached:
		}
		select {
		case <-ended:
		case <-time.After(enough):
			_ = stdin.Close()
			_ = exec.Command("pkill", "-INT", "--session", strconv.Itoa(cmd.Process.Pid), "--exact", "ipctrace").Run()
		}
	}()
	err = cmd.Wait()
	if ctx.Err() != nil && err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("did not end: %w", err)
	}
	return out.String(), err
}

// attachedBuffer is what was written, and when it has been said that it is attached.
type attachedBuffer struct {
	mu       sync.Mutex
	text     bytes.Buffer
	said     bool
	attached chan struct{}
}

func (b *attachedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.text.Write(p)
	if !b.said && bytes.Contains(b.text.Bytes(), []byte("attached")) {
		b.said = true
		close(b.attached)
	}
	return n, err
}

func (b *attachedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestDocsCommands: what is set as a command is found.
func TestDocsCommands(t *testing.T) {
	page := "Text:\n\n    one a\n    two b\n\n- list\n    no command\n\n```sh\nthree |\nc\n```\n```text\n    four\n```\n\n    five\n"
	want := []string{"one a", "two b", "three |\nc", "five"}
	if got := commandsOf(page); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
