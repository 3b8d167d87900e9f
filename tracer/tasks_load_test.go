package tracer

import (
	"errors"
	"os"
	"reflect"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestTasksLayout is TestLayout for the other object.
func TestTasksLayout(t *testing.T) {
	for _, file := range []string{"tasks_x86_bpfel.o", "tasks_arm64_bpfel.o"} {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			t.Skip("n/a: the test runs without the sources")
		}
		spec, err := ebpf.LoadCollectionSpec(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, typ := range map[string]reflect.Type{
			"task": reflect.TypeFor[tasksTask](), "descriptor": reflect.TypeFor[tasksDescriptor](),
		} {
			var s *btf.Struct
			if err := spec.Types.TypeByName(name, &s); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(members(t, s), fields(typ)); diff != "" || uintptr(s.Size) != typ.Size() {
				t.Errorf("%s %s: %d bytes, in Go %d; -BTF +Go:\n%s", file, name, s.Size, typ.Size(), diff)
			}
		}
	}
}

// needRoot is kerneltest.NeedRoot, which imports this package.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	const why = "needs root: make test-root"
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// TestKernelTasksPrivilege: who may not load is told what it takes.
func TestKernelTasksPrivilege(t *testing.T) {
	needRoot(t)
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with its ids
		// The plain system call changes this thread alone.
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
			done <- e
			return
		}
		_, err := list[tasksTask](&iterator{program: tasksProgTasks})
		done <- err
	}()
	if err := <-done; !errors.Is(err, ErrPrivilege) {
		t.Error(err)
	}
}

// TestKernelTasksPrepare: what is prepared is not loaded again.
func TestKernelTasksPrepare(t *testing.T) {
	needRoot(t)
	Prepare()
	tasks, descriptors := taskIterator.link, descriptorIterator.link
	if tasks == nil || descriptors == nil {
		t.Fatal("not loaded")
	}
	_, err := Tasks()
	_, err2 := Descriptors()
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if taskIterator.link != tasks || descriptorIterator.link != descriptors {
		t.Error("loaded again")
	}
}
