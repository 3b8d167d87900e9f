package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/tracer"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choices are the words that a flag takes, where it takes no others.
var choices = map[string][]string{
	"kind":     {tracer.Msg.String(), tracer.Shm.String(), tracer.Sem.String(), tracer.MQ.String()},
	"event":    eventWords(),
	"hooks":    {tracer.Auto.String(), tracer.Fentry.String(), tracer.Syscall.String()},
	"output":   {"text", "json"},
	"sort":     columnNames(),
	"compress": {string(journal.Zstd), string(journal.Gzip)},
	"fsync":    {string(journal.FsyncInterval), string(journal.FsyncAlways), string(journal.FsyncNone)},
}

// eventWords are the short names of events where there are any, then the whole ones.
func eventWords() (words []string) {
	for _, t := range event.Types {
		_, word, _ := strings.Cut(string(t), ".")
		if short, err := event.ParseType(word); err == nil && short == t {
			words = append(words, word)
		}
	}
	for _, t := range event.Types {
		words = append(words, string(t))
	}
	return words
}

func columnNames() []string {
	names := make([]string, len(orders))
	for i, o := range orders {
		names[i] = o.name
	}
	return names
}

// alsoCalled are words that others have for what flags call otherwise.
var alsoCalled = map[string]string{
	"queue": "msg", "message": "msg", "msgget": "msg", "msgq": "msg", "q": "msg",
	"segment": "shm", "shared": "shm", "shmem": "shm", "shmget": "shm", "memory": "shm", "m": "shm",
	"semaphore": "sem", "semget": "sem", "s": "sem",
	"mqueue": "mq", "posix": "mq", "mq_open": "mq",
	"new": "create", "made": "create", "make": "create", "add": "create",
	"delete": "remove", "destroy": "remove", "rm": "remove", "rmid": "remove", "unlink": "remove",
	"error": "fail", "lookup": "open",
	"kprobe": "fentry", "fexit": "fentry", "tracepoint": "syscall", "tp": "syscall", "raw_tp": "syscall",
	"lines": "text", "table": "text", "ndjson": "json", "jsonl": "json",
	"gz": "gzip", "zst": "zstd", "zstandard": "zstd", "created": "ctime", "bytes": "size", "attached": "nattch", "uid": "owner",
	"list": "ls", "lsipc": "ls", "ipcs": "ls", "lsns": "ns", "namespaces": "ns", "trace": "live", "watch": "live", "top": "live",
	"daemon": "serve", "exec": "run", "log": "record", "play": "replay", "check": "verify", "probe": "doctor", "key": "keygen",
}

// didYouMean is how an error goes on where one of the words is what was most likely
// meant, "" where none is.
func didYouMean(word string, words []string) string {
	if best := nearest(word, words); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// nearest is the word that another is most likely meant to be, "" where none is.
func nearest(word string, words []string) string {
	const near = 2 // letters that differ
	word = strings.ToLower(word)
	for _, w := range []string{word, strings.TrimSuffix(word, "s")} {
		if slices.Contains(words, w) {
			return w
		}
		if slices.Contains(words, alsoCalled[w]) {
			return alsoCalled[w]
		}
	}
	best, distance := "", near+1
	for _, w := range words {
		d := levenshtein.ComputeDistance(word, w)
		if len(word) > near && strings.HasPrefix(w, word) {
			d = min(d, near) // it was cut short
		}
		if d < distance && d < len(w) {
			best, distance = w, d
		}
	}
	return best
}

// wrongFlag is what is said of a flag that cannot be taken.
func wrongFlag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return usage(err)
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if best := nearest(unknown.GetSpecifiedName(), names); best != "" {
		return usagef("%w; did you mean --%s?", err, best)
	}
	return usage(err)
}
