// Package journal is the forensic log: events as lines, in files that are sealed
// as they grow, so that whoever gets them can see whether they are whole.
// docs/record.md describes them for readers of the log.
//
// One goroutine writes. Who has events gives them to [Journal.Write], which
// encodes them into a bounded queue; where the disk is full, or too slow for too
// long, what finds no room in it is counted, and a trace.lost says so in its
// place.
package journal

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Fsync is when the kernel is told to bring to the disk what was written.
type Fsync string

// The choices.
const (
	FsyncInterval Fsync = "interval" // after a seal, aside: about once a second
	FsyncAlways   Fsync = "always"   // after every write, before anything else is written
	FsyncNone     Fsync = "none"     // when the kernel likes
)

// Compression of the parts of a log that are complete.
type Compression string

// The choices.
const (
	Plain Compression = ""
	Gzip  Compression = "gzip"
	Zstd  Compression = "zstd"
)

// Bounds of a segment: what one seal seals.
const (
	sealLines = 1000
	sealEvery = time.Second
)

// DefaultQueue is how many bytes wait to be written at most, unless Config says
// otherwise.
const DefaultQueue = 4 << 20

// patience is how long Write waits for room in the queue, where there was some
// not long ago, unless Config says that others wait for it. Meanwhile the kernel's
// ring buffer takes what comes.
const patience = time.Second

// Config says where the log is kept, and how.
type Config struct {
	File string    // its name; "": Out
	Out  io.Writer // a pipe or terminal

	RotateSize  int64         // bytes after which the next part begins, in a file of its own; 0: no bound
	RotateEvery time.Duration // likewise; 0: no bound
	Keep        int           // parts to keep besides the one that is written; 0: all
	Compress    Compression   // of parts that are complete

	Fsync Fsync
	Key   ed25519.PrivateKey // signs seals; nil: nobody does
	Queue int                // bytes; 0: DefaultQueue
	Hasty bool               // Write never waits for room

	Begin  func() // nil, or is called first by the goroutine that writes
	Now    func() (wall time.Time, boot time.Duration)
	Warn   func(text string) // tells people what went wrong, and what of it is over
	Put    func(boot int64)  // nil, or is told of each batch that the file has taken: the stamp of its oldest event, ns
	Sealed func(seal []byte) // nil, or is given seals that are on the disk, as far as Fsync says: each, or a later one
}

// Journal is a log that is being written. Write is for one goroutine.
type Journal struct {
	cfg     Config
	writer  *writer
	stopped sync.WaitGroup

	mu    sync.Mutex // guards all below
	queue *queue
	err   error // ends the log: its reader went away

	wake chan struct{} // for the writer: there is work
	room chan struct{} // for Write: there is room in the queue again
}

// Open begins a log, or continues one: then the end of what is there must be
// whole. Errors name what to do.
func Open(cfg Config) (*Journal, error) {
	if cfg.Queue == 0 {
		cfg.Queue = DefaultQueue
	}
	target, end, err := openTarget(&cfg)
	if err != nil {
		return nil, err
	}
	j := &Journal{cfg: cfg, wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
	j.writer = newWriter(&j.cfg, target, end)
	j.queue = newQueue(&j.cfg, end)
	j.stopped.Go(j.write)
	return j, nil
}

// Write takes in an event, as one of the log's own numbering. It keeps nothing
// that e points at. An error ends the log: who goes on all the same loses what it
// gives, and Counts counts it.
func (j *Journal) Write(e *event.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.queue.full() && !j.queue.stalled && !j.cfg.Hasty {
		j.awaitRoom()
	}
	if j.err != nil {
		if happened(e) {
			j.queue.events++
		}
		return j.err
	}
	j.queue.add(e)
	signal(j.wake)
	return nil
}

// Stateless says whether a part has begun that nobody has told yet what is there.
// Who reads it without those before needs to know.
func (j *Journal) Stateless() bool { return j.queue.stateless.Load() != nil }

// Tell tells the part that has begun last what is there, or as much as there is
// room for.
func (j *Journal) Tell(state iter.Seq[*event.Event]) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	begin := j.queue.stateless.Load()
	defer j.queue.stateless.CompareAndSwap(begin, nil) // unless another has begun meanwhile
	for e := range state {
		if j.queue.full() && !j.queue.stalled && !j.cfg.Hasty {
			j.awaitRoom()
		}
		if j.err != nil || j.queue.full() {
			return j.err
		}
		j.queue.tell(e, begin)
		signal(j.wake)
	}
	return nil
}

// awaitRoom gives the writer time to catch up.
func (j *Journal) awaitRoom() {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for j.queue.full() && j.err == nil {
		j.mu.Unlock()
		select {
		case <-j.room:
			j.mu.Lock()
		case <-timeout.C:
			j.mu.Lock()
			j.queue.stalled = j.queue.full()
			return
		}
	}
}

// Reopen begins the next part, if the file is no longer where it was: logrotate
// has moved it.
func (j *Journal) Reopen() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queue.reopen = true
	signal(j.wake)
}

// Stop is the totals of the trace that the log has come to the end of, nil where
// it has not.
func (j *Journal) Stop() *event.Stop {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.queue.stop
}

// Counts are what became of the events that Write was given, of all streams, without
// trace.start and the like.
type Counts struct {
	Written uint64
	Waiting uint64 // in the queue, or being written
	Dropped uint64 // found no room, or an end of the log
}

// Counts is safe to call at any time.
func (j *Journal) Counts() Counts {
	j.mu.Lock()
	defer j.mu.Unlock()
	written := j.writer.events.Load()
	if j.err != nil { // what waited for the reader that went away waits no more
		return Counts{Written: written, Dropped: j.queue.droppedInAll + j.queue.events - written}
	}
	return Counts{Written: written, Waiting: j.queue.events - written, Dropped: j.queue.droppedInAll}
}

// patienceAtEnd is how long Close waits for a file that takes nothing.
const patienceAtEnd = 5 * time.Second

// Close seals what was written, and waits until all is done with it: what was
// asked for with Fsync and Compress may take its time. It fails if not all could
// be written.
func (j *Journal) Close() error {
	j.mu.Lock()
	j.queue.pay()
	j.queue.closed = true
	signal(j.wake)
	j.mu.Unlock()
	done := make(chan struct{})
	go func() {
		j.stopped.Wait()
		close(done)
	}()
	finished := j.await(done)
	j.mu.Lock()
	defer j.mu.Unlock()
	var errs []error
	if left := j.queue.lines - j.writer.written.Load(); left > 0 {
		text := fmt.Sprintf("%s: %d lines could not be written", j.cfg.name(), left)
		if j.queue.dropped > 0 {
			text += fmt.Sprintf(", and %d events found no room before", j.queue.dropped)
		}
		errs = append(errs, errors.New(text))
	}
	if finished {
		errs = append(errs, j.writer.err)
		j.queue.rooms.free()
		j.queue.rooms = rooms{}
		j.queue.batch, j.queue.spare = batch{}, batch{}
	}
	return errors.Join(append(errs, j.err)...)
}

// await waits for the writer, as long as it gets on, and says whether it is done.
func (j *Journal) await(done <-chan struct{}) bool {
	for before := j.writer.progress.Load(); j.writer.writing.Load(); {
		select {
		case <-done:
			return true
		case <-time.After(patienceAtEnd):
		}
		now := j.writer.progress.Load()
		if now == before && j.writer.writing.Load() {
			close(j.writer.hopeless)
			select {
			case <-done:
				return true
			case <-time.After(patienceAtEnd / 10): // it is inside a write that does not return
				return false
			}
		}
		before = now
	}
	<-done
	return true
}

// write hands batches to the writer.
func (j *Journal) write() {
	defer j.writer.close()
	if j.cfg.Begin != nil {
		j.cfg.Begin()
	}
	for {
		b, ok := j.take()
		if !ok {
			return
		}
		if err := j.writer.put(b); err != nil {
			if !errors.Is(err, errHopeless) {
				j.fail(err)
			}
			return
		}
		if j.cfg.Put != nil && b.oldest != 0 {
			j.cfg.Put(b.oldest)
		}
		j.recycle(b)
		if len(b.bytes) < smallBatch {
			time.Sleep(pace)
		}
	}
}

// A batch that is written at once is small. In a flood that would be one write for
// a few lines: so the next one waits a little, and gathers.
const (
	smallBatch = 64 << 10
	pace       = 2 * time.Millisecond
)

// recycle gives the room of a batch back.
func (j *Journal) recycle(b batch) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queue.spare = b
}

func (j *Journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
	signal(j.room)
}

// take waits for lines, or for the time to seal; false: there will be none.
func (j *Journal) take() (batch, bool) {
	for {
		j.lookForMove()
		b, wait, ok := j.takeNow()
		if !ok || len(b.bytes) > 0 {
			return b, ok
		}
		select {
		case <-j.wake:
		case <-time.After(wait):
		}
	}
}

// lookForMove ends the part if it was asked for, and its file has been moved. Between
// two streams it cannot: that waits for the next.
func (j *Journal) lookForMove() {
	j.mu.Lock()
	asked := j.queue.reopen && j.queue.goesOn()
	if asked {
		j.queue.reopen = false
	}
	j.mu.Unlock()
	if !asked || !j.writer.target.moved() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.queue.goesOn() {
		j.queue.reopen = true
		return
	}
	wall, _ := j.cfg.Now()
	j.queue.seal(false, true, wall)
}

// takeNow takes what there is, or says how long to wait for it.
func (j *Journal) takeNow() (b batch, wait time.Duration, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	wait = time.Hour
	if at, some := j.queue.due(); some {
		wait = time.Until(at)
		if wait <= 0 || j.queue.closed {
			wall, _ := j.cfg.Now()
			j.queue.seal(false, j.queue.complete(wall), wall)
		}
	}
	ok = !j.queue.closed || len(j.queue.batch.bytes) > 0
	if len(j.queue.batch.bytes) > 0 {
		b = j.queue.take()
		signal(j.room)
	}
	return b, wait, ok
}

func (c *Config) name() string {
	if c.File == "" {
		return "stdout"
	}
	return c.File
}

// signal does not wait for who has not come to the last one yet.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
