// Package kernels boots Debian's kernels in QEMU and runs Go test binaries, and
// other programs, inside.
//
// matrix.txt names the kernels and fetch.sh brings them into a cache. A boot is
// one kernel, one initramfs made here (a static busybox, guest/init and the
// given files) and one serial console, which carries everything out: the
// output, the exit status and the kernel's last words.
package kernels

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed matrix.txt
var matrixText string

// Entry is one kernel of the matrix.
type Entry struct {
	Name    string // "amd64-6.12", also its directory in the cache
	Arch    string // as Go and Debian both spell it
	Suite   string // of Debian
	Package string // the image, or the metapackage that leads to it
}

// Matrix returns every kernel of matrix.txt, in its order.
func Matrix() ([]Entry, error) { return parseMatrix(matrixText) }

func parseMatrix(text string) ([]Entry, error) {
	var entries []Entry
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 4 {
			return nil, fmt.Errorf("matrix line %q: want name, architecture, suite, package", strings.TrimSpace(line))
		}
		e := Entry{Name: fields[0], Arch: fields[1], Suite: fields[2], Package: fields[3]}
		if slices.ContainsFunc(entries, func(o Entry) bool { return o.Name == e.Name }) {
			return nil, fmt.Errorf("matrix entry %s: named twice", e.Name)
		}
		if _, ok := machines[e.Arch]; !ok {
			return nil, fmt.Errorf("matrix entry %s: no machine for %s in qemu.go", e.Name, e.Arch)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Select returns the entries whose names are in a comma-separated list; all of
// them for an empty list.
func Select(entries []Entry, list string) ([]Entry, error) {
	if list == "" {
		return entries, nil
	}
	var chosen []Entry
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.Name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("no kernel named %q: matrix.txt lists them", name)
		}
		chosen = append(chosen, entries[i])
	}
	return chosen, nil
}
