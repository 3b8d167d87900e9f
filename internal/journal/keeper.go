package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// keeper does what takes long with what was written, aside: it brings it to the
// disk, says so, and compresses and deletes parts that are complete.
type keeper struct {
	cfg    *Config
	wake   chan struct{}
	synced sync.WaitGroup
	stored sync.WaitGroup

	mu     sync.Mutex
	tasks  []task
	closed bool
	errs   []error

	store chan *target // parts to compress
}

// task is a file to bring to the disk.
type task struct {
	target   *target
	seal     []byte // the last in it
	complete bool   // nothing comes any more
}

// mostParts is how many parts wait to be compressed; then those behind wait to be
// brought to the disk.
const mostParts = 64

func newKeeper(cfg *Config, plain []*target) *keeper {
	k := &keeper{cfg: cfg, wake: make(chan struct{}, 1), store: make(chan *target, mostParts)}
	k.synced.Go(k.syncAll)
	k.stored.Go(func() {
		for _, t := range plain {
			k.storeOne(t)
		}
		for t := range k.store {
			k.storeOne(t)
		}
	})
	return k
}

// sealed says that a seal was written.
func (k *keeper) sealed(t *target, seal []byte) {
	k.add(task{target: t, seal: bytes.Clone(seal)})
}

// complete says that a part is, with a seal as its last line.
func (k *keeper) complete(t *target, seal []byte) {
	k.add(task{target: t, seal: bytes.Clone(seal), complete: true})
}

func (k *keeper) add(t task) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := len(k.tasks); n > 0 && k.tasks[n-1].target == t.target {
		k.tasks[n-1] = t // the later seal stands for both
	} else {
		k.tasks = append(k.tasks, t)
	}
	signal(k.wake)
}

func (k *keeper) syncAll() {
	for {
		k.mu.Lock()
		tasks, closed := k.tasks, k.closed
		k.tasks = nil
		k.mu.Unlock()
		if len(tasks) == 0 && closed {
			close(k.store)
			return
		}
		for _, t := range tasks {
			k.sync(t)
		}
		if len(tasks) == 0 {
			<-k.wake
		}
	}
}

// sync brings a file to the disk, and then tells of its last seal.
func (k *keeper) sync(t task) {
	var err error
	if k.cfg.Fsync == FsyncInterval && t.target.regular {
		err = t.target.file.Sync()
	}
	if t.complete && k.cfg.Fsync != FsyncNone { // its name, and the next one's
		err = errors.Join(err, t.target.dir.sync())
	}
	if err != nil {
		k.fail(fmt.Errorf("%s: %w", k.cfg.name(), brief(err)))
	} else if k.cfg.Sealed != nil {
		k.cfg.Sealed(t.seal)
	}
	if !t.complete || t.target.file == nil {
		return
	}
	if err := t.target.file.Close(); err != nil {
		k.fail(err)
	}
	if t.target.renamed {
		k.store <- t.target
	}
}

func (k *keeper) fail(err error) {
	k.mu.Lock()
	known := slices.ContainsFunc(k.errs, func(e error) bool { return e.Error() == err.Error() })
	if !known {
		k.errs = append(k.errs, err)
	}
	k.mu.Unlock()
	if !known {
		k.cfg.Warn(err.Error())
	}
}

// storeOne compresses a part, unless somebody has taken it away, and makes room.
func (k *keeper) storeOne(t *target) {
	name := partName(t.base, t.part)
	if err := t.dir.compress(name, k.cfg.Compress); err != nil && !errors.Is(err, os.ErrNotExist) {
		k.fail(fmt.Errorf("compress %s: %w", name, brief(err)))
	}
	if err := t.prune(k.cfg.Keep); err != nil {
		k.fail(fmt.Errorf("delete old parts: %w", err))
	}
}

// close waits for all that is to be done, and ends with t.
func (k *keeper) close(t *target) error {
	k.mu.Lock()
	k.closed = true
	signal(k.wake)
	k.mu.Unlock()
	k.synced.Wait()
	k.stored.Wait()
	if t.file != nil {
		if t.regular && k.cfg.Fsync != FsyncNone {
			k.errs = append(k.errs, t.file.Sync())
		}
		if t.created && t.size == 0 { // nothing came to be recorded
			k.errs = append(k.errs, t.dir.remove(t.base))
		}
		k.errs = append(k.errs, t.file.Close(), t.dir.close())
	}
	return errors.Join(k.errs...)
}

// suffixes of files that are compressed.
var suffixes = map[Compression]string{Gzip: ".gz", Zstd: ".zst"}

// unfinished is behind the name of a file that is being compressed into.
const unfinished = ".tmp"

// compress replaces a part that is complete, once all of it is on the disk.
func (d *directory) compress(name string, how Compression) error {
	if how == Plain {
		return nil
	}
	plain, err := d.open(name, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer plain.Close()
	to := name + suffixes[how]
	_ = d.remove(to + unfinished) // of one who was killed
	file, err := d.open(to+unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(pack(file, plain, how), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, d.remove(to+unfinished))
	}
	return errors.Join(d.rename(to+unfinished, to), d.remove(name))
}

func pack(to io.Writer, from io.Reader, how Compression) error {
	var w io.WriteCloser = gzip.NewWriter(to)
	if how == Zstd {
		var err error
		if w, err = zstd.NewWriter(to, zstd.WithEncoderConcurrency(1)); err != nil {
			return err
		}
	}
	_, err := io.Copy(w, from)
	return errors.Join(err, w.Close())
}

// prune deletes the oldest parts of this log beyond those to keep.
func (t *target) prune(keep int) error {
	if keep == 0 {
		return nil
	}
	parts, err := t.dir.parts(t.base)
	if err != nil {
		return err
	}
	own := slices.IndexFunc(parts, func(p complete) bool { return p.log.Part == t.part })
	if own < 0 {
		return nil // somebody has taken it away: so nothing grows here
	}
	id := parts[own].log.ID
	parts = slices.DeleteFunc(parts, func(p complete) bool { return p.log.ID != id })
	for i := range max(0, len(parts)-keep) {
		if err := t.dir.remove(parts[i].name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
