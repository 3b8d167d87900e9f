package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// keeper does what takes long with what was written, aside: it brings it to the
// disk, says so, and compresses and deletes parts that are complete.
type keeper struct {
	cfg    *Config
	dir    *directory
	wake   chan struct{} // there is something to bring to the disk
	synced sync.WaitGroup
	stored sync.WaitGroup

	mu     sync.Mutex
	tasks  []task
	closed bool
	errs   []error

	parts     []string      // names of those to store
	stopped   bool          // no more of them
	wakeStore chan struct{} // there is something to store

	old []string // names of those stored, the oldest first
}

// task is a file to bring to the disk.
type task struct {
	target   *target
	seal     []byte // the last in it
	complete bool   // nothing comes any more
}

func newKeeper(cfg *Config, dir *directory, parts []string) *keeper {
	k := &keeper{cfg: cfg, dir: dir, wake: make(chan struct{}, 1), wakeStore: make(chan struct{}, 1), parts: parts}
	k.synced.Go(k.syncAll)
	k.stored.Go(k.storeAll)
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
			k.toStore("", true)
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
		k.toStore(partName(t.target.base, t.target.part), false)
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

// toStore hands on the name of a part; last: there are no more. It never waits: what
// takes long with parts must not keep seals from the disk.
func (k *keeper) toStore(part string, last bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped = last; !last {
		k.parts = append(k.parts, part)
	}
	signal(k.wakeStore)
}

func (k *keeper) storeAll() {
	for {
		k.mu.Lock()
		parts, stopped := k.parts, k.stopped
		k.parts = nil
		k.mu.Unlock()
		for _, name := range parts {
			k.storeOne(name)
		}
		if len(parts) > 0 {
			if err := k.prune(); err != nil {
				k.fail(fmt.Errorf("delete old parts: %w", err))
			}
			continue
		}
		if stopped {
			return
		}
		<-k.wakeStore
	}
}

// storeOne compresses a part, unless that is done, or somebody has taken it away.
func (k *keeper) storeOne(name string) {
	if ext := filepath.Ext(name); ext != suffixes[Gzip] && ext != suffixes[Zstd] {
		err := k.dir.compress(name, k.cfg.Compress)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return
		case err != nil:
			k.fail(fmt.Errorf("compress %s: %w", name, brief(err)))
		default:
			name += suffixes[k.cfg.Compress]
		}
	}
	k.old = append(k.old, name)
}

// prune deletes the oldest parts beyond those to keep.
func (k *keeper) prune() error {
	if k.cfg.Keep == 0 {
		return nil
	}
	k.old = slices.DeleteFunc(k.old, func(name string) bool { // somebody has taken it away
		_, err := k.dir.stat(name)
		return errors.Is(err, os.ErrNotExist)
	})
	for len(k.old) > k.cfg.Keep {
		if err := k.dir.remove(k.old[0]); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		k.old = k.old[1:]
	}
	return nil
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
		k.errs = append(k.errs, t.close())
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
	if err := d.rename(to+unfinished, to); err != nil { // the name is taken: the part stays as it is
		return errors.Join(err, d.remove(to+unfinished))
	}
	return d.remove(name)
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
