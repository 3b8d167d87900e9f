package main

import (
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/snapshot"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"github.com/ipctrace/ipctrace/nsresolve"
	"golang.org/x/sys/unix"
)

// TestOrphan: process 10 lives since second 100 after boot, 11 since 500, of 12
// nothing but its number is seen, 13 cannot be asked for; others have ended.
func TestOrphan(t *testing.T) {
	boot := time.Unix(1_000_000, 0)
	at := func(second int64) int64 { return boot.Unix() + second }
	processes := map[uint32]nsresolve.Process{
		10: {PID: 10, Comm: "old", Start: 100_00, UID: 7}, 11: {PID: 11, Comm: "new", Start: 500_50, UID: 8},
	}
	members := &snapshot.Namespace{Namespace: nsresolve.Namespace{Processes: []nsresolve.Process{processes[10]}}}
	for _, test := range []struct {
		name          string
		o             sysvipc.Object
		host          string // in the initial pid namespace
		hostComm      string
		container     string // in another one, with a /proc of its own
		foreignSource string // … and with another's /proc
	}{
		{"its maker lives", sysvipc.Object{Kind: "shm", CPID: 10, CTime: at(200)}, "no", "old", "no", ""},
		{"its maker has ended", sysvipc.Object{Kind: "shm", CPID: 99, CTime: at(200)}, "yes", "", "yes", "yes"},
		{"somebody has it attached", sysvipc.Object{Kind: "shm", CPID: 99, CTime: at(200), Attached: 1}, "no", "", "no", "no"},
		{"its maker's number is another's", sysvipc.Object{Kind: "shm", CPID: 11, CTime: at(490)}, "yes", "", "yes", ""},
		{"its maker began in the same second", sysvipc.Object{Kind: "shm", CPID: 11, CTime: at(500)}, "no", "new", "no", ""},
		{"or nearly", sysvipc.Object{Kind: "shm", CPID: 11, CTime: at(499)}, "no", "new", "no", ""},
		{"the clock was set", sysvipc.Object{Kind: "shm", CPID: 10, CTime: at(-1)}, "", "", "", ""},
		{"of its maker nothing is seen", sysvipc.Object{Kind: "shm", CPID: 12, CTime: at(200)}, "", "", "", ""},
		{"its maker cannot be asked for", sysvipc.Object{Kind: "shm", CPID: 13, CTime: at(200)}, "", "", "", ""},
		{"its maker is elsewhere", sysvipc.Object{Kind: "shm", CTime: at(200)}, "", "", "", ""},
		{"elsewhere, and attached", sysvipc.Object{Kind: "shm", CTime: at(200), Attached: 1}, "no", "", "no", "no"},

		{"never used, and its owner is there", sysvipc.Object{Kind: "msg", UID: 7}, "", "", "", ""},
		{"never used, and its owner is not", sysvipc.Object{Kind: "msg", UID: 8, CUID: 8}, "maybe", "", "", ""},
		{"its sender has ended", sysvipc.Object{Kind: "msg", LSPID: 99}, "maybe", "", "", ""},
		{"both have ended", sysvipc.Object{Kind: "msg", LSPID: 99, LRPID: 98}, "maybe", "", "maybe", "maybe"},
		{"its receiver lives", sysvipc.Object{Kind: "msg", LSPID: 99, LRPID: 11, CTime: at(1)}, "no", "", "no", "no"},
		{"its receiver cannot be asked for", sysvipc.Object{Kind: "msg", LSPID: 99, LRPID: 13}, "", "", "", ""},

		{"its owner is there", sysvipc.Object{Kind: "sem", UID: 7, CUID: 8}, "", "", "", ""},
		{"its maker is there", sysvipc.Object{Kind: "sem", UID: 8, CUID: 7}, "", "", "", ""},
		{"neither is", sysvipc.Object{Kind: "sem", UID: 8, CUID: 8}, "maybe", "", "", ""},
		{"the queue's owner is there", sysvipc.Object{Kind: "mq", UID: 7}, "", "", "", ""},
		{"the queue's owner is not", sysvipc.Object{Kind: "mq", UID: 8, CUID: 7}, "maybe", "", "", ""},
	} {
		j := &judge{
			processes: processes, initial: true, complete: true, boot: boot,
			start: func(p nsresolve.Process) time.Time { return boot.Add(time.Duration(p.Start) * tick) },
			ended: func(pid uint32) (bool, error) {
				if pid == 13 {
					return false, errors.New("no")
				}
				return pid < 10 || pid > 13, nil
			},
		}
		verdict, comm := j.orphan(members, &test.o)
		if verdict != test.host || comm != test.hostComm {
			t.Errorf("%s: %q %q, want %q %q", test.name, verdict, comm, test.host, test.hostComm)
		}
		j.initial, j.complete = false, false
		if verdict, _ = j.orphan(members, &test.o); verdict != test.container {
			t.Errorf("%s, in a container: %q, want %q", test.name, verdict, test.container)
		}
		j.processes = nil
		if verdict, comm = j.orphan(members, &test.o); verdict != test.foreignSource || comm != "" {
			t.Errorf("%s, without /proc: %q %q, want %q", test.name, verdict, comm, test.foreignSource)
		}
	}
}

// TestEnded: a thread's number is no process's, and one that nobody waited for
// has ended all the same.
func TestEnded(t *testing.T) {
	cmd := exec.Command("cat")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	is := func(what string, pid int, want bool) {
		t.Helper()
		if got, err := ended(uint32(pid)); got != want || err != nil {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	is("it runs", pid, false)
	stdin.Close()
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	is("nobody waited for it", pid, true)
	_ = cmd.Wait()
	is("it is gone", pid, true)
	is("this process", os.Getpid(), false)
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil || len(threads) < 2 {
		t.Fatalf("%v, %v", threads, err)
	}
	for _, thread := range threads {
		tid := 0
		for _, digit := range thread.Name() {
			tid = 10*tid + int(digit-'0')
		}
		if tid != os.Getpid() {
			is("a thread", tid, true)
		}
	}
}
