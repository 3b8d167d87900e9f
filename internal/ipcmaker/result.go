package main

import (
	"bufio"
	"encoding/json"
	"sync"
)

// Result is what came of one call. Fields that say nothing of the call are 0 or
// absent, except ID.
type Result struct {
	Call  string `json:"call"`           // the system call
	Kind  string `json:"kind,omitempty"` // msg, shm, sem or mq
	Key   int32  `json:"key"`
	Size  uint64 `json:"size"`  // shmget, mq_timedsend, munmap: bytes
	NSems int32  `json:"nsems"` // semget
	Flags int32  `json:"flags"` // as passed; of the *ctl calls their cmd
	ID    int32  `json:"id"`    // the object got or acted on; -1: none
	Errno int    `json:"errno"` // 0 on success
	PID   int    `json:"pid"`   // as the process sees itself
	TID   int    `json:"tid"`
	NS    uint64 `json:"ns"` // inode of the thread's IPC namespace, after the call

	Address uint64 `json:"address,omitzero"` // shmat's result, argument of shmdt and munmap
	Child   int    `json:"child,omitzero"`   // clone, clone3: its pid
	FD      int    `json:"fd,omitzero"`      // result of mq_open and openat; argument of mq_timedsend, close and setns
	Mode    uint32 `json:"mode,omitzero"`    // mq_open, openat
	MaxMsg  int64  `json:"maxmsg,omitzero"`  // mq_open: messages
	MsgSize int64  `json:"msgsize,omitzero"` // mq_open: bytes
	Name    string `json:"name,omitempty"`   // of a queue; what is not UTF-8 in it is lost
	Inode   uint64 `json:"inode,omitzero"`   // mq_open: of the queue, by fstat
	Path    string `json:"path,omitempty"`   // openat, unlinkat, mount, setns
}

type results struct {
	mu sync.Mutex
	w  *bufio.Writer
}

func (r *results) write(result Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Cannot fail: plain fields, and an error of the writer shows at the flush.
	_ = json.NewEncoder(r.w).Encode(result)
}

func (r *results) flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.w.Flush()
}
