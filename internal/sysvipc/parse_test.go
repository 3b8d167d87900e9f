package sysvipc_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
)

// Files as kernels print them.
const (
	shm = `       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
         0          2  1777                 16384  1234  1235      1  1000  1001  1002  1003 1700000000          0 1700000000                 16384                     0
-825257757 2147483647   600  18446744073692774399     1     0      0     0     0     0 4294967295          0          0 1700000002                     0                     0
`
	msg = `       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime
1816442564      32769   644         129          2    10    11  1000  1001  1002  1003 1700000003          0 1700000001
`
	sem = `       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime
     65536          0   640      32000  1000  1001  1002  1003          0 1700000001
`
	newer = `ctime cgid added cuid gid uid nsems perms semid key
1700000001 1003 x 1002 1001 1000 32000 640 0 65536 y
`
)

func TestParse(t *testing.T) {
	set := sysvipc.Object{
		Kind: "sem", Key: 65536, Mode: 0o640, UID: 1000, GID: 1001, CUID: 1002, CGID: 1003, NSems: 32000, CTime: 1700000001,
	}
	for _, test := range []struct {
		name, kind, text string
		want             []sysvipc.Object
		err              string
	}{
		{name: "header only", kind: "shm", text: strings.SplitAfter(shm, "\n")[0]},
		{name: "segments", kind: "shm", text: shm, want: []sysvipc.Object{
			{
				Kind: "shm", ID: 2, Mode: 0o1777, UID: 1000, GID: 1001, CUID: 1002, CGID: 1003,
				Size: 16384, Attached: 1, CPID: 1234, LPID: 1235, CTime: 1700000000,
			},
			{
				Kind: "shm", Key: -825257757, ID: 1<<31 - 1, Mode: 0o600, CGID: 1<<32 - 1,
				Size: 18446744073692774399, CPID: 1, CTime: 1700000002,
			},
		}},
		{name: "queues", kind: "msg", text: msg, want: []sysvipc.Object{{
			Kind: "msg", Key: 1816442564, ID: 32769, Mode: 0o644, UID: 1000, GID: 1001, CUID: 1002, CGID: 1003,
			Messages: 2, Bytes: 129, LSPID: 10, LRPID: 11, CTime: 1700000001,
		}}},
		{name: "sets", kind: "sem", text: sem, want: []sysvipc.Object{set}},
		{name: "other columns in another order", kind: "sem", text: newer, want: []sysvipc.Object{set}},
		{name: "empty", kind: "msg", err: "no line of names"},
		{name: "another file", kind: "msg", text: shm, err: "no column msqid"},
		{name: "a column missing", kind: "sem", text: strings.Replace(sem, "cuid", "xuid", 1), err: "no column cuid"},
		{name: "a field missing", kind: "sem", text: sem + "1 2 644\n", err: "line 3: no nsems"},
		{name: "a line empty", kind: "sem", text: sem + "\n", err: "line 3: no key"},
		{name: "no number", kind: "sem", text: strings.Replace(sem, "65536", "x", 1), err: `line 2: key: strconv.ParseInt: parsing "x": invalid syntax`},
		{name: "not octal", kind: "sem", text: strings.Replace(sem, "640", "648", 1), err: `line 2: perms: strconv.ParseUint: parsing "648": invalid syntax`},
		{name: "out of range", kind: "sem", text: strings.Replace(sem, " 0 ", " 2147483648 ", 1), err: `line 2: semid: strconv.ParseInt: parsing "2147483648": value out of range`},
		{name: "line without end", kind: "sem", text: sem + strings.Repeat("1 ", 1<<16), err: "bufio.Scanner: token too long"},
		{name: "header without end", kind: "sem", text: strings.Repeat("x", 1<<17), err: "bufio.Scanner: token too long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := sysvipc.Parse(strings.NewReader(test.text), test.kind)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("%v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("shm", shm)
	f.Add("msg", msg)
	f.Add("sem", sem)
	f.Add("sem", newer)
	f.Fuzz(func(t *testing.T, kind, text string) {
		if kind != "msg" && kind != "shm" && kind != "sem" {
			return
		}
		objects, err := sysvipc.Parse(strings.NewReader(text), kind)
		if err == nil && len(objects) > strings.Count(text, "\n") {
			t.Errorf("%d objects in %q", len(objects), text)
		}
		for _, o := range objects {
			o.Event()
		}
	})
}

func FuzzParseQueued(f *testing.F) {
	f.Add([]byte("QSIZE:129        NOTIFY:2     SIGNO:0     NOTIFY_PID:8260  \n"))
	f.Add([]byte("QSIZE:"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := sysvipc.ParseQueued(text); err != nil && n != 0 && n != 1<<64-1 {
			t.Errorf("%d and %v", n, err)
		}
	})
}

func TestParseQueued(t *testing.T) {
	for text, want := range map[string]uint64{
		"QSIZE:129        NOTIFY:2     SIGNO:0     NOTIFY_PID:8260  \n":   129,
		"QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n":   0,
		"QSIZE:18446744073709551615 NOTIFY:0     SIGNO:0     NOTIFY_PID:": 1<<64 - 1,
	} {
		if got, err := sysvipc.ParseQueued([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "QSIZE:", "QSIZE:12", "QSIZE:-1 ", "NOTIFY:0 "} {
		if got, err := sysvipc.ParseQueued([]byte(text)); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
