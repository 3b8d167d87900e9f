package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"

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
	then     then
}

// mostParts is how many parts wait to be compressed; then writing waits.
const mostParts = 64

func newKeeper(cfg *Config) *keeper {
	k := &keeper{cfg: cfg, wake: make(chan struct{}, 1), store: make(chan *target, mostParts)}
	k.synced.Go(k.syncAll)
	k.stored.Go(k.storeAll)
	return k
}

// sealed says that a seal was written.
func (k *keeper) sealed(t *target, seal []byte) {
	k.add(task{target: t, seal: bytes.Clone(seal)})
}

// complete says that a part is, with a seal as its last line.
func (k *keeper) complete(t *target, then then, seal []byte) {
	k.add(task{target: t, seal: bytes.Clone(seal), complete: true, then: then})
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
	due := k.cfg.Fsync == FsyncInterval || k.cfg.Fsync == FsyncAlways && t.complete
	if due && t.target.regular {
		err = t.target.file.Sync()
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
	if t.then == rotate {
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

func (k *keeper) storeAll() {
	for t := range k.store {
		if err := t.compress(k.cfg.Compress); err != nil {
			k.fail(fmt.Errorf("compress %s: %w", partName(t.base, t.part), brief(err)))
		}
		if err := t.prune(k.cfg.Keep); err != nil {
			k.fail(err)
		}
	}
}

// close waits for all that is to be done, and ends with t.
func (k *keeper) close(t *target, progress *atomic.Uint64) error {
	k.mu.Lock()
	k.closed = true
	signal(k.wake)
	k.mu.Unlock()
	k.synced.Wait()
	progress.Add(1)
	k.stored.Wait()
	if t.file != nil {
		if t.regular && k.cfg.Fsync != FsyncNone {
			k.errs = append(k.errs, t.file.Sync())
		}
		if t.created && t.size == 0 { // nothing came to be recorded
			k.errs = append(k.errs, t.dir.Remove(t.base))
		}
		k.errs = append(k.errs, t.file.Close(), t.dir.Close())
	}
	return errors.Join(k.errs...)
}

// compress replaces a part that is complete, once all of it is on the disk.
func (t *target) compress(how Compression) error {
	name := partName(t.base, t.part)
	suffix := map[Compression]string{Gzip: ".gz", Zstd: ".zst"}[how]
	if suffix == "" {
		return nil
	}
	plain, err := t.dir.Open(name)
	if err != nil {
		return err
	}
	defer plain.Close()
	unfinished := name + suffix + ".tmp"
	file, err := t.dir.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(pack(file, plain, how), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, t.dir.Remove(unfinished))
	}
	return errors.Join(t.dir.Rename(unfinished, name+suffix), t.dir.Remove(name))
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

// prune deletes the oldest parts beyond those to keep.
func (t *target) prune(keep int) error {
	if keep == 0 {
		return nil
	}
	parts, err := t.parts()
	if err != nil {
		return err
	}
	for i := range max(0, len(parts)-keep) {
		if err := t.dir.Remove(parts[i].name); err != nil {
			return err
		}
	}
	return nil
}

func sortParts(parts []complete) {
	slices.SortFunc(parts, func(a, b complete) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.name, b.name))
	})
}
