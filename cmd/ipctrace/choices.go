package main

import (
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/journal"
	"github.com/ipctrace/ipctrace/tracer"
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

// didYouMean is how an error goes on where one of the words is what was most likely
// meant, "" where none is.
func didYouMean(word string, words []string) string {
	const near = 2 // letters that differ
	best, distance := "", near+1
	for _, w := range words {
		d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(w))
		if len(word) > near && strings.HasPrefix(w, word) {
			d = min(d, near) // it was cut short
		}
		if d < distance && d < len(w) {
			best, distance = w, d
		}
	}
	if best == "" || slices.Contains(words, word) {
		return ""
	}
	return "; did you mean " + best + "?"
}
