package sysvipc_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"unsafe"

	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"golang.org/x/sys/unix"
)

// newNamespace makes an IPC namespace, and runs f on a thread in it. When the
// thread has ended, the file alone holds the namespace.
func newNamespace(t testing.TB, f func() error) *os.File {
	t.Helper()
	return newNamespaceWith(t, f, func() {})
}

// newNamespaceWith has the thread go on with more.
func newNamespaceWith(t testing.TB, f func() error, more func()) *os.File {
	t.Helper()
	kerneltest.NeedRoot(t)
	var ns *os.File
	done := make(chan error)
	go sysvipc.OnThread(func() {
		err := unix.Unshare(unix.CLONE_NEWIPC)
		if err == nil {
			ns, err = os.Open("/proc/thread-self/ns/ipc")
		}
		if err == nil {
			err = f()
		}
		done <- err
		if err == nil {
			more()
		}
	})
	err := <-done
	if ns != nil {
		t.Cleanup(func() { ns.Close() })
	}
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// inside runs another program in a namespace, and returns what it prints.
func inside(t testing.TB, ns *os.File, name string, args ...string) string {
	t.Helper()
	nsenter := kerneltest.NeedProgram(t, "nsenter")
	kerneltest.NeedProgram(t, name)
	ipc := fmt.Sprintf("--ipc=/proc/%d/fd/%d", os.Getpid(), ns.Fd())
	cmd := exec.Command(nsenter, append([]string{ipc, name}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("%q: %v: %s", cmd.Args, err, exit.Stderr)
		}
		t.Fatalf("%q: %v", cmd.Args, err)
	}
	return string(out)
}

// find is the one object of a kind and id.
func find(t testing.TB, objects []sysvipc.Object, kind string, id int) sysvipc.Object {
	t.Helper()
	for _, o := range objects {
		if o.Kind == kind && int(o.ID) == id {
			return o
		}
	}
	t.Fatalf("no %s %d in %+v", kind, id, objects)
	return sysvipc.Object{}
}

// The calls that Go's packages do not wrap, in the calling thread's namespace.

func msgget(key, flags int) (int, error) {
	return number(unix.Syscall(unix.SYS_MSGGET, uintptr(key), uintptr(flags), 0))
}

func msgsnd(id int, text string) error {
	message := append(make([]byte, 8), text...)
	message[0] = 1 // its type, which is a long
	_, err := number(unix.Syscall6(unix.SYS_MSGSND, uintptr(id), uintptr(unsafe.Pointer(&message[0])), uintptr(len(text)), 0, 0, 0))
	return err
}

func semget(key, n, flags int) (int, error) {
	return number(unix.Syscall(unix.SYS_SEMGET, uintptr(key), uintptr(n), uintptr(flags)))
}

// mqOpen takes the name as the kernel does: without the slash.
func mqOpen(name string, mode uint32, maxMsg, msgSize int) (int, error) {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return -1, err
	}
	attr := [8]int{1: maxMsg, 2: msgSize}
	return number(unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)),
		unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, uintptr(mode), uintptr(unsafe.Pointer(&attr)), 0, 0))
}

func mqUnlink(name string) error {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, err = number(unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(text)), 0, 0))
	return err
}

func mqSend(fd int, text string) error {
	message := append([]byte(text), 0)
	_, err := number(unix.Syscall6(unix.SYS_MQ_TIMEDSEND, uintptr(fd), uintptr(unsafe.Pointer(&message[0])), uintptr(len(text)), 0, 0, 0))
	return err
}

func number(r, _ uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}
