package nsresolve

import (
	"bytes"
	"errors"
	"strconv"
)

var errMalformed = errors.New("malformed")

// pfKthread is PF_KTHREAD of include/linux/sched.h, seen in field 9 of stat.
const pfKthread = 0x00200000

// stat is what is needed of /proc/PID/stat.
type stat struct {
	comm  string
	ppid  int
	flags uint64
	start uint64
}

// parseStat reads /proc/PID/stat. The comm is written raw (do_task_stat in
// fs/proc/array.c) and may hold anything, ")" and newlines too, but nothing
// after it can hold a ")".
func parseStat(b []byte) (stat, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return stat{}, errMalformed
	}
	// f[0] is field 3, the state.
	f := bytes.Fields(b[end+1:])
	if len(f) < 20 {
		return stat{}, errMalformed
	}
	ppid, err1 := strconv.Atoi(string(f[1]))
	flags, err2 := strconv.ParseUint(string(f[6]), 10, 64)
	start, err3 := strconv.ParseUint(string(f[19]), 10, 64)
	if err1 != nil || err2 != nil || err3 != nil || ppid < 0 {
		return stat{}, errMalformed
	}
	comm := string(b[open+1 : min(end, open+1+maxComm)])
	return stat{comm: comm, ppid: ppid, flags: flags, start: start}, nil
}

// parseUID returns the real uid in /proc/PID/status. The name in its first line
// cannot forge a line: there the kernel escapes newlines (proc_task_name).
func parseUID(b []byte) (uint32, error) {
	for line := range bytes.Lines(b) {
		rest, ok := bytes.CutPrefix(line, []byte("Uid:"))
		if !ok {
			continue
		}
		f := bytes.Fields(rest)
		if len(f) == 0 {
			return 0, errMalformed
		}
		uid, err := strconv.ParseUint(string(f[0]), 10, 32)
		if err != nil {
			return 0, errMalformed
		}
		return uint32(uid), nil
	}
	return 0, errMalformed
}

// readStat reads the stat file of the process whose directory is open.
func readStat(dir int, buf *[]byte) (stat, error) {
	b, err := readFile(dir, "stat", buf)
	if err != nil {
		return stat{}, err
	}
	return parseStat(b)
}

// readProcess reads all of a process but its threads.
func readProcess(dir, pid int, buf *[]byte) (Process, error) {
	st, err := readStat(dir, buf)
	if err != nil {
		return Process{}, err
	}
	p := Process{PID: pid, PPID: st.ppid, Comm: st.comm, Start: st.start}
	b, err := readFile(dir, "status", buf)
	if err != nil {
		return Process{}, err
	}
	if p.UID, err = parseUID(b); err != nil {
		return Process{}, err
	}
	// A kernel without cgroups has no such file.
	if b, err = readFile(dir, "cgroup", buf); err == nil {
		p.Cgroup = parseCgroupFile(b).best()
	}
	return p, nil
}
