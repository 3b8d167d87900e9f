package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// twice are files that can be read two times. What comes from a pipe is copied to a
// file that has no name, and goes with this process.
type twice []twiceFile

type twiceFile struct {
	named string   // by the user
	path  string   // where it can be read
	copy  *os.File // nil: it is the file that was named
}

func readTwice(ctx context.Context, names []string) (twice, error) {
	var files twice
	for _, name := range names {
		file, err := copied(ctx, name)
		if err != nil {
			files.close()
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func copied(ctx context.Context, name string) (twiceFile, error) {
	if info, err := os.Stat(name); name != "-" && err == nil && info.Mode().IsRegular() {
		return twiceFile{named: name, path: name}, nil
	}
	from := os.Stdin
	if name != "-" {
		var err error
		if from, err = os.Open(name); err != nil {
			return twiceFile{}, err
		}
		defer from.Close()
	}
	file, err := unnamed()
	if err != nil {
		return twiceFile{}, err
	}
	if err := copyAll(ctx, file, from); err != nil {
		return twiceFile{}, errors.Join(fmt.Errorf("keep %s to read it twice: %w", name, err), file.Close())
	}
	return twiceFile{name, fmt.Sprintf("/proc/self/fd/%d", file.Fd()), file}, nil
}

// unnamed is a file in the directory for temporary ones.
func unnamed() (*os.File, error) {
	file, err := os.CreateTemp("", "ipctrace")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}

// copyAll ends when it is told to, also while it waits for a pipe.
func copyAll(ctx context.Context, to io.Writer, from io.Reader) error {
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(to, from)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return errUnreported
	}
}

func (t twice) paths() []string {
	paths := make([]string, len(t))
	for i, file := range t {
		paths[i] = file.path
	}
	return paths
}

// name puts what the user called a file in the place of where it was read, at the
// beginning of a text.
func (t twice) name(text string) string {
	for _, file := range t {
		if rest, ok := strings.CutPrefix(text, file.path); ok && file.copy != nil && (rest == "" || rest[0] == ',' || rest[0] == ':') {
			return file.named + rest
		}
	}
	return text
}

func (t twice) close() {
	for _, file := range t {
		if file.copy != nil {
			file.copy.Close()
		}
	}
}
