package tracer

// Syscall is the system call's name: "msgget", "ipc", "unshare", "shmdt"; "" where
// there was none, and for the few that remove or make an object in passing and
// are not listed here.
func (e *Event) Syscall() string {
	if e.ByKernel || e.Nr < 0 {
		return ""
	}
	if names := syscalls[e.ABI]; int(e.Nr) < len(names) {
		return names[e.Nr]
	}
	return ""
}

// syscalls are the calls that objects and namespaces come and go in, by the
// numbers of each ABI: arch/x86/entry/syscalls/syscall_{64,32}.tbl,
// include/uapi/asm-generic/unistd.h, arch/arm64/tools/syscall_32.tbl. x32 has the
// numbers of x86-64, less __X32_SYSCALL_BIT, but for execve and execveat.
var syscalls = [...][]string{
	X86_64: x86_64,
	X32:    x86_64,
	I386: {
		117: "ipc", 393: "semget", 394: "semctl", 395: "shmget", 396: "shmctl", 397: "shmat", 398: "shmdt",
		399: "msgget", 402: "msgctl", 277: "mq_open", 278: "mq_unlink",
		120: "clone", 310: "unshare", 346: "setns", 435: "clone3",
		4: "write", 5: "open", 6: "close", 8: "creat", 10: "unlink", 11: "execve", 91: "munmap", 163: "mremap",
		192: "mmap2", 295: "openat", 301: "unlinkat", 358: "execveat", 436: "close_range", 437: "openat2",
	},
	ARM64: {
		190: "semget", 191: "semctl", 194: "shmget", 195: "shmctl", 196: "shmat", 197: "shmdt",
		186: "msgget", 187: "msgctl", 180: "mq_open", 181: "mq_unlink",
		220: "clone", 97: "unshare", 268: "setns", 435: "clone3",
		64: "write", 56: "openat", 57: "close", 35: "unlinkat", 221: "execve", 215: "munmap", 216: "mremap",
		222: "mmap", 281: "execveat", 436: "close_range", 437: "openat2",
	},
	ARM32: {
		299: "semget", 300: "semctl", 307: "shmget", 308: "shmctl", 305: "shmat", 306: "shmdt",
		303: "msgget", 304: "msgctl", 274: "mq_open", 275: "mq_unlink",
		120: "clone", 337: "unshare", 375: "setns", 435: "clone3",
		4: "write", 5: "open", 6: "close", 8: "creat", 10: "unlink", 11: "execve", 91: "munmap", 163: "mremap",
		192: "mmap2", 322: "openat", 328: "unlinkat", 387: "execveat", 436: "close_range", 437: "openat2",
	},
}

var x86_64 = []string{
	64: "semget", 66: "semctl", 29: "shmget", 31: "shmctl", 30: "shmat", 67: "shmdt",
	68: "msgget", 71: "msgctl", 240: "mq_open", 241: "mq_unlink",
	56: "clone", 272: "unshare", 308: "setns", 435: "clone3",
	1: "write", 2: "open", 3: "close", 85: "creat", 87: "unlink", 59: "execve", 11: "munmap", 25: "mremap",
	9: "mmap", 257: "openat", 263: "unlinkat", 322: "execveat", 436: "close_range", 437: "openat2",
	520: "execve", 545: "execveat", // x32
}
