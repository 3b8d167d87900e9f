package kernels

import (
	"regexp"
	"strings"
)

// TestOutput is what matters in the output of a Go test binary run with -test.v.
type TestOutput struct {
	TopLevel []string // the PASS and FAIL lines of top-level tests, and the final one
	Skips    []Skip
	Failures []Failure
	NoTests  bool // the pattern matched nothing
}

// Failure is a test, at any level, that failed, and what it logged.
type Failure struct {
	Name string
	Log  []string
}

// Skip is a test, at any level, that was skipped, and why.
type Skip struct{ Name, Reason string }

// NotApplicable reports whether the skip says that what it tests cannot exist
// on this kernel, with the word n/a.
func (s Skip) NotApplicable() bool { return naWord.MatchString(s.Reason) }

var (
	naWord   = regexp.MustCompile(`(?i)(^|[^\w/])n/a($|[^\w/])`)
	nowLine  = regexp.MustCompile(`^=== (?:RUN|NAME|CONT|PAUSE) +(\S+)`)
	endLine  = regexp.MustCompile(`^( *)--- (PASS|FAIL|SKIP): (\S+)`)
	lastLine = regexp.MustCompile(`^(PASS|FAIL)$`)
)

// ParseTests reads the output of a Go test binary. A test's log comes before
// its result, between "===" lines that say whose it is.
func ParseTests(output string) TestOutput {
	var (
		out TestOutput
		now string
		log = map[string][]string{}
	)
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if m := nowLine.FindStringSubmatch(line); m != nil {
			now = m[1]
		} else if m := endLine.FindStringSubmatch(line); m != nil {
			out.end(m[1] == "", m[2], m[3], line, log[m[3]])
		} else if lastLine.MatchString(line) {
			out.TopLevel = append(out.TopLevel, line)
		} else if line == "testing: warning: no tests to run" {
			out.NoTests = true
		} else {
			log[now] = append(log[now], strings.TrimSpace(line))
		}
	}
	return out
}

func (o *TestOutput) end(top bool, verdict, name, line string, log []string) {
	switch verdict {
	case "SKIP":
		o.Skips = append(o.Skips, Skip{Name: name, Reason: strings.Join(log, " ")})
		return
	case "FAIL":
		o.Failures = append(o.Failures, Failure{Name: name, Log: log})
	}
	if top {
		o.TopLevel = append(o.TopLevel, line)
	}
}
