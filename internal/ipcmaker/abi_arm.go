package main

import "golang.org/x/sys/unix"

const (
	arch      = "arm32"
	sysIPC    = 0
	setresuid = unix.SYS_SETRESUID32
	setresgid = unix.SYS_SETRESGID32
)
