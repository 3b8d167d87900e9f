package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// complete is a part of a log that is complete, beside the one that is written.
type complete struct {
	name  string
	log   event.Log
	begun time.Time
}

// partName is that of a part which is complete.
func partName(base string, part uint32) string { return fmt.Sprintf("%s.%06d", base, part) }

// named says whether the part has the name that this program gives it.
func (c *complete) named(base string) bool {
	rest, ok := strings.CutPrefix(c.name, partName(base, c.log.Part))
	return ok && (rest == "" || rest == suffixes[Gzip] || rest == suffixes[Zstd])
}

// partSuffix is behind the name of a log in that of a part: as this program and as
// logrotate name them.
var partSuffix = regexp.MustCompile(`^[.-][0-9]+(\.gz|\.zst)?$`)

// parts are those in a directory of logs that were recorded as base, also if others
// have named them since: each log's in their order, the log that was begun last at
// the end. What only looks like one, or other users have put there, is none.
func (d *directory) parts(base string) ([]complete, error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	var parts []complete
	begun := map[string]time.Time{} // logs, as far as their parts are there
	for _, name := range names {
		if rest, ok := strings.CutPrefix(name, base); !ok || !partSuffix.MatchString(rest) {
			continue
		}
		e, err := d.first(name)
		if err != nil {
			continue
		}
		log := *e.Start.Log
		c := complete{name, log, e.Time}
		if log.File != base && !c.named(base) {
			continue
		}
		parts = append(parts, c)
		if at, ok := begun[log.ID]; !ok || e.Time.Before(at) {
			begun[log.ID] = e.Time
		}
	}
	slices.SortFunc(parts, func(a, b complete) int {
		return cmp.Or(begun[a.log.ID].Compare(begun[b.log.ID]), cmp.Compare(a.log.ID, b.log.ID),
			cmp.Compare(a.log.Part, b.log.Part), cmp.Compare(a.name, b.name))
	})
	return parts, nil
}

// first is the first line of a file that is of a log.
func (d *directory) first(name string) (*event.Event, error) {
	stat, err := d.stat(name)
	if err != nil {
		return nil, err
	}
	if !ownFile(stat) {
		return nil, errNoLog
	}
	file, err := d.open(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	content, err := uncompressed(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	defer content.Close()
	e := firstOf(lines(content, Line{}))
	if e == nil || e.Start == nil || e.Start.Log == nil {
		return nil, errNoLog
	}
	return e, nil
}

// tidy finds the names of the parts of a log, the oldest first, and takes up what one
// who was killed did not come to: it deletes those that he had compressed already. A
// name that the log needs itself must not be another's.
func (t *target) tidy(id string) (own []string, err error) {
	parts, err := t.dir.parts(t.base)
	if err != nil {
		return nil, err
	}
	parts = slices.DeleteFunc(parts, func(p complete) bool { return !p.named(t.base) })
	for i, p := range parts {
		switch packed := i+1 < len(parts) && parts[i+1].log.Part == p.log.Part && parts[i+1].log.ID == p.log.ID; {
		case p.log.ID != id:
			return nil, fmt.Errorf("%s is of another log: move it away, or record into another file", p.name)
		case packed && p.name == partName(t.base, p.log.Part):
			if err := t.dir.remove(p.name); err != nil {
				return nil, err
			}
		default:
			own = append(own, p.name)
		}
	}
	return own, nil
}

// partOf is the log that a file would be an old part of, by its name.
func partOf(name string) (base string, ok bool) {
	base, ok = cutPart.ReplaceAllString(name, ""), cutPart.MatchString(name)
	return base, ok && base != ""
}

var cutPart = regexp.MustCompile(`\.[0-9]{6,}$`)

// Holds says whether a file is, or would be, the one that the log is kept in, or an
// old part of it, however it is spelled.
func (c *Config) Holds(name string) bool {
	if c.File == "" {
		return false
	}
	one, err1 := os.Stat(c.File)
	other, err2 := os.Stat(name)
	if err1 == nil && err2 == nil && os.SameFile(one, other) {
		return true
	}
	mine, err1 := filepath.EvalSymlinks(filepath.Dir(c.File))
	its, err2 := filepath.EvalSymlinks(filepath.Dir(name))
	rest, ok := strings.CutPrefix(filepath.Base(name), filepath.Base(c.File))
	same, err3 := filepath.Abs(mine)
	there, err4 := filepath.Abs(its)
	return errors.Join(err1, err2, err3, err4) == nil && same == there && ok && (rest == "" || partSuffix.MatchString(rest))
}
