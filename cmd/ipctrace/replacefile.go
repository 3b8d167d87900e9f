package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// replaceFile has a file written, and puts it in its place when it is complete: on a full
// disk what was there before stays. What is no regular file is written to as it is.
func replaceFile(name string, write func(io.Writer) error) error {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target
	}
	mode := os.FileMode(0o666)
	if info, err := os.Stat(name); err == nil {
		if info.IsDir() {
			return fmt.Errorf("%s is a directory: name a file", name)
		}
		if !info.Mode().IsRegular() {
			return writeTo(name, os.O_WRONLY, 0, write)
		}
		mode = info.Mode().Perm()
	}
	beside := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"."+rand.Text()[:8])
	err := writeTo(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode, write)
	if err == nil {
		err = os.Rename(beside, name)
	}
	if err != nil {
		if gone := os.Remove(beside); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if at := new(os.PathError); errors.As(err, &at) && at.Path == beside {
		at.Path = name // the other was never anybody's to know
	}
	return err
}

func writeTo(name string, flags int, mode os.FileMode, write func(io.Writer) error) error {
	file, err := os.OpenFile(name, flags, mode)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(file, 1<<16)
	err = write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		if err := file.Sync(); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return file.Close()
}
