package journal

import (
	"cmp"
	"iter"
	"os"
	"slices"

	"github.com/ipctrace/ipctrace/internal/event"
)

// File is a file of a log, and the place that it says it has in one.
type File struct {
	Name string
	Log  *event.Log // nil: it says none, like what "ipctrace live -o json" writes
}

// Files puts those of one log in its order, and logs in the order in which they
// were first named. It reads the first line of each file: what cannot be read, or
// is no log, stays where it was named. Only regular files are looked into: what is
// read from stdin ("-") or a pipe is read once.
func Files(names []string) []File {
	files := make([]File, len(names))
	named := map[string]int{} // logs, by id
	at := make(map[string]int, len(names))
	for i, name := range names {
		files[i] = File{name, placeOf(name)}
		at[name] = i
		if l := files[i].Log; l != nil {
			if _, ok := named[l.ID]; !ok {
				named[l.ID] = i
			}
			at[name] = named[l.ID]
		}
	}
	part := func(f File) uint32 {
		if f.Log == nil {
			return 0
		}
		return f.Log.Part
	}
	slices.SortStableFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(at[a.Name], at[b.Name]), cmp.Compare(part(a), part(b)))
	})
	return files
}

// placeOf is what the first line of a file says, nil where it says nothing.
func placeOf(name string) *event.Log {
	if info, err := os.Stat(name); name == "-" || err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if e := firstOf(Lines(name)); e != nil && e.Start != nil {
		return e.Start.Log
	}
	return nil
}

// firstOf is the event of the first line, nil if it is none.
func firstOf(lines iter.Seq2[Line, error]) *event.Event {
	next, stop := iter.Pull2(lines)
	defer stop()
	line, err, ok := next()
	if !ok || err != nil {
		return nil
	}
	e, err := event.Parse(line.Text)
	if err != nil {
		return nil
	}
	return e
}
