package tracer

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// privileged reports whether this process holds the rights that loading takes,
// in the initial user namespace: there alone they count for bpf(2).
func privileged() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	has := func(c int) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
	return initialUserNamespace() && (has(unix.CAP_SYS_ADMIN) || has(unix.CAP_BPF) && has(unix.CAP_PERFMON))
}

// initialUserNamespace: the inode of init_user_ns is fixed (PROC_USER_INIT_INO,
// include/linux/proc_ns.h). When it cannot be read the answer is yes.
func initialUserNamespace() bool {
	text, err := os.Readlink("/proc/self/ns/user")
	return err != nil || strings.HasSuffix(text, "[4026531837]")
}
