package kernels

import (
	"bytes"
	"context"
	"errors"
	"os"
)

// Run boots the entry's kernel on an image, whose busybox is that of the cache, and
// returns what came of its jobs, also when there is an error: that of the guest as a
// whole. more are arguments of QEMU.
func (e Entry) Run(ctx context.Context, cache string, image Initramfs, more ...string) (Result, error) {
	image.Busybox = e.busyboxPath(cache)
	initrd, err := writeInitramfs(image)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = os.Remove(initrd) }() // it is of no more use
	console, bootErr := Boot(ctx, e.Arch, e.kernelPath(cache), initrd, more...)
	result, err := ParseConsole(bytes.NewReader(console))
	result.Console = console
	return result, errors.Join(bootErr, err, result.Err())
}

// writeInitramfs writes the image into a temporary file.
func writeInitramfs(image Initramfs) (path string, err error) {
	f, err := os.CreateTemp("", "initramfs")
	if err != nil {
		return "", err
	}
	if err := errors.Join(image.Write(f), f.Close()); err != nil {
		_ = os.Remove(f.Name()) // what is wrong is known
		return "", err
	}
	return f.Name(), nil
}
