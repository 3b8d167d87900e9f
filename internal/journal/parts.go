package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
)

// complete is a part of a log that is complete, beside the one that is written.
type complete struct {
	name string
	log  event.Log
}

// partName is that of a part which is complete.
func partName(base string, part uint32) string { return fmt.Sprintf("%s.%06d", base, part) }

var partNumber = regexp.MustCompile(`^\.([0-9]{6,})(\.gz|\.zst)?$`)

// parts are those in a directory of the logs that are called base, in their order.
// What only looks like one, or others have put there, is none.
func (d *directory) parts(base string) ([]complete, error) {
	names, err := d.names()
	if err != nil {
		return nil, err
	}
	var parts []complete
	for _, name := range names {
		rest, ok := strings.CutPrefix(name, base)
		m := partNumber.FindStringSubmatch(rest)
		if !ok || m == nil {
			continue
		}
		log, err := d.logOf(name)
		if err == nil && m[1] == fmt.Sprintf("%06d", log.Part) {
			parts = append(parts, complete{name, *log})
		}
	}
	slices.SortFunc(parts, func(a, b complete) int {
		return cmp.Or(cmp.Compare(a.log.Part, b.log.Part), cmp.Compare(a.name, b.name))
	})
	return parts, nil
}

// logOf is what the first line of a file says.
func (d *directory) logOf(name string) (*event.Log, error) {
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
	return e.Start.Log, nil
}

// tidy takes up what one who was killed did not come to: it deletes parts that he
// had compressed already. Those that he had not are what it returns.
func (t *target) tidy(how Compression) (plain []*target, err error) {
	parts, err := t.dir.parts(t.base)
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		packed := i+1 < len(parts) && parts[i+1].log.Part == p.log.Part && parts[i+1].log.ID == p.log.ID
		switch {
		case p.name != partName(t.base, p.log.Part):
		case packed:
			if err := t.dir.remove(p.name); err != nil {
				return nil, err
			}
		case how != Plain:
			plain = append(plain, &target{dir: t.dir, base: t.base, part: p.log.Part, renamed: true})
		}
	}
	return plain, nil
}
