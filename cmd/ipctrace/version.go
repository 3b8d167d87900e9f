package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
)

// release is the version that whoever builds says it is: make build VERSION=….
var release string

// build is what is known of how this program was made. Its field names are those of
// --json. What is not known is "".
type build struct {
	Version  string            `json:"version"`
	Commit   string            `json:"commit"`
	Modified bool              `json:"modified"` // built from files that are not as in the commit
	Time     string            `json:"time"`     // of the commit, RFC 3339
	Go       string            `json:"go"`
	OS       string            `json:"os"`
	Arch     string            `json:"arch"`
	Tiers    []string          `json:"tiers"`   // compiled in, the one that is tried first before the others
	Objects  map[string]string `json:"objects"` // SHA-256 of what is loaded into the kernel
}

func newVersion() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Which build this is",
		Long: `version says which version this is, of which commit, made with which Go, and the
SHA-256 of the two objects that it loads into the kernel: the hooks, and what lists
tasks. What a build does not know, such as the commit of one from a tarball, is left out.`,
		Example: `  ipctrace version         # for people
  ipctrace version --json  # for programs`,
		Args:              noArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, _ []string) error {
			b := thisBuild()
			b.Objects = tracer.Objects()
			if asJSON {
				return writeJSON(c.OutOrStdout(), b)
			}
			return b.write(c.OutOrStdout())
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return command
}

// thisBuild leaves out the objects, which take some time.
func thisBuild() build {
	b := build{Version: release, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	for _, tier := range []tracer.Tier{tracer.Fentry, tracer.Syscall} {
		b.Tiers = append(b.Tiers, tier.String())
	}
	info, ok := debug.ReadBuildInfo()
	if ok && b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// version is what trace.start and --version say.
func version() string { return thisBuild().Version }

func (b build) write(w io.Writer) error {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-8s %s\n", name, value)
		}
	}
	if _, err := fmt.Fprintf(w, "ipctrace %s\n", b.Version); err != nil {
		return err
	}
	commit := b.Commit
	if b.Modified && commit != "" {
		commit += ", modified"
	}
	line("commit", commit)
	line("of", b.Time)
	line("go", fmt.Sprintf("%s %s/%s", b.Go, b.OS, b.Arch))
	line("tiers", strings.Join(b.Tiers, ", "))
	for _, name := range slices.Sorted(maps.Keys(b.Objects)) {
		line("object", b.Objects[name]+" "+name)
	}
	return nil
}
