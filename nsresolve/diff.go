package nsresolve

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Link compares one namespace link of two processes. A or B is "" where the
// process has none, as when it has ended but is not reaped. Same needs both.
type Link struct {
	Name string
	A, B string // "ipc:[4026531839]"
	Same bool
}

// maxLinks bounds the entries of /proc/PID/ns; Linux 6.18 has 10.
const maxLinks = 256

// Diff compares every link in /proc/PID/ns of two processes, by name. They are
// read one after the other: a process that moves meanwhile may show either.
func (r *Resolver) Diff(a, b int) ([]Link, error) {
	ofA, err := r.namespaceLinks(a)
	if err != nil {
		return nil, fmt.Errorf("read namespace links of %d: %w", a, err)
	}
	ofB, err := r.namespaceLinks(b)
	if err != nil {
		return nil, fmt.Errorf("read namespace links of %d: %w", b, err)
	}
	var names []string
	for name := range ofA {
		names = append(names, name)
	}
	for name := range ofB {
		if _, both := ofA[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	links := make([]Link, 0, len(names))
	for _, name := range names {
		l := Link{Name: name, A: ofA[name], B: ofB[name]}
		l.Same = l.A != "" && l.A == l.B
		links = append(links, l)
	}
	return links, nil
}

func (r *Resolver) namespaceLinks(pid int) (map[string]string, error) {
	dir, err := os.Open(filepath.Join(r.procRoot, strconv.Itoa(pid), "ns"))
	if err != nil {
		return nil, bareError(err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxLinks)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, bareError(err)
	}
	links := make(map[string]string, len(names))
	for _, name := range names {
		link, err := readLink(int(dir.Fd()), name)
		switch {
		case vanished(err):
			links[name] = "" // a zombie, or no child for pid_for_children yet
		case denied(err) && r.gone(pid):
			return nil, unix.ENOENT
		case err != nil:
			return nil, err
		default:
			links[name] = link
		}
	}
	return links, nil
}

// gone reports that a refusal was none: proc_ns_readlink in fs/proc/namespaces.c
// answers EACCES for a task that ended after its link was found.
func (r *Resolver) gone(pid int) bool {
	return !exists(unix.AT_FDCWD, filepath.Join(r.procRoot, strconv.Itoa(pid)))
}

func exists(at int, name string) bool {
	var st unix.Stat_t
	return !vanished(unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW))
}

// bareError drops the path, which the caller's words already say.
func bareError(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
