package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// op does one thing; word is how it was written.
type op struct {
	word string
	do   func(*thread) error
}

var kinds = []string{"msg", "shm", "sem"}

// words read what comes after an op's name and colon.
var words = map[string]func(string) (func(*thread) error, error){
	"msgget": get("msg", 2),
	"shmget": get("shm", 3),
	"semget": get("sem", 3),
	"got":    parseGot,
	"rmid":   parseRmid,
	"attach": parseAttach,
	"detach": plain((*thread).detach),
	"munmap": number(func(t *thread, size int64) error { return t.unmap(int(size)) }),

	"mq_open":   parseOpen,
	"mq_send":   text((*thread).send),
	"mq_close":  plain((*thread).closeQueue),
	"mq_unlink": text(func(t *thread, name string) error { t.unlink(name); return nil }),
	"mount":     text((*thread).mount),
	"creat":     text((*thread).createFile),
	"unlink":    text(func(t *thread, path string) error { t.removeFile(path); return nil }),

	"unshare":  plain((*thread).newNamespace),
	"setns":    text(func(t *thread, path string) error { return t.enterPath(path, unix.CLONE_NEWIPC) }),
	"setns0":   text(func(t *thread, path string) error { return t.enterPath(path, 0) }),
	"setnspid": number(func(t *thread, pid int64) error { return t.enterProcess(int(pid)) }),
	"fork":     plain(func(t *thread) error { return t.clone(0) }),
	"clone":    plain(func(t *thread) error { return t.clone(unix.CLONE_NEWIPC) }),
	"clone3":   plain((*thread).clone3),
	"exec":     plain((*thread).exec),

	"random":        parseRandom,
	"nap":           number(nap),
	"pause":         plain((*thread).pause),
	"keep":          plain(func(*thread) error { return nil }), // see thread.run
	"exit-attached": plain(func(t *thread) error { t.keep, t.ended = true, true; return nil }),
	"sysctl":        text(sysctl),
	"uid":           number(func(_ *thread, id int64) error { return become(uintptr(id)) }),
	"seccomp":       parseSeccomp,
}

func parseOps(args []string) ([]op, error) {
	ops := make([]op, 0, len(args))
	for _, word := range args {
		name, rest, _ := strings.Cut(word, ":")
		parse, ok := words[name]
		if !ok {
			return nil, fmt.Errorf("%s: unknown op", word)
		}
		do, err := parse(rest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", word, err)
		}
		ops = append(ops, op{word, do})
	}
	return ops, nil
}

func nap(_ *thread, ms int64) error {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return nil
}

func plain(do func(*thread) error) func(string) (func(*thread) error, error) {
	return func(s string) (func(*thread) error, error) {
		if s != "" {
			return nil, errors.New("takes nothing")
		}
		return do, nil
	}
}

func text(do func(*thread, string) error) func(string) (func(*thread) error, error) {
	return func(s string) (func(*thread) error, error) {
		return func(t *thread) error { return do(t, s) }, nil
	}
}

func number(do func(*thread, int64) error) func(string) (func(*thread) error, error) {
	return func(s string) (func(*thread) error, error) {
		n, err := parseNumbers(s, 1)
		if err != nil {
			return nil, err
		}
		return func(t *thread) error { return do(t, n[0]) }, nil
	}
}

func get(kind string, want int) func(string) (func(*thread) error, error) {
	return func(s string) (func(*thread) error, error) {
		n, err := parseNumbers(s, want)
		if err != nil {
			return nil, err
		}
		r := Result{Call: kind + "get", Kind: kind, Key: int32(n[0]), Flags: int32(n[want-1])}
		switch kind {
		case "shm":
			r.Size = uint64(n[1])
		case "sem":
			r.NSems = int32(n[1])
		}
		return func(t *thread) error { t.get(r); return nil }, nil
	}
}

func parseGot(s string) (func(*thread) error, error) {
	kind, rest, err := parseKind(s)
	if err != nil {
		return nil, err
	}
	n, err := parseNumbers(rest, 1)
	if err != nil {
		return nil, err
	}
	return func(t *thread) error { t.got[kind] = append(t.got[kind], int32(n[0])); return nil }, nil
}

func parseRmid(s string) (func(*thread) error, error) {
	kind, rest, err := parseKind(s)
	if err != nil {
		return nil, err
	}
	p, err := parseObject(rest)
	if err != nil {
		return nil, err
	}
	return func(t *thread) error {
		id, err := t.pick(kind, p)
		if err == nil {
			t.rmid(kind, id)
		}
		return err
	}, nil
}

func parseAttach(s string) (func(*thread) error, error) {
	p, err := parseObject(s)
	if err != nil {
		return nil, err
	}
	return func(t *thread) error {
		id, err := t.pick("shm", p)
		if err == nil {
			t.attach(id)
		}
		return err
	}, nil
}

func parseOpen(s string) (func(*thread) error, error) {
	name, rest, _ := strings.Cut(s, ":")
	n, err := parseNumbers(rest, 1, 2, 4)
	if err != nil {
		return nil, err
	}
	r := Result{Name: name, Flags: int32(n[0]), Mode: 0o600}
	if len(n) > 1 {
		r.Mode = uint32(n[1])
	}
	if len(n) > 2 {
		r.MaxMsg, r.MsgSize = n[2], n[3]
	}
	return func(t *thread) error { return t.openQueue(r) }, nil
}

func parseSeccomp(s string) (func(*thread) error, error) {
	s, call, named := strings.Cut(s, ":")
	if !named {
		call = "msgget"
	}
	if numbers[call] == 0 {
		return nil, fmt.Errorf("unknown call %q", call)
	}
	n, err := parseNumbers(s, 1)
	if err != nil {
		return nil, err
	}
	return func(*thread) error { return refuse(call, uint32(n[0])) }, nil
}

func parseRandom(s string) (func(*thread) error, error) {
	n, err := parseNumbers(s, 2)
	if err != nil {
		return nil, err
	}
	return func(t *thread) error { return t.random(uint64(n[0]), n[1]) }, nil
}

func parseKind(s string) (kind, rest string, err error) {
	kind, rest, _ = strings.Cut(s, ":")
	if !slices.Contains(kinds, kind) {
		return "", "", fmt.Errorf("kind %q: want one of %v", kind, kinds)
	}
	return kind, rest, nil
}

// parseObject reads an OBJECT: see the command's documentation.
func parseObject(s string) (pick, error) {
	index, byIndex := strings.CutPrefix(s, "@")
	if s == "" {
		return func(ids []int32) (int32, error) { return at(ids, len(ids)-1) }, nil
	}
	n, err := strconv.ParseInt(index, 0, 32)
	if err != nil {
		return nil, err
	}
	if byIndex {
		return func(ids []int32) (int32, error) { return at(ids, int(n)) }, nil
	}
	return func([]int32) (int32, error) { return int32(n), nil }, nil
}

func at(ids []int32, i int) (int32, error) {
	if i < 0 || i >= len(ids) {
		return 0, fmt.Errorf("only %d were got", len(ids))
	}
	return ids[i], nil
}

// parseNumbers reads as many as one of the wanted counts.
func parseNumbers(s string, want ...int) ([]int64, error) {
	var numbers []int64
	for part := range strings.SplitSeq(s, ":") {
		n, err := strconv.ParseInt(part, 0, 64)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, n)
	}
	if !slices.Contains(want, len(numbers)) {
		return nil, fmt.Errorf("%d numbers, want %v", len(numbers), want)
	}
	return numbers, nil
}

func (t *thread) pause() error {
	if err := t.out.flush(); err != nil {
		return err
	}
	return wait(t.stdin)
}

func sysctl(_ *thread, s string) error {
	file, value, _ := strings.Cut(s, "=")
	if !strings.Contains(file, "/") {
		file = "kernel/" + file
	}
	return os.WriteFile("/proc/sys/"+file, []byte(value), 0)
}
