// Package manual makes man pages of the text that --help shows: of a command's long
// description, its flags and its examples.
//
// In a long description a paragraph is filled, and an indented line begins an item of
// a list: what stands before two blanks, or alone on the line, is the term. A paragraph
// that begins with the title of one of the sections that manuals have at their end
// («Exit status:», «Environment:», «Files:») is moved there.
package manual

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Section is that of commands for system administration.
const Section = 8

// sections are what a paragraph of the description can be, in the order in which
// man-pages(7) has them.
var sections = []string{"Exit status", "Environment", "Files"}

// Name is that of a command's page: ipctrace-live.
func Name(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// Page is the man page of a command, in roff as man(7) has it. See are the pages that
// it refers to, beside those of the command's own family that its text names:
// ipc_namespaces(7).
func Page(c *cobra.Command, see []string) []byte {
	var p page
	p.printf(".TH %s %d \"\" \"%s\" \"System Manager's Manual\"\n", strings.ToUpper(escape(Name(c))), Section, escape(c.Root().Name()))
	p.section("NAME")
	p.printf("%s \\- %s\n", escape(Name(c)), escape(lowerFirst(c.Short)))
	p.section("SYNOPSIS")
	p.synopsis(c)
	p.section("DESCRIPTION")
	body, ends := split(c.Long)
	p.paragraphs(body)
	p.commands(c)
	p.options(c)
	for _, title := range sections {
		if text := ends[title]; text != "" {
			p.section(strings.ToUpper(title))
			p.paragraphs(text)
		}
	}
	if c.HasExample() {
		p.section("EXAMPLES")
		p.verbatim(c.Example)
	}
	p.section("SEE ALSO")
	p.printf("%s\n", strings.Join(references(c, see), ",\n"))
	return p.Bytes()
}

type page struct{ bytes.Buffer }

func (p *page) printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

func (p *page) section(title string) { p.printf(".SH %s\n", title) }

func (p *page) synopsis(c *cobra.Command) {
	p.printf("\\fB%s\\fR%s\n", escape(c.CommandPath()), escape(strings.TrimPrefix(c.UseLine(), c.CommandPath())))
	if c.HasAvailableSubCommands() {
		p.printf(".br\n\\fB%s\\fR \\fICOMMAND\\fR [flags]\n", escape(c.CommandPath()))
	}
}

// split takes the closing sections out of a description.
func split(long string) (body string, ends map[string]string) {
	ends = map[string]string{}
	var rest []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(long), "\n\n") {
		title, text, ok := strings.Cut(paragraph, ":")
		if ok && slices.Contains(sections, title) {
			ends[title] = asList(strings.TrimLeft(text, "\n"))
			continue
		}
		rest = append(rest, paragraph)
	}
	return strings.Join(rest, "\n\n"), ends
}

// asList makes a list of «0 done · 2 wrong usage».
func asList(text string) string {
	if !strings.Contains(text, " · ") {
		return text
	}
	var list strings.Builder
	for item := range strings.SplitSeq(strings.TrimSuffix(strings.Join(strings.Fields(text), " "), "."), " · ") {
		term, meaning, _ := strings.Cut(item, " ")
		fmt.Fprintf(&list, "  %s  %s\n", term, meaning)
	}
	return list.String()
}

func (p *page) paragraphs(text string) {
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 && !term.MatchString(firstLine(paragraph)) {
			p.printf(".PP\n")
		}
		p.paragraph(paragraph)
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// term is the beginning of an item, and what of its meaning is on the same line.
var term = regexp.MustCompile(`^  (\S.*?)(?:   *(\S.*))?$`)

func (p *page) paragraph(text string) {
	listed := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		item := term.FindStringSubmatch(line)
		switch {
		case item != nil:
			p.printf(".TP\n\\fB%s\\fR\n", escape(item[1]))
			if item[2] != "" {
				p.line(item[2])
			}
			listed = true
			continue
		case listed && !strings.HasPrefix(line, " "):
			p.printf(".PP\n")
			listed = false
		}
		p.line(strings.TrimLeft(line, " "))
	}
}

// line is one of text that is filled.
func (p *page) line(text string) {
	if text != "" {
		p.printf("%s\n", escape(text))
	}
}

func (p *page) commands(c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	p.section("COMMANDS")
	for _, sub := range family(c) {
		p.printf(".TP\n\\fB%s\\fR(%d)\n%s\n", escape(Name(sub)), Section, escape(sub.Short))
	}
}

// family are the commands below one that have pages.
func family(c *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(c.Commands()), func(sub *cobra.Command) bool { return !sub.IsAvailableCommand() })
}

func (p *page) options(c *cobra.Command) {
	p.section("OPTIONS")
	for _, flags := range []*pflag.FlagSet{c.LocalFlags(), c.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				p.option(f)
			}
		})
	}
}

func (p *page) option(f *pflag.Flag) {
	takes, usage := pflag.UnquoteUsage(f)
	p.printf(".TP\n")
	if f.Shorthand != "" {
		p.printf("\\fB\\-%s\\fR, ", escape(f.Shorthand))
	}
	p.printf("\\fB\\-\\-%s\\fR", escape(f.Name))
	switch {
	case f.NoOptDefVal != "" && takes != "":
		p.printf("[=\\fI%s\\fR]", escape(takes))
	case takes != "":
		p.printf(" \\fI%s\\fR", escape(takes))
	}
	p.printf("\n%s", escape(usage))
	if !slices.Contains([]string{"", "0", "0s", "false", "[]"}, f.DefValue) {
		p.printf(" (default %s)", escape(f.DefValue))
	}
	p.printf("\n")
}

func (p *page) verbatim(text string) {
	p.printf(".nf\n")
	for line := range strings.Lines(text) {
		p.printf("%s\n", escape(strings.TrimRight(line, "\n")))
	}
	p.printf(".fi\n")
}

// references are the pages of the commands that the text names, then the others.
func references(c *cobra.Command, see []string) []string {
	var all []string
	add := func(name string, section any) { // \% keeps a name in one piece
		if reference := fmt.Sprintf("\\fB\\%%%s\\fR(%v)", escape(name), section); !slices.Contains(all, reference) {
			all = append(all, reference)
		}
	}
	if c.HasParent() {
		add(c.Root().Name(), Section)
	}
	for _, sub := range family(c.Root()) {
		named := regexp.MustCompile(`\b` + regexp.QuoteMeta(sub.CommandPath()) + `\b`)
		if sub != c && (c == c.Root() || named.MatchString(c.Long+c.Example+c.LocalFlags().FlagUsages())) {
			add(Name(sub), Section)
		}
	}
	for _, other := range see {
		name, section, _ := strings.Cut(strings.TrimSuffix(other, ")"), "(")
		add(name, section)
	}
	return all
}

// escape makes text that roff takes for nothing else: neither a request, at the
// beginning of a line, nor an escape; and a hyphen that can be copied.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\(rs`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`, "\n", " ").Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

func lowerFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if word == strings.ToUpper(word) && len(word) > 1 { // IPC
		return s
	}
	return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):]
}
