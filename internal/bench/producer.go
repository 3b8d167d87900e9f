package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// setup is what a producer makes before it is told to call.
type setup struct {
	CPU        int // the one it stays on; -1: any
	Namespaces int // the calls go around these
	Objects    int // in each
	Stamps     int // calls whose return it notes, in the shared memory at descriptor 3
}

// An order is a run of calls.
type order struct {
	Call  string // msgget of a queue that is there, miss (msgget of keys that lead nowhere, one after the other), getppid
	Calls int
	Batch int // calls that are timed together
	Rate  int // calls a second; 0: as fast as it goes
	Burst int // after so many calls it rests; 0: it does not
}

// A pace is how a run went.
type pace struct {
	Cost    float64 // ns a call, without the slowest batches: in these something else ran
	Mean    float64 // likewise, of all
	Median  float64 // likewise, the batch in the middle
	Seconds float64 // of all, with the waiting for when the next are due
}

// A producer is a process that makes calls.
type producer struct {
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Reader
}

// startProducer returns when it is ready. before is the command that is to run
// it, if any.
func startProducer(ctx context.Context, s setup, stamps *os.File, before ...string) (*producer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	argv := append(before, self, "produce", string(config))
	p := &producer{cmd: command(ctx, argv...)}
	// It is not to be interrupted by its runtime.
	p.cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1", "GOGC=off")
	if stamps != nil {
		p.cmd.ExtraFiles = []*os.File{stamps}
	}
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	if _, err := p.answer(); err != nil {
		p.Close()
		return nil, fmt.Errorf("producer: %w", err)
	}
	return p, nil
}

func (p *producer) start() error {
	p.cmd.Stderr = os.Stderr
	var err error
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	answers, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.answers = bufio.NewReader(answers)
	return p.cmd.Start()
}

// run has calls made.
func (p *producer) run(o order) (pace, error) {
	if err := p.begin(o); err != nil {
		return pace{}, err
	}
	return p.answer()
}

// begin does not wait for them; answer does.
func (p *producer) begin(o order) error {
	if o.Batch == 0 {
		o.Batch = 100
	}
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = p.orders.Write(append(line, '\n'))
	return err
}

func (p *producer) answer() (pace, error) {
	var got pace
	line, err := p.answers.ReadBytes('\n')
	if err != nil {
		return got, fmt.Errorf("it ended: %w", err)
	}
	return got, json.Unmarshal(line, &got)
}

// Close ends it, and with it what it has made.
func (p *producer) Close() {
	p.orders.Close()
	_ = p.cmd.Wait() // killed or not, it is gone
}
