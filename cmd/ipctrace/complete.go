package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/container"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/stream"
	"github.com/ipctrace/ipctrace/internal/view"
	"github.com/ipctrace/ipctrace/nsresolve"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
)

func newCompletion() *cobra.Command {
	scripts := map[string]func(c *cobra.Command) error{
		"bash": func(c *cobra.Command) error { return c.Root().GenBashCompletionV2(c.OutOrStdout(), true) },
		"zsh":  func(c *cobra.Command) error { return c.Root().GenZshCompletion(c.OutOrStdout()) },
		"fish": func(c *cobra.Command) error { return c.Root().GenFishCompletion(c.OutOrStdout(), true) },
	}
	shells := []string{"bash", "zsh", "fish"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the script that completes command lines in a shell",
		Long: `completion prints what makes a shell complete the commands, flags and values of
ipctrace: kinds and events, and what there is at that moment, namespaces, containers,
processes and users, as far as the user who types may see them. "make install" and
packages put it where the shells look for it; for a session, see the examples.
The script for bash needs the package bash-completion.`,
		Example: `  source <(ipctrace completion bash)    # this session of bash
  source <(ipctrace completion zsh)     # of zsh
  ipctrace completion fish | source     # of fish`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("one shell: ipctrace completion bash|zsh|fish")
			}
			if scripts[args[0]] == nil {
				return usagef("no completion for %q: bash, zsh or fish%s", args[0], didYouMean(args[0], shells))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return scripts[args[0]](c) },
	}
}

// A completer gives values for a word that is being typed, each with what it is
// after a tab.
type completer func(c *cobra.Command, word string) []string

// liveValues are the flags whose values are what there is now.
var liveValues = map[string]completer{
	"ns":           placesNow,
	"pid":          processesNow,
	"comm":         commsNow,
	"container":    containersNow,
	"uid":          usersNow,
	"user":         usersNow,
	"fail-on-fail": errnosNow,
}

// completeFlags has the shell complete the values of all flags of all commands.
func completeFlags(c *cobra.Command) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if complete := completionOf(f); complete != nil {
			_ = c.RegisterFlagCompletionFunc(f.Name, complete) // the root's flags are live's, and are it already
		}
	})
	for _, sub := range c.Commands() {
		completeFlags(sub)
	}
}

// completionOf is nil where it is a file that the flag takes, which shells complete
// by themselves.
func completionOf(f *pflag.Flag) cobra.CompletionFunc {
	switch takes, _ := pflag.UnquoteUsage(f); {
	case f.Name == "ns" && !strings.Contains(takes, "self"): // of a log, whose namespaces are not those of now
		return completeBy(func(*cobra.Command, string) []string { return []string{offer("host", "the initial namespace")} }, true)
	case liveValues[f.Name] != nil:
		return completeBy(liveValues[f.Name], f.Value.Type() == "stringSlice")
	case strings.Contains(takes, "FILE"), takes == "SOCKET":
		return nil
	case takes == "DIR":
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	case choices[f.Name] != nil:
		return completeBy(func(*cobra.Command, string) []string { return choices[f.Name] }, f.Value.Type() == "stringSlice")
	case takes == strings.ToLower(takes) && strings.Contains(takes, "|"):
		return completeBy(func(*cobra.Command, string) []string { return strings.Split(takes, "|") }, false)
	}
	return cobra.NoFileCompletions
}

// completePIDs completes the arguments of ns.
func completePIDs(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	return completeBy(processesNow, false)(c, args, word)
}

// completeCommand completes what run is to start: a program, and then files.
func completeCommand(_ *cobra.Command, args []string, word string) (programs []string, _ cobra.ShellCompDirective) {
	if len(args) > 0 || strings.Contains(word, "/") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if strings.HasPrefix(f.Name(), word) && plain.MatchString(f.Name()) {
				programs = append(programs, f.Name())
			}
		}
	}
	slices.Sort(programs)
	return slices.Compact(programs), cobra.ShellCompDirectiveNoFileComp
}

// completeBy takes care of lists: what is typed is the last of their values.
func completeBy(values completer, list bool) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		before := ""
		if i := strings.LastIndex(word, ","); list && i >= 0 {
			before, word = word[:i+1], word[i+1:]
		}
		var all []string
		for _, v := range values(c, word) {
			if strings.HasPrefix(v, word) {
				all = append(all, before+v)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
}

// plain are words that mean nothing else to any shell. Others are not offered: what
// processes call themselves is theirs.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@+-]+$`)

// offer is a value and what it is.
func offer(value, what string) string {
	const widest = 40
	return value + "\t" + view.Safe(what, widest)
}

func placesNow(_ *cobra.Command, word string) []string {
	if strings.HasPrefix(word, "p") {
		return processesAs("pid:")
	}
	all := []string{offer("self", "the namespace of this shell"), offer("host", "the initial namespace")}
	seen := map[uint64]bool{}
	for pid := range glance() {
		if inode, ok := ipcOf(pid); ok && !seen[inode] {
			seen[inode] = true
			all = append(all, offer(strconv.FormatUint(inode, 10), called(inode, pid)))
		}
	}
	return all
}

func processesNow(*cobra.Command, string) []string { return processesAs("") }

func processesAs(prefix string) (all []string) {
	for pid := range glance() {
		if s, ok := statOf(pid); ok && !s.kernel {
			all = append(all, offer(prefix+strconv.Itoa(pid), s.comm))
		}
	}
	return all
}

func commsNow(*cobra.Command, string) (all []string) {
	for pid := range glance() {
		if s, ok := statOf(pid); ok && !s.kernel && plain.MatchString(s.comm) {
			all = append(all, s.comm)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// containersNow are known by the first of their processes; if the line names an engine,
// by what that calls them.
func containersNow(c *cobra.Command, _ string) (all []string) {
	first := map[nsresolve.Container]int{}
	var found []nsresolve.Container
	for pid := range glance() {
		if in, ok := containerOf(pid); ok && plain.MatchString(in.ID) && first[in] == 0 {
			first[in] = pid
			found = append(found, in)
		}
	}
	names := namesNow(c, found)
	defer names.Close()
	for _, in := range found {
		named := stream.Contained(in, names)
		s, _ := statOf(first[in])
		all = append(all, offer(in.ID, in.Runtime+" "+cmp.Or(named.Called(), s.comm)))
	}
	return all
}

// namesNow asks the engines that the line names; nil if it names none.
func namesNow(c *cobra.Command, containers []nsresolve.Container) *container.Names {
	const patience = 300 * time.Millisecond
	var engines container.Sockets
	engines.Docker, _ = c.Flags().GetString("docker")
	engines.CRI, _ = c.Flags().GetString("cri")
	names, err := container.Open(engines, func() {})
	if err != nil || names == nil {
		return nil
	}
	for _, in := range containers {
		names.Of(in.ID, in.Runtime)
	}
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	names.Wait(ctx)
	return names
}

func errnosNow(*cobra.Command, string) (all []string) {
	for errno := unix.Errno(1); errno <= event.MaxErrno; errno++ {
		if name := unix.ErrnoName(errno); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func usersNow(*cobra.Command, string) (all []string) {
	text, _ := os.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, ":"); ok && plain.MatchString(name) {
			all = append(all, name)
		}
	}
	return all
}
