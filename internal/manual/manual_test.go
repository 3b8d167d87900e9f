package manual_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/manual"
	"github.com/spf13/cobra"
)

func tree() (root, sub *cobra.Command) {
	root = &cobra.Command{Use: "tool", Short: "Do things", Long: "tool does.", Run: func(*cobra.Command, []string) {}}
	sub = &cobra.Command{
		Use: "do [flags] THING", Short: "IPC things", Example: "  tool do 'a\\b'  # so",
		Long: `do does it, with "tool other".
'tis so. See:
  one       the first,
            at length
  two, three
            others
And then.

.not a request

Exit status: 0 done · 1 not done.

Files:
  /etc/do   what to do`,
		Run: func(*cobra.Command, []string) {},
	}
	sub.Flags().StringP("how", "h", "well", "do it `SO`")
	sub.Flags().Bool("hidden", false, "nothing")
	_ = sub.Flags().MarkHidden("hidden")
	sub.Flags().Int("times", 0, "`N` times")
	sub.Flags().Lookup("times").NoOptDefVal = "2"
	root.PersistentFlags().Bool("quiet", false, "say nothing")
	root.AddCommand(sub, &cobra.Command{Use: "other", Short: "Else", Run: func(*cobra.Command, []string) {}})
	return root, sub
}

func TestPage(t *testing.T) {
	_, sub := tree()
	const want = `.TH TOOL\-DO 8 "" "tool" "System Manager's Manual"
.SH NAME
tool\-do \- IPC things
.SH SYNOPSIS
\fBtool do\fR [flags] THING
.SH DESCRIPTION
do does it, with \(dqtool other\(dq.
\(aqtis so. See:
.TP
\fBone\fR
the first,
at length
.TP
\fBtwo, three\fR
others
.PP
And then.
.PP
\&.not a request
.SH OPTIONS
.TP
\fB\-h\fR, \fB\-\-how\fR \fISO\fR
do it SO (default well)
.TP
\fB\-\-times\fR[=\fIN\fR]
N times
.TP
\fB\-\-quiet\fR
say nothing
.SH EXIT STATUS
.TP
\fB0\fR
done
.TP
\fB1\fR
not done
.SH FILES
.TP
\fB/etc/do\fR
what to do
.SH EXAMPLES
.nf
  tool do \(aqa\(rsb\(aq  # so
.fi
.SH SEE ALSO
\fB\%tool\fR(8),
\fB\%tool\-other\fR(8),
\fB\%ls\fR(1)
`
	if diff := cmp.Diff(want, string(manual.Page(sub, []string{"ls(1)"}))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRoot(t *testing.T) {
	root, _ := tree()
	page := string(manual.Page(root, nil))
	for _, want := range []string{
		"\n.TH TOOL 8 ", "\n\\fBtool\\fR \\fICOMMAND\\fR [flags]\n", "\n.SH COMMANDS\n.TP\n\\fBtool\\-do\\fR(8)\nIPC things\n.TP\n\\fBtool\\-other\\fR(8)\nElse\n",
		"\n.SH SEE ALSO\n\\fB\\%tool\\-do\\fR(8),\n\\fB\\%tool\\-other\\fR(8)\n",
	} {
		if !strings.Contains("\n"+page, want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
}

// FuzzPage: whatever a text has in it, it is text: roff finds no request and no escape
// in it that is not ours.
func FuzzPage(f *testing.F) {
	for _, text := range []string{"a", ".SH X", "'br", `\fBx\*(`, "  .TH\n\n..", "Exit status: 0 · ", "\n\n\n", "  a\n  b  c\n   d", "…", "a\n.b\n'c\n\\d"} {
		f.Add(text)
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		kerneltest.Lacks(f, "needs groff: .ci/setup test")
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := &cobra.Command{Use: "tool", Short: "x", Long: text, Example: text}
		page := manual.Page(c, nil)
		for line := range strings.Lines(string(page)) {
			request, _, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
			switch request {
			case ".TH", ".SH", ".TP", ".PP", ".nf", ".fi":
			default:
				if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
					t.Errorf("%q from %q", line, text)
				}
			}
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' || r == 0xfffd }) {
			return // groff takes no control characters, and we write none
		}
		cmd := exec.Command(groff, "-ww", "-K", "utf8", "-man", "-T", "utf8", "-z")
		cmd.Stdin = strings.NewReader(string(page))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%q: %v: %s", text, err, out)
		}
	})
}
