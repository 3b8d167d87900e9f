//go:build amd64 || arm64

package main

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// straced is a call as strace -X raw shows it.
type straced struct {
	TID    int
	Call   string
	Args   string
	Result string // a number, or the errno's name
}

// asStraced is how strace must show what r tells.
func asStraced(t *testing.T, r Result) straced {
	t.Helper()
	flags, id, key := int(r.Flags), int(r.ID), uint32(r.Key)
	var args []any
	result := uint64(0)
	switch r.Call {
	case "msgget":
		args, result = []any{key, flags}, uint64(r.ID)
	case "shmget":
		args, result = []any{key, r.Size, flags}, uint64(r.ID)
	case "semget":
		args, result = []any{key, r.NSems, flags}, uint64(r.ID)
	case "msgctl", "shmctl":
		args = []any{id, flags}
	case "semctl":
		args = []any{id, 0, flags}
	case "shmat":
		args, result = []any{id, 0, 0}, r.Address
	case "shmdt":
		args = []any{r.Address}
	case "mq_open":
		args, result = openArgs(r), uint64(r.FD)
	case "mq_unlink":
		args = []any{strconv.Quote(r.Name)}
	case "mq_timedsend":
		args = []any{r.FD, `"hello"`, r.Size, 0, 0}
		if r.Name != "a" {
			args[1] = `"random"`
		}
	case "openat":
		args, result = []any{unix.AT_FDCWD, strconv.Quote(r.Path), flags, r.Mode}, uint64(r.FD)
	case "unlinkat":
		args = []any{unix.AT_FDCWD, strconv.Quote(r.Path), 0}
	case "unshare":
		args = []any{flags}
	case "setns":
		args = []any{r.FD, flags}
	case "clone":
		args, result = []any{"child_stack=0", fmt.Sprintf("flags=%d", flags)}, uint64(r.Child)
	case "clone3":
		args, result = []any{fmt.Sprintf("{flags=%d exit_signal=%d stack=0 stack_size=0} 64", flags, unix.SIGCHLD)}, uint64(r.Child)
	default:
		t.Fatalf("unknown call: %+v", r)
	}
	c := straced{TID: r.TID, Call: r.Call, Args: strings.Trim(fmt.Sprint(args), "[]"), Result: fmt.Sprint(result)}
	if r.Errno != 0 {
		c.Result = unix.ErrnoName(unix.Errno(r.Errno))
	}
	return c
}

func openArgs(r Result) []any {
	args := []any{strconv.Quote(r.Name), r.Flags}
	if r.Flags&unix.O_CREAT == 0 {
		return args
	}
	if r.MaxMsg == 0 && r.MsgSize == 0 {
		return append(args, r.Mode, 0)
	}
	return append(args, r.Mode, fmt.Sprintf("{mq_flags=0 mq_maxmsg=%d mq_msgsize=%d mq_curmsgs=0}", r.MaxMsg, r.MsgSize))
}

// 123 shmget(0x77, 4097, 0x200|0600) = -1 EINVAL (Invalid argument)
var straceLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\w+)(?: (E[A-Z0-9]+))?`)

// readStrace reads a log, leaves out what the Go runtime and the op mount do for
// themselves, and what an op does not choose.
func readStrace(t *testing.T, path string) []straced {
	t.Helper()
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var calls []straced
	begun := map[string]string{}
	for line := range strings.Lines(string(log)) {
		tid, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if head, ok := strings.CutSuffix(rest, "<unfinished ...>"); ok {
			begun[tid] = strings.TrimRight(head, " ")
			continue
		}
		if _, tail, ok := strings.Cut(rest, "resumed>"); ok {
			line = tid + " " + begun[tid] + tail
		}
		m := straceLine.FindStringSubmatch(line)
		if m == nil {
			if !strings.Contains(line, "+++") && !strings.Contains(line, "[ Process PID=") {
				t.Fatalf("strace: cannot read %q", line)
			}
			continue
		}
		c := straced{Call: m[2], Args: plainArgs(m[2], m[3]), Result: cmp.Or(m[5], plainNumber(m[4]))}
		if c.TID, err = strconv.Atoi(m[1]); err != nil {
			t.Fatal(err)
		}
		if !ofRuntime(c) {
			calls = append(calls, c)
		}
	}
	return calls
}

func ofRuntime(c straced) bool {
	switch c.Call {
	case "openat": // of ipcmaker are those that create
		return !strings.HasSuffix(c.Args, fmt.Sprint(" ", unix.O_CREAT|unix.O_WRONLY, " ", 0o600))
	case "clone":
		return !strings.Contains(c.Args, "child_stack=0 ") // threads
	case "unshare":
		return c.Args == fmt.Sprint(unix.CLONE_NEWNS)
	}
	return false
}

// 0x200|0600, flags=0x8000000|17, NULL
var straceArg = regexp.MustCompile(`^(\{?\w+=)?(NULL|-?\d[0-9a-fx]*(?:\|\d[0-9a-fx]*)*)(\}?)$`)

// plainArgs writes the numbers among the arguments in decimal, and leaves out the
// last of the *ctl calls: removal ignores it.
func plainArgs(call, list string) string {
	args := strings.Split(list, ", ")
	if strings.HasSuffix(call, "ctl") {
		args = args[:len(args)-1]
	}
	for i, arg := range args {
		if m := straceArg.FindStringSubmatch(arg); m != nil {
			args[i] = m[1] + plainNumber(m[2]) + m[3]
		}
	}
	return strings.Join(args, " ")
}

func plainNumber(s string) string {
	if s == "NULL" {
		return "0"
	}
	sum := int64(0)
	for part := range strings.SplitSeq(s, "|") {
		n, err := strconv.ParseInt(part, 0, 64)
		if err != nil {
			return s
		}
		sum |= n
	}
	return fmt.Sprint(sum)
}

func byThread(calls []straced) {
	slices.SortStableFunc(calls, func(a, b straced) int { return cmp.Compare(a.TID, b.TID) })
}
