package main

import "golang.org/x/sys/unix"

const (
	arch   = "i386"
	sysIPC = unix.SYS_IPC
	// The calls without 32 cut the ids to 16 bits.
	setresuid = unix.SYS_SETRESUID32
	setresgid = unix.SYS_SETRESGID32
)
