package nsresolve

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
)

const (
	maxMountinfo = 16 << 20
	// A mount point has up to PATH_MAX bytes, each up to four in octal; the
	// line of an nsfs mount has little besides.
	maxMountLine = 32 << 10
)

// nsMount is a line of mountinfo that shows a bind mount of an IPC namespace.
type nsMount struct {
	id    int
	inode uint64
	point string
}

// parseMountinfo calls f for every IPC namespace mounted. It passes over lines
// that are of no interest, malformed or too long to be of interest.
func parseMountinfo(r io.Reader, f func(nsMount)) error {
	br := bufio.NewReaderSize(io.LimitReader(r, maxMountinfo), maxMountLine)
	for whole := true; ; {
		line, err := br.ReadSlice('\n')
		if whole && err == nil {
			if m, ok := parseMountLine(line); ok {
				f(m)
			}
		}
		// After a full buffer comes the rest of the same line.
		whole = !errors.Is(err, bufio.ErrBufferFull)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && whole:
			return err
		}
	}
}

// parseMountLine reads "36 25 0:4 ipc:[4026532765] /run/x rw - nsfs nsfs rw"
// (show_mountinfo in fs/proc_namespace.c, nsfs_show_path in fs/nsfs.c).
func parseMountLine(line []byte) (nsMount, bool) {
	head, tail, ok := bytes.Cut(line, []byte(" - nsfs "))
	if !ok || len(tail) == 0 {
		return nsMount{}, false
	}
	f := bytes.SplitN(head, []byte(" "), 6)
	if len(f) < 6 {
		return nsMount{}, false
	}
	id, err := strconv.Atoi(string(f[0]))
	inode, ok := ipcLink(string(f[3]))
	if err != nil || !ok {
		return nsMount{}, false
	}
	return nsMount{id: id, inode: inode, point: bounded(unescapeOctal(f[4]), maxPath)}, true
}

// unescapeOctal undoes mangle_path of fs/seq_file.c: "\040" is a space. What
// does not look like that stays.
func unescapeOctal(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) {
			if n, err := strconv.ParseUint(string(b[i+1:i+4]), 8, 8); err == nil {
				out = append(out, byte(n))
				i += 3
				continue
			}
		}
		out = append(out, b[i])
	}
	return string(out)
}
