package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Witness keeps seals elsewhere. A log alone cannot show that its newest part was
// cut off: a seal that somebody else has can. The newest stands for all before
// it, so where a witness is slow, seals are left out.
type Witness struct {
	name string
	to   receiver
	warn func(string)

	wake    chan struct{}
	stopped sync.WaitGroup
	patient context.Context // until the end has taken too long
	giveUp  context.CancelFunc

	mu     sync.Mutex
	seal   []byte // that it does not have yet; nil: it has all
	closed bool
	failed bool // the last try
}

// receiver takes the line of a seal.
type receiver interface {
	take(ctx context.Context, seal []byte) error
	close() error
}

const (
	witnessPatience = 10 * time.Second // for one try
	witnessRetry    = time.Second
	witnessEnd      = 5 * time.Second // for the last seal, and then for a command to end
)

// NewWitness is one by its name: an URL that seals are sent to by POST, a command
// behind "|" that reads them, a line each, or a file that they are appended to.
func NewWitness(name string, warn func(string)) (*Witness, error) {
	w := &Witness{name: name, warn: warn, wake: make(chan struct{}, 1)}
	w.patient, w.giveUp = context.WithCancel(context.Background())
	command, isCommand := strings.CutPrefix(name, "|")
	switch {
	case isCommand && strings.TrimSpace(command) == "":
		return nil, errors.New("no command behind |")
	case isCommand:
		w.to = &commandReceiver{line: command}
	case strings.Contains(name, "://"):
		u, err := url.Parse(name)
		if err != nil {
			return nil, err
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%s:// is not known: http:// or https://", u.Scheme)
		}
		w.name = u.Redacted() // it may hold a password
		w.to = httpReceiver{name, &http.Client{CheckRedirect: stay}}
	default:
		f, err := openWitness(name)
		if err != nil {
			return nil, err
		}
		w.to = &fileReceiver{file: f}
	}
	w.stopped.Go(w.tellAll)
	return w, nil
}

// Tell gives it a seal, and does not wait.
func (w *Witness) Tell(seal []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seal = bytes.Clone(seal)
	signal(w.wake)
}

// Close waits for the last seal to arrive. It fails if that did not.
func (w *Witness) Close() error {
	w.mu.Lock()
	w.closed = true
	signal(w.wake)
	w.mu.Unlock()
	defer time.AfterFunc(witnessEnd, w.giveUp).Stop()
	w.stopped.Wait()
	w.giveUp()
	err := w.to.close()
	switch {
	case w.seal != nil:
		return errors.Join(fmt.Errorf("%s does not have the last seal", w.name), err)
	case err != nil:
		return fmt.Errorf("%s may not have the last seal: %w", w.name, err)
	}
	return nil
}

func (w *Witness) tellAll() {
	for {
		w.mu.Lock()
		seal, closed := w.seal, w.closed
		w.mu.Unlock()
		switch {
		case seal != nil:
			if !w.tell(seal) && closed {
				return
			}
		case closed:
			return
		default:
			<-w.wake
		}
	}
}

// tell tries once, and waits a little where that fails.
func (w *Witness) tell(seal []byte) bool {
	ctx, cancel := context.WithTimeout(w.patient, witnessPatience)
	defer cancel()
	err := w.to.take(ctx, seal)
	w.mu.Lock()
	failed := w.failed
	w.failed = err != nil
	if err == nil && bytes.Equal(w.seal, seal) {
		w.seal = nil
	}
	w.mu.Unlock()
	switch {
	case err != nil && !failed:
		w.warn(fmt.Sprintf("seals do not get to %s: %v", w.name, err))
	case err == nil && failed:
		w.warn("seals get to " + w.name + " again")
	}
	if err != nil {
		select {
		case <-time.After(witnessRetry):
		case <-w.wake: // a newer one, or the end
		}
	}
	return err == nil
}

// fileReceiver appends to a file, or writes into a pipe.
type fileReceiver struct {
	file *os.File
	torn bool // it ends with half a seal
}

// openWitness opens a file that nobody else can alter, or a pipe that is read.
func openWitness(name string) (*os.File, error) {
	path, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	if err := trustworthy(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if errors.Is(err, unix.ENXIO) {
		return nil, fmt.Errorf("nobody reads %s: start its reader first", name)
	}
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &stat)
	if err == nil && stat.Mode&unix.S_IFMT == unix.S_IFREG {
		err = ownAlone(name, &stat)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (r *fileReceiver) take(ctx context.Context, seal []byte) error {
	deadline, _ := ctx.Deadline()
	_ = r.file.SetWriteDeadline(deadline) // a pipe can have one
	stop := context.AfterFunc(ctx, func() { _ = r.file.SetWriteDeadline(time.Now()) })
	defer stop()
	if r.torn { // what follows is a line of its own
		seal = append([]byte("\n"), seal...)
	}
	n, err := r.file.Write(seal)
	if err != nil {
		r.torn = r.torn || n > 0
		return brief(err)
	}
	r.torn = false
	if err := r.file.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // a pipe has no disk
		return brief(err)
	}
	return nil
}

func (r *fileReceiver) close() error { return r.file.Close() }

type httpReceiver struct {
	url    string
	client *http.Client
}

// stay follows nobody: what is sent elsewhere from there is not delivered.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func (r httpReceiver) take(ctx context.Context, seal []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(seal))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := r.client.Do(request)
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err // without the address
	}
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection is used again
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return errors.New(answer.Status)
	}
	return nil
}

func (r httpReceiver) close() error {
	r.client.CloseIdleConnections()
	return nil
}

// commandReceiver runs a command, and anew where it has ended.
type commandReceiver struct {
	line  string
	cmd   *exec.Cmd
	stdin *os.File
	pipe  *os.File // its other end: what is in it when the command has ended, nobody has read
	ended chan error
}

func (r *commandReceiver) take(ctx context.Context, seal []byte) error {
	if r.cmd != nil && len(r.ended) > 0 {
		if err := r.close(); err != nil {
			return err
		}
	}
	if r.cmd == nil {
		if err := r.start(); err != nil {
			return err
		}
	}
	deadline, _ := ctx.Deadline()
	_ = r.stdin.SetWriteDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = r.stdin.SetWriteDeadline(time.Now()) })
	defer stop()
	_, err := r.stdin.Write(seal)
	if err != nil {
		return errors.Join(brief(err), r.close())
	}
	return nil
}

func (r *commandReceiver) start() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("sh", "-c", r.line)
	cmd.Stdin, cmd.Stderr = read, os.Stderr
	// A group of its own: Ctrl-C is for this program, which has a last seal for it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, read.Close(), write.Close())
	}
	r.cmd, r.stdin, r.pipe, r.ended = cmd, write, read, make(chan error, 1)
	go func(ended chan<- error) { ended <- cmd.Wait() }(r.ended)
	return nil
}

// close lets the command read what it was given, and end.
func (r *commandReceiver) close() error {
	if r.cmd == nil {
		return nil
	}
	r.stdin.Close()
	defer r.pipe.Close()
	group := -r.cmd.Process.Pid
	timeout := time.AfterFunc(witnessEnd, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	defer timeout.Stop()
	err := <-r.ended
	r.cmd = nil
	if err != nil {
		return fmt.Errorf("command: %w", err)
	}
	if unread, err := unix.IoctlGetInt(int(r.pipe.Fd()), unix.TIOCINQ); err != nil || unread > 0 {
		return errors.New("command: it ended without reading all that it was given")
	}
	return nil
}
