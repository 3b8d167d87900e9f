package sysvipc_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"golang.org/x/sys/unix"
)

// TestMain makes this binary a process that waits to be notified of a message.
func TestMain(m *testing.M) {
	if name := os.Getenv("IPCTRACE_NOTIFY"); name != "" {
		fmt.Println(awaitMessage(name))
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	os.Exit(m.Run())
}

func awaitMessage(name string) error {
	fd, err := mqOpen(name, 0o600, 1, 1)
	if err != nil {
		return err
	}
	var event [64]byte                        // struct sigevent
	*(*int32)(unsafe.Pointer(&event[12])) = 1 // sigev_notify: SIGEV_NONE
	_, err = number(unix.Syscall(unix.SYS_MQ_NOTIFY, uintptr(fd), uintptr(unsafe.Pointer(&event)), 0))
	return err
}

// strange are names that a queue can have.
var strange = []string{
	"jobs", "two words", "line\nfeed", "\x1b[31mred", "\xff\xfe no UTF-8", "-n", "...", strings.Repeat("n", 255),
}

// TestQueues: POSIX queues are as a mount of the namespace's mqueue shows them.
func TestQueues(t *testing.T) {
	ns := newNamespace(t, func() error {
		var errs []error
		for i, name := range strange {
			fd, err := mqOpen(name, uint32(0o600+i), i+1, 16*(i+1))
			if err != nil {
				return err
			}
			for n := range i {
				errs = append(errs, mqSend(fd, strings.Repeat("x", n+1)))
			}
			errs = append(errs, unix.Fchown(fd, 1000+i, 2000+i), unix.Close(fd))
		}
		return errors.Join(errs...)
	})
	r := newReader(t)
	got, err := r.Read(ns, all)
	if err != nil || got.MQ != nil {
		t.Fatal(err, got.MQ)
	}
	if got.Limits.QueuesMax.Used != uint64(len(strange)) {
		t.Errorf("%+v", got.Limits.QueuesMax)
	}
	want := mounted(t, ns)
	for i, name := range strange { // as they were asked for
		o := want["/"+name]
		o.Messages, o.MaxMsg, o.MsgSize = uint64(i), int64(i+1), int64(16*(i+1))
		want["/"+name] = o
	}
	for range 2 { // the second time after the other program, and Read, have read
		queues := map[string]sysvipc.Object{}
		for _, o := range got.Objects {
			queues[o.Name] = o
		}
		if diff := cmp.Diff(want, queues); diff != "" {
			t.Errorf("mount and Read: %s", diff)
		}
		if got, err = r.Read(ns, all); err != nil {
			t.Fatal(err)
		}
	}
}

// mounted has other programs list the namespace's mqueue, in a mount namespace
// of their own: what it shows of a queue by stat and cat.
func mounted(t *testing.T, ns *os.File) map[string]sysvipc.Object {
	t.Helper()
	out := inside(t, ns, "unshare", "--mount", "sh", "-c", `mount -t mqueue none "$1" && cd "$1" && for q in * ...; do
		stat --printf '%i %a %u %g %Y ' -- "$q"; cat -- "$q" | cut -d: -f2 | cut -d' ' -f1; printf '%s\0' "$q"; done`, "sh", t.TempDir())
	queues := map[string]sysvipc.Object{}
	for record := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		numbers, name, _ := strings.Cut(record, "\n")
		o := sysvipc.Object{Kind: "mq", Name: "/" + name}
		if _, err := fmt.Sscanf(numbers, "%d %o %d %d %d %d", &o.Inode, &o.Mode, &o.UID, &o.GID, &o.CTime, &o.Bytes); err != nil {
			t.Fatalf("%q: %v", record, err)
		}
		queues[o.Name] = o
	}
	return queues
}

// TestQueuesUntouched: looking takes no message out, ends nobody's notification,
// and leaves no trace in a mount table.
func TestQueuesUntouched(t *testing.T) {
	const name = "waiting"
	var child *exec.Cmd
	var said *bufio.Reader
	ns := newNamespace(t, func() (err error) {
		child = exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), "IPCTRACE_NOTIFY="+name)
		stdin, err := child.StdinPipe()
		if err != nil {
			return err
		}
		stdout, err := child.StdoutPipe()
		if err != nil {
			return err
		}
		said = bufio.NewReader(stdout)
		if err := child.Start(); err != nil { // in the namespace of this thread
			return err
		}
		t.Cleanup(func() { stdin.Close(); _ = child.Wait() })
		fd, err := mqOpen("full", 0o600, 1, 5)
		return errors.Join(err, mqSend(fd, "hello"), unix.Close(fd))
	})
	if line, err := said.ReadString('\n'); err != nil || line != "<nil>\n" {
		t.Fatal(line, err)
	}
	notified := fmt.Sprintf("NOTIFY_PID:%d", child.Process.Pid)
	mounts := readFile(t, "/proc/self/mountinfo")
	r := newReader(t)
	for range 5 {
		got, err := r.Read(ns, all)
		if err != nil || len(got.Objects) != 2 || got.MQ != nil {
			t.Fatalf("%+v, %v", got, err)
		}
		i := slices.IndexFunc(got.Objects, func(o sysvipc.Object) bool { return o.Name == "/full" })
		if o := got.Objects[i]; o.Messages != 1 || o.Bytes != 5 {
			t.Errorf("%+v", o)
		}
	}
	if now := readFile(t, "/proc/self/mountinfo"); now != mounts {
		t.Errorf("mounts before: %s\nafter: %s", mounts, now)
	}
	text := inside(t, ns, "unshare", "--mount", "sh", "-c", `mount -t mqueue none "$1" && cat "$1/waiting"`, "sh", t.TempDir())
	if !slices.Contains(strings.Fields(text), notified) {
		t.Errorf("want %s in %q", notified, text)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestQueuesBound: of more queues than are listed, it says so.
func TestQueuesBound(t *testing.T) {
	for _, test := range []struct{ most, want int }{{2, 2}, {3, 3}, {4, 3}} {
		newNamespace(t, func() error {
			for i := range 3 {
				fd, err := mqOpen(fmt.Sprint(i), 0o600, 1, 1)
				if err != nil {
					return err
				}
				unix.Close(fd)
			}
			dir, err := sysvipc.MountQueues()
			if err != nil {
				return err
			}
			defer dir.Close()
			got, err := sysvipc.ListQueues(dir, test.most)
			if len(got) != test.want || (err != nil) != (test.most < 3) {
				t.Errorf("at most %d: %d, %v", test.most, len(got), err)
			}
			return nil
		})
	}
}

// TestQueueUnreadable: of a queue that may not be opened there is what stat says.
func TestQueueUnreadable(t *testing.T) {
	newNamespace(t, func() error {
		fd, err := mqOpen("secret", 0o600, 3, 3)
		if err != nil {
			return err
		}
		unix.Close(fd)
		dir, err := sysvipc.MountQueues()
		if err != nil {
			return err
		}
		defer dir.Close()
		// The thread ends with this id, and is nobody's capability any more.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			return errno
		}
		got, err := sysvipc.ListQueues(dir, 10)
		if err != nil || len(got) != 1 {
			return fmt.Errorf("%+v, %w", got, err)
		}
		if o := got[0]; o.Name != "/secret" || o.Inode == 0 || o.Mode != 0o600 || o.CTime == 0 || o.MaxMsg != 0 {
			t.Errorf("%+v", o)
		}
		return nil
	})
}

// TestQueuesChurn: while others come and go, a queue that stays is listed once.
func TestQueuesChurn(t *testing.T) {
	stop, churned := make(chan struct{}), make(chan error, 1)
	ns := newNamespaceWith(t,
		func() error {
			fd, err := mqOpen("stays", 0o600, 1, 1)
			return errors.Join(err, unix.Close(fd))
		},
		func() {
			var err error
			for n := 0; err == nil; n++ {
				select {
				case <-stop:
					churned <- nil
					return
				default:
					err = comeAndGo(fmt.Sprint(n%7), n)
				}
			}
			churned <- err
		})
	r := newReader(t)
	for range 200 {
		got, err := r.Read(ns, all)
		if err != nil || got.MQ != nil {
			t.Fatal(err, got.MQ)
		}
		stays := 0
		for _, o := range got.Objects {
			if o.Name == "/stays" {
				stays++
			}
		}
		if stays != 1 {
			t.Errorf("listed %d times: %+v", stays, got.Objects)
		}
	}
	close(stop)
	if err := <-churned; err != nil {
		t.Error(err)
	}
}

// comeAndGo makes and unlinks a queue, with a message in it every other time.
func comeAndGo(name string, n int) error {
	fd, err := mqOpen(name, 0o600, 1, 1)
	if err != nil {
		return err
	}
	if n%2 > 0 {
		err = mqSend(fd, "x")
	}
	return errors.Join(err, unix.Close(fd), mqUnlink(name))
}
