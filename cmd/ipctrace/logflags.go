package main

import (
	"time"

	"github.com/docker/go-units"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/spf13/pflag"
)

// logFlags are the flags that say how a log is kept, and the keys of record in
// serve's configuration.
type logFlags struct {
	File       string        `yaml:"file"`
	RotateSize string        `yaml:"rotate_size"`
	RotateTime time.Duration `yaml:"rotate_time"`
	Keep       int           `yaml:"keep"`
	Compress   string        `yaml:"compress"`
	Fsync      string        `yaml:"fsync"`
	Sign       string        `yaml:"sign"`
	SealTo     string        `yaml:"seal_to"`
	Nice       int           `yaml:"-"` // of serve it is that of all outputs
	Queue      string        `yaml:"queue"`
}

// defaultNice is the priority of the threads that read and write.
const defaultNice = -10

func (l *logFlags) add(f *pflag.FlagSet) {
	f.StringVarP(&l.File, "output", "o", "", "write to this `FILE`; - is stdout")
	f.StringVar(&l.RotateSize, "rotate-size", "", "begin a new file after this `SIZE` (100M, 1G); the old one is FILE.000001 and so on")
	f.DurationVar(&l.RotateTime, "rotate-time", 0, "begin a new file after this `TIME` (24h)")
	f.IntVar(&l.Keep, "keep", 0, "keep the newest `N` of the old files and delete the others; 0 keeps all")
	f.StringVar(&l.Compress, "compress", "", "compress the old files: `zstd|gzip`")
	f.StringVar(&l.Fsync, "fsync", string(journal.FsyncInterval), "bring to the disk what was written: `interval|always|none`; interval is about every second")
	f.StringVar(&l.Sign, "sign", "", "sign the seals with the key in this `FILE`: see ipctrace keygen")
	f.StringVar(&l.SealTo, "seal-to", "", "keep the seals elsewhere too: `FILE|URL|'|COMMAND'`")
	f.IntVar(&l.Nice, "nice", defaultNice, "priority of the two threads that read and write, as of nice(1), within their session or cgroup: `N` from -20 to 19; 0: as ipctrace has it")
	f.StringVar(&l.Queue, "queue", "4M", "how much may wait for the disk before events are lost: `SIZE`")
}

// toStdout: there is no file, and none can be rotated.
func (l *logFlags) toStdout() bool { return l.File == "-" }

// config reads those that are text, and refuses what does nothing. Given says
// whether a flag was.
func (l *logFlags) config(given func(flag string) bool) (journal.Config, error) {
	cfg := journal.Config{
		File: l.File, RotateEvery: l.RotateTime, Keep: l.Keep,
		Compress: journal.Compression(l.Compress), Fsync: journal.Fsync(l.Fsync),
		Begin: func() { _ = prioritize(l.Nice) }, Now: now,
	}
	var err error
	if cfg.RotateSize, err = size("rotate-size", l.RotateSize, given); err != nil {
		return cfg, err
	}
	queue, err := size("queue", l.Queue, given)
	if err != nil {
		return cfg, err
	}
	cfg.Queue = int(queue)
	switch rotates := l.RotateTime > 0 || cfg.RotateSize > 0; {
	case l.File == "":
		return cfg, usagef("no file: ipctrace record -o FILE")
	case given("rotate-time") && l.RotateTime < time.Second:
		return cfg, refused("rotate-time", " %v: must be 1s or more", l.RotateTime)
	case l.Keep < 0:
		return cfg, refused("keep", " %d: must not be negative", l.Keep)
	case l.Compress != "" && l.Compress != string(journal.Gzip) && l.Compress != string(journal.Zstd):
		return cfg, refused("compress", ": unknown format %q: zstd or gzip%s", l.Compress, didYouMean(l.Compress, choices["compress"]))
	case l.Fsync != string(journal.FsyncInterval) && l.Fsync != string(journal.FsyncAlways) && l.Fsync != string(journal.FsyncNone):
		return cfg, refused("fsync", ": unknown word %q: interval, always or none%s", l.Fsync, didYouMean(l.Fsync, choices["fsync"]))
	case l.Nice < -20 || l.Nice > 19:
		return cfg, refused("nice", " %d: must be from -20 to 19", l.Nice)
	case !rotates && l.Keep > 0:
		return cfg, refused("keep", " %d: is for old files: add --rotate-size or --rotate-time", l.Keep)
	case !rotates && l.Compress != "":
		return cfg, refused("compress", " %s: is for old files: add --rotate-size or --rotate-time", l.Compress)
	case l.toStdout() && (rotates || given("fsync")):
		return cfg, usagef("stdout has no files to rotate, and no disk: name a file with -o")
	case !l.toStdout() && cfg.Holds(l.SealTo):
		return cfg, refused("seal-to", " %s: the log itself is no witness", l.SealTo)
	}
	for name, value := range map[string]string{"sign": l.Sign, "seal-to": l.SealTo, "compress": l.Compress} {
		if given(name) && value == "" {
			return cfg, refused(name, ": no value")
		}
	}
	return cfg, nil
}

// size reads a value that is bytes: 100M is 100 MiB.
func size(flag, text string, given func(flag string) bool) (int64, error) {
	if text == "" && !given(flag) {
		return 0, nil
	}
	const least = 64 << 10
	n, err := units.RAMInBytes(text)
	if err != nil {
		return 0, refused(flag, " %q: not a size: 100M, 1G", text)
	}
	if n < least {
		return 0, refused(flag, " %s: must be 64K or more", text)
	}
	return n, nil
}

// open reads the key, and begins to keep seals elsewhere, if that was asked for.
// What it returns ends the latter.
func (l *logFlags) open(cfg *journal.Config) (end func() error, err error) {
	if l.Sign != "" {
		if cfg.Key, err = journal.PrivateKey(l.Sign); err != nil {
			return nil, err
		}
	}
	if l.SealTo == "" {
		return func() error { return nil }, nil
	}
	w, err := journal.NewWitness(l.SealTo, cfg.Warn)
	if err != nil {
		return nil, refused("seal-to", ": %w", err)
	}
	cfg.Sealed = w.Tell
	return w.Close, nil
}
