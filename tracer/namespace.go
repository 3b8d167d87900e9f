package tracer

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nsGetID is NS_GET_ID, include/uapi/linux/nsfs.h (6.18).
const nsGetID = 0x8008b70d

// haveNamespaceIDs asks the kernel whether its namespaces have ids.
func haveNamespaceIDs() bool {
	f, err := os.Open("/proc/self/ns/ipc")
	if err != nil {
		return false
	}
	defer f.Close()
	var id uint64
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), nsGetID, uintptr(unsafe.Pointer(&id)))
	runtime.KeepAlive(&id)
	return errno == 0
}
