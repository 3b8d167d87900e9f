package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// hostile is what a process may call itself: no shell is to do what it says.
const hostile = "$(touch P)\x1b[2J"

// stranger is a process with that name in an IPC namespace of its own.
func stranger(t *testing.T) (pid int, inode string) {
	t.Helper()
	kerneltest.NeedRoot(t)
	program, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), hostile)
	if err := os.WriteFile(path, readFile(t, program), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWIPC}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	n, err := namespaceOf(strconv.Itoa(cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid, strconv.FormatUint(uint64(n), 10)
}

// completions are what a shell offers for a line, each as it shows it.
func completions(t *testing.T, shell, line string) []string {
	t.Helper()
	script := map[string]string{
		"bash": `
compopt() { :; } # there is no completion going on that it could change
source /usr/share/bash-completion/bash_completion
source <(ipctrace completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=63 COLUMNS=100
read -ra COMP_WORDS <<<"$1"
[[ $1 != *' ' ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
__start_ipctrace
printf '%s\n' "${COMPREPLY[@]}"`,
		"fish": `
ipctrace completion fish | source
complete -C $argv[1]`,
	}[shell]
	args := map[string][]string{
		"bash": {"--norc", "-c", script, "bash", line},
		"fish": {"--no-config", "-c", script, line},
	}[shell]
	cmd := exec.Command(shell, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%s: %q: %v: %s", shell, line, err, &stderr)
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "P")); err == nil {
		t.Errorf("%s: %q: what a process is called was executed", shell, line)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// offers says whether a value is among those with what it is beside it.
func offers(offered []string, value, what string) bool {
	return slices.ContainsFunc(offered, func(o string) bool {
		word, rest, _ := strings.Cut(strings.ReplaceAll(o, "\t", " "), " ")
		return word == value && strings.Contains(rest, what)
	})
}

// TestComplete: bash and fish complete commands, flags and values, also live ones.
func TestComplete(t *testing.T) {
	pid, inode := stranger(t)
	number := strconv.Itoa(pid)
	for _, shell := range []string{"bash", "fish"} {
		kerneltest.NeedProgram(t, shell)
		for _, tt := range []struct{ line, value, what string }{
			{"ipctrace d", "doctor", ""},
			{"ipctrace live --hoo", "--hooks", ""},
			{"ipctrace live --hooks fe", "fentry", ""},
			{"ipctrace live --kind s", "shm", ""},
			{"ipctrace live --kind msg,s", "msg,sem", ""},
			{"ipctrace --event namespace.f", "namespace.free", ""},
			{"ipctrace live --output ", "json", ""},
			{"ipctrace record --compress ", "zstd", ""},
			{"ipctrace replay --speed ", "10x", ""},
			{"ipctrace ls --sort c", "ctime", ""},
			{"ipctrace ls --ns ", "self", "this shell"},
			{"ipctrace ls --ns ", inode, `$(touch P)\x1b[2J[` + number + "]"},
			{"ipctrace replay --ns ", "host", ""},
			{"ipctrace live --pid ", number, `$(touch P)\x1b[2J`},
			{"ipctrace ns 1 ", number, `$(touch P)\x1b[2J`},
			{"ipctrace live --uid ro", "root", ""},
			{"ipctrace run --user ro", "root", ""},
			{"ipctrace run --fail-on-fail ENOSP", "ENOSPC", ""},
			{"ipctrace run -- unshar", "unshare", ""},
			{"ipctrace live --comm " + shell, shell, ""},
			{"ipctrace completion z", "zsh", ""},
		} {
			if offered := completions(t, shell, tt.line); !offers(offered, tt.value, tt.what) {
				t.Errorf("%s: %q: %q, want %q", shell, tt.line, offered, tt.value)
			}
		}
		for _, line := range []string{"ipctrace replay --ns ", "ipctrace report --ns "} { // of a log, not of now
			if all := completions(t, shell, line); len(all) != 1 || !offers(all, "host", "") {
				t.Errorf("%s: %q: %q", shell, line, all)
			}
		}
		for _, line := range []string{"ipctrace live --comm ", "ipctrace ls --ns ", "ipctrace live --pid "} {
			if all := strings.Join(completions(t, shell, line), "\n"); strings.ContainsAny(all, "\x1b\a\r") {
				t.Errorf("%s: %q: %q", shell, line, all)
			}
		}
		if pids := completions(t, shell, "ipctrace live --ns pid:"+number[:1]); shell == "fish" && !offers(pids, "pid:"+number, "") {
			t.Errorf("%s: %q", shell, pids)
		}
	}
}

// TestCompleteZsh: so does zsh, on a terminal.
func TestCompleteZsh(t *testing.T) {
	pid, inode := stranger(t)
	term := newTerminal(t, 100, 40)
	cmd := exec.Command(kerneltest.NeedProgram(t, "zsh"), "-f", "-i")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+cmd.Dir, "TERM=xterm", "LANG=C.UTF-8")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.slave, term.slave, term.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	press := func(keys string) { _, _ = io.WriteString(term.master, keys) }
	press("autoload -Uz compinit; compinit -u -D; source <(ipctrace completion zsh); LISTMAX=1000; echo rea''dy\n")
	term.await("ready")
	const clear = "\x15" // Ctrl-U: the line is to be another one
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"ipctrace doc", []string{"ipctrace doctor"}},
		{"ipctrace live --hooks fen", []string{"--hooks fentry"}},
		{"ipctrace live --kind msg,se", []string{"msg,sem"}},
		{"ipctrace ls --ns ", []string{inode, "$(touch P)", "x1b[2J[" + strconv.Itoa(pid) + "]"}}, // it takes a backslash for its own
	} {
		term.mu.Lock()
		before := term.got.Len()
		term.mu.Unlock()
		press(clear + tt.line + "\t")
		for _, want := range tt.want {
			term.awaitAfter(before, want)
		}
	}
	if _, err := os.Stat(filepath.Join(cmd.Dir, "P")); err == nil {
		t.Error("what a process is called was executed")
	}
}

// TestCompleteContainers: containers are offered by id, and name the namespaces of theirs;
// an engine that the line names says what they are called.
func TestCompleteContainers(t *testing.T) {
	dir, _ := kerneltest.Cgroup(t)
	c := startIn(t, dir, 1, "docker-%s.scope", 1, "-unshare", "keep", "msgget:0:384")
	defer c.end(t)
	inode, _ := ipcOf(c.cmd.Process.Pid)
	socket := dockerd(t, map[string]string{c.id: "we\x1b[2Jb"})
	for line, want := range map[string]string{
		"ls --ns ":          strconv.FormatUint(inode, 10) + "\tdocker " + c.id[:12],
		"live --container ": c.id + "\tdocker ipcmaker",
		"live --docker " + socket + " --container " + c.id[:4]: c.id + `	docker we\x1b[2Jb`,
	} {
		out, err := exec.Command("ipctrace", append([]string{"__complete"}, strings.Split(line, " ")...)...).Output()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %q, want %q", line, err, out, want)
		}
	}
}

// TestCompleteSaysNothing: who may see nothing is offered less, and told nothing.
func TestCompleteSaysNothing(t *testing.T) {
	_, inode := stranger(t)
	ipctrace := forNobody(t)
	for _, line := range [][]string{{"live", "--ns", ""}, {"live", "--container", ""}, {"ns", ""}, {"record", "--sign", ""}, {"replay", ""}} {
		cmd := asNobody(ipctrace, append([]string{"__completeNoDesc"}, line...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(stderr.String(), "Completion ended with directive: ") || strings.Count(stderr.String(), "\n") > 1 {
			t.Errorf("%q: %v: %s", line, err, &stderr) // the scripts leave out stderr all the same
		}
		if strings.Contains(string(out), inode) {
			t.Errorf("%q: %s", line, out)
		}
	}
}

// TestCompleteAllFlags: a flag whose value is no file is never completed by files.
func TestCompleteAllFlags(t *testing.T) {
	for _, c := range documented() {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			takes, _ := pflag.UnquoteUsage(f)
			if takes == "" { // nothing
				return
			}
			complete, ok := c.GetFlagCompletionFunc(f.Name)
			if file := strings.Contains(takes, "FILE") || takes == "SOCKET"; ok == file {
				t.Errorf("%s --%s %s: completed %v", c.CommandPath(), f.Name, takes, ok)
			}
			if !ok {
				return
			}
			if _, directive := complete(c, nil, ""); directive&(cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveFilterDirs) == 0 {
				t.Errorf("%s --%s: directive %d", c.CommandPath(), f.Name, directive)
			}
		})
	}
}
