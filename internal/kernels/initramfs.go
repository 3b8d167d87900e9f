package kernels

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed guest/init
var guestInit []byte

// Job is one command run in the guest.
type Job struct {
	Name string // one word
	Dir  string
	Line string // for the guest's shell
}

// Initramfs is what the guest starts from: /init, /bin/busybox, the jobs and
// the given files.
type Initramfs struct {
	Busybox string            // on this machine
	Files   map[string]string // path in the guest: file or directory on this machine
	Jobs    []Job
}

// Write writes the newc cpio archive the kernel unpacks.
func (i Initramfs) Write(w io.Writer) error {
	buffered := bufio.NewWriter(w)
	a := newArchive(buffered)
	a.file("init", 0o755, guestInit)
	a.copy("bin/busybox", i.Busybox)
	for _, name := range sortedKeys(i.Files) {
		a.copy(name, i.Files[name])
	}
	a.file("test/jobs", 0o644, jobLines(i.Jobs))
	a.close()
	if a.err != nil {
		return a.err
	}
	return buffered.Flush()
}

func jobLines(jobs []Job) []byte {
	var b strings.Builder
	for _, j := range jobs {
		fmt.Fprintf(&b, "%s %s %s\n", j.Name, j.Dir, j.Line)
	}
	return []byte(b.String())
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// archive writes the cpio format "newc" (the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst): a header of
// hexadecimal fields, the name and the content, each padded to four bytes.
// Parents are written before their first child. The first error sticks.
type archive struct {
	w    io.Writer
	err  error
	ino  uint32
	dirs map[string]bool
}

const (
	modeDir  = 0o040000
	modeFile = 0o100000
)

func newArchive(w io.Writer) *archive {
	return &archive{w: w, dirs: map[string]bool{".": true}}
}

// copy adds a file, or a directory and all in it, of this machine.
func (a *archive) copy(name, from string) {
	name = strings.TrimPrefix(name, "/")
	err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		info, err := os.Stat(p)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		a.file(path.Join(name, filepath.ToSlash(rel)), uint32(info.Mode().Perm()), content)
		return a.err
	})
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("pack %s: %w", name, err)
	}
}

func (a *archive) file(name string, perm uint32, content []byte) {
	a.parents(name)
	a.record(name, modeFile|perm, content)
}

func (a *archive) parents(name string) {
	dir := path.Dir(name)
	if a.dirs[dir] {
		return
	}
	a.parents(dir)
	a.dirs[dir] = true
	a.record(dir, modeDir|0o755, nil)
}

func (a *archive) close() {
	a.ino = 0 // the trailer is no file
	a.record("TRAILER!!!", 0, nil)
}

func (a *archive) record(name string, mode uint32, content []byte) {
	links := uint32(1)
	if mode&modeDir != 0 {
		links = 2
	}
	a.ino++
	a.print("070701")
	for _, field := range []uint32{
		a.ino, mode, 0, 0, links, 0, // owner, group, time: 0
		uint32(len(content)), 0, 0, 0, 0, uint32(len(name) + 1), 0, // device, checksum: none
	} {
		a.print(fmt.Sprintf("%08X", field))
	}
	a.print(name + "\x00")
	a.pad(6 + 13*8 + len(name) + 1)
	a.bytes(content)
	a.pad(len(content))
}

func (a *archive) print(s string) { a.bytes([]byte(s)) }

func (a *archive) pad(n int) { a.bytes(make([]byte, -n&3)) }

func (a *archive) bytes(b []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(b)
	}
}
