package sysvipc_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"golang.org/x/sys/unix"
)

const shm = `       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
         0          2  1777                 16384  1234  1234      1  1000  1000  1000  1000 1700000000          0 1700000000                 16384                     0
1816442564      32769   644                   100  4321     0      0     0     0     0     0          0          0 1700000001                     0                     0
-825257757 2147483647   600                     1     1     0      0     0     0     0     0          0          0 1700000002                     0                     0
`

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []sysvipc.Object
		bad        bool
	}{
		{name: "empty"},
		{name: "header only", text: strings.SplitAfter(shm, "\n")[0]},
		{name: "segments", text: shm, want: []sysvipc.Object{
			{Kind: "shm", Key: 0, ID: 2}, {Kind: "shm", Key: 1816442564, ID: 32769}, {Kind: "shm", Key: -825257757, ID: 1<<31 - 1},
		}},
		{name: "no id", text: "key\n5\n", bad: true},
		{name: "no number", text: "key\nx 5\n", bad: true},
		{name: "out of range", text: "key\n1 99999999999\n", bad: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := sysvipc.Parse(strings.NewReader(test.text), "shm")
			if (err != nil) != test.bad {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" && !test.bad {
				t.Error(diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(shm)
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := sysvipc.Parse(strings.NewReader(text), "shm")
		if err == nil && len(objects) > strings.Count(text, "\n")+1 {
			t.Errorf("%d objects in %q", len(objects), text)
		}
	})
}

// TestRead: what ipcmk made in a namespace is read from outside, and this
// process stays where it is.
func TestRead(t *testing.T) {
	kerneltest.NeedRoot(t)
	before, err := os.Readlink("/proc/self/ns/ipc")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--ipc", "sh", "-c", "ipcmk -Q >&2; ipcmk -M 10 >&2; ipcmk -S 1 >&2; echo; read x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ns, err := os.Open("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/ipc")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	for range 20 { // more than once, so that the main thread would be hit
		objects, err := sysvipc.Read(ns)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, o := range objects {
			kinds = append(kinds, o.Kind)
		}
		if diff := cmp.Diff(sysvipc.Kinds, kinds); diff != "" {
			t.Error(diff)
		}
	}
	if after, _ := os.Readlink("/proc/self/ns/ipc"); after != before {
		t.Errorf("this process went from %s to %s", before, after)
	}
	f, err := os.Open("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := sysvipc.Read(f); err == nil || !strings.Contains(err.Error(), unix.EINVAL.Error()) {
		t.Errorf("a namespace of another type: %v", err)
	}
}
