package kernels

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Result is what a guest's console said.
type Result struct {
	Kernel  string // as uname -r
	Jobs    []JobResult
	Done    bool   // init came to its end
	Tainted uint64 // /proc/sys/kernel/tainted at the end
	Oops    string // the first line of an oops or panic
	Console []byte // all of it
}

// JobResult is one job's output and exit status; Status is -1 if it did not end.
type JobResult struct {
	Name   string
	Status int
	Output string
}

// taintDie is the bit of /proc/sys/kernel/tainted that an oops sets.
const taintDie = 1 << 7

// oopsLine matches the kernel's own lines only: they carry a time stamp. It may
// follow an unfinished line of the job.
var oopsLine = regexp.MustCompile(`\[ *\d+\.\d{6}\] (.*(?:Kernel panic|Oops|BUG: |Unable to handle kernel|general protection fault).*)`)

// ParseConsole reads the lines that guest/init wrote around the jobs' output.
func ParseConsole(r io.Reader) (Result, error) {
	p := parser{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		p.line(strings.TrimRight(line, "\r\n"), line != "")
		if errors.Is(err, io.EOF) {
			p.endJob()
			return p.result, p.err
		}
		if err != nil {
			return p.result, fmt.Errorf("read console: %w", err)
		}
	}
}

type parser struct {
	result Result
	job    *JobResult // running now
	output strings.Builder
	err    error
}

func (p *parser) line(line string, there bool) {
	if !there {
		return
	}
	if m := oopsLine.FindStringSubmatch(line); m != nil && p.result.Oops == "" {
		p.result.Oops = m[1]
	}
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case p.job == nil && word == "IPCTRACE-KERNEL":
		p.result.Kernel = rest
	case p.job == nil && word == "IPCTRACE-START":
		p.job = &JobResult{Name: rest, Status: -1}
	case p.job == nil && word == "IPCTRACE-DONE":
		p.done(rest)
	case p.job != nil && p.exit(word, rest):
	case p.job != nil:
		p.output.WriteString(line + "\n")
	}
}

// exit takes the exit line of the job that runs; a test's output that looks like
// another's is only output.
func (p *parser) exit(word, rest string) bool {
	name, status, _ := strings.Cut(rest, " ")
	if word != "IPCTRACE-EXIT" || name != p.job.Name {
		return false
	}
	n, err := strconv.Atoi(status)
	if err != nil {
		return false
	}
	p.job.Status = n
	p.endJob()
	return true
}

func (p *parser) endJob() {
	if p.job == nil {
		return
	}
	p.job.Output = strings.TrimSuffix(p.output.String(), "\n")
	p.output.Reset()
	p.result.Jobs = append(p.result.Jobs, *p.job)
	p.job = nil
}

func (p *parser) done(tainted string) {
	n, err := strconv.ParseUint(tainted, 10, 64)
	if err != nil {
		p.err = fmt.Errorf("guest's last line: taint %q", tainted)
		return
	}
	p.result.Done, p.result.Tainted = true, n
}

// Err says why the guest as a whole is a failure, apart from its jobs' statuses.
func (r Result) Err() error {
	switch {
	case r.Oops != "":
		return fmt.Errorf("kernel: %s", r.Oops)
	case r.Kernel == "":
		return errors.New("the guest did not come up")
	case !r.Done:
		return errors.New("the guest ended before its jobs did")
	case r.Tainted&taintDie != 0:
		return fmt.Errorf("the kernel oopsed (tainted %d)", r.Tainted)
	}
	return nil
}
