package main

import (
	"slices"
	"testing"
)

func TestParseOps(t *testing.T) {
	for _, word := range []string{
		"msgget:0x2a:01600", "shmget:-1:4096:0", "semget:0:-1:01600", "got:shm:0",
		"rmid:msg", "rmid:shm:@0", "rmid:sem:0x10", "attach", "attach:@1", "attach:7", "detach", "munmap:4096", "exit-attached",
		"mq_open:name:0102", "mq_open:name:0102:0640", "mq_open:name:0102:0640:3:64", "mq_open::0",
		"mq_send:a:b", "mq_send:", "mq_close", "mq_unlink:name", "mount:/dir", "creat:/dir/a", "unlink:/dir/a",
		"unshare", "setns:/proc/1/ns/ipc", "setns0:/proc/1/ns/ipc", "setnspid:1", "fork", "clone", "clone3",
		"random:1:100", "nap:1", "pause", "keep", "sysctl:sem=1 2 3 4", "uid:1000", "seccomp:1", "seccomp:0:unshare", "sysctl:fs/mqueue/queues_max=1", "exec",
	} {
		if ops, err := parseOps([]string{word}); err != nil || len(ops) != 1 || ops[0].word != word {
			t.Errorf("%s: %v, %v", word, ops, err)
		}
	}
	for _, word := range []string{
		"", "msgget", "msgget:1", "msgget:1:2:3", "shmget:1:2", "semget:a:2:3", "got:msg", "got:mq:1",
		"rmid", "rmid:mq", "rmid:msg:x", "rmid:msg:@", "attach:shm", "detach:1", "exit-attached:1",
		"mq_open:name", "mq_open:name:0102:0640:3", "mq_close:1", "unshare:1", "setnspid", "fork:1", "clone:x", "clone3:1",
		"random:1", "pause:1", "keep:1", "uid:root", "seccomp", "seccomp:0:", "seccomp:0:none", "munmap", "exec:1", "listen",
	} {
		if _, err := parseOps([]string{word}); err == nil {
			t.Errorf("%q: no error", word)
		}
	}
}

func TestParseObject(t *testing.T) {
	got := []int32{5, 0, 32768}
	for _, c := range []struct {
		object string
		of     []int32
		want   int32
		fails  bool
	}{
		{"", got, 32768, false},
		{"", nil, 0, true},
		{"@0", got, 5, false},
		{"@1", got, 0, false},
		{"@3", got, 0, true},
		{"@-1", got, 0, true},
		{"7", nil, 7, false},
		{"-1", nil, -1, false},
	} {
		p, err := parseObject(c.object)
		if err != nil {
			t.Errorf("%q: %v", c.object, err)
			continue
		}
		if id, err := p(c.of); id != c.want || err != nil != c.fails {
			t.Errorf("%q of %v: %d, %v", c.object, c.of, id, err)
		}
	}
}

// A child goes on as its parent was told to.
func TestChildArgs(t *testing.T) {
	rest, err := parseOps([]string{"rmid:msg", "clone3", "pause"})
	if err != nil {
		t.Fatal(err)
	}
	th := &thread{
		options: &options{x32: true, mq: true, comm: "a b", threads: 3, repeat: 2, hold: true},
		rest:    rest, keep: true, got: map[string][]int32{"sem": {1}, "msg": {0, 4}},
	}
	want := []string{"-x32", "-mq", "-comm=a b", "keep", "got:msg:0", "got:msg:4", "got:sem:1", "rmid:msg", "clone3", "pause"}
	if got := th.childArgs(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// What is drawn from a seed stays the same: tests write seeds down.
func TestDice(t *testing.T) {
	th := &thread{}
	a, b, c := dice{th.source(1)}, dice{th.source(1)}, dice{th.source(2)}
	same, other := true, true
	for range 100 {
		x := a.get("shm")
		same = same && x == b.get("shm")
		other = other && x == c.get("shm")
	}
	if !same || other {
		t.Errorf("one seed draws the same: %v; two seeds: %v", same, other)
	}
}
