package privilege

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// neverHere are those of never that only this machine has.
var neverHere = []int{unix.SYS_NFSSERVCTL, unix.SYS_LOOKUP_DCOOKIE}
