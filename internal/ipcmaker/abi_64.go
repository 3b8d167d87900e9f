//go:build amd64 || arm64

package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	arch      = runtime.GOARCH
	sysIPC    = 0
	setresuid = unix.SYS_SETRESUID
	setresgid = unix.SYS_SETRESGID
)
