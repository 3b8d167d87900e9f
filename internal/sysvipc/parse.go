package sysvipc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// columns are those that are read of each file: the names that the kernel gives
// them in ipc/{msg,shm,sem}.c.
var columns = map[string][]string{
	"msg": {"key", "msqid", "perms", "cbytes", "qnum", "lspid", "lrpid", "uid", "gid", "cuid", "cgid", "ctime"},
	"shm": {"key", "shmid", "perms", "size", "cpid", "lpid", "nattch", "uid", "gid", "cuid", "cgid", "ctime"},
	"sem": {"key", "semid", "perms", "nsems", "uid", "gid", "cuid", "cgid", "ctime"},
}

// field is where a column goes: a pointer to an integer.
func (o *Object) field(column string) any {
	switch column {
	case "key":
		return &o.Key
	case "msqid", "shmid", "semid":
		return &o.ID
	case "perms":
		return &o.Mode
	case "uid":
		return &o.UID
	case "gid":
		return &o.GID
	case "cuid":
		return &o.CUID
	case "cgid":
		return &o.CGID
	case "size":
		return &o.Size
	case "nattch":
		return &o.Attached
	case "nsems":
		return &o.NSems
	case "qnum":
		return &o.Messages
	case "cbytes":
		return &o.Bytes
	case "cpid":
		return &o.CPID
	case "lpid":
		return &o.LPID
	case "lspid":
		return &o.LSPID
	case "lrpid":
		return &o.LRPID
	case "ctime":
		return &o.CTime
	}
	panic("no field for column " + column) // one of ours: never of the file
}

// Parse reads the file of /proc/sysvipc that is about a kind: a line of names,
// then a line an object. Columns may come in any order, and more of them than
// are known. Lines are at most 64 KiB.
func Parse(r io.Reader, kind string) ([]Object, error) { return parse(bufio.NewScanner(r), kind) }

func parse(lines *bufio.Scanner, kind string) ([]Object, error) {
	if !lines.Scan() {
		if lines.Err() != nil {
			return nil, lines.Err()
		}
		return nil, errors.New("no line of names")
	}
	places, err := find(columns[kind], strings.Fields(lines.Text()))
	if err != nil {
		return nil, err
	}
	var objects []Object
	for n := 2; lines.Scan(); n++ {
		o := Object{Kind: kind}
		if err := o.parse(strings.Fields(lines.Text()), columns[kind], places); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		objects = append(objects, o)
	}
	return objects, lines.Err()
}

// find says at which places of the header the columns are.
func find(columns, header []string) ([]int, error) {
	places := make([]int, len(columns))
	for i, column := range columns {
		if places[i] = slices.Index(header, column); places[i] < 0 {
			return nil, fmt.Errorf("no column %s", column)
		}
	}
	return places, nil
}

func (o *Object) parse(fields, columns []string, places []int) error {
	for i, column := range columns {
		if places[i] >= len(fields) {
			return fmt.Errorf("no %s", column)
		}
		base := 10
		if column == "perms" {
			base = 8
		}
		if err := parseInt(fields[places[i]], base, o.field(column)); err != nil {
			return fmt.Errorf("%s: %w", column, err)
		}
	}
	return nil
}

func parseInt(s string, base int, to any) (err error) {
	var signed int64
	var unsigned uint64
	switch to := to.(type) {
	case *int32:
		signed, err = strconv.ParseInt(s, base, 32)
		*to = int32(signed)
	case *int64:
		*to, err = strconv.ParseInt(s, base, 64)
	case *uint32:
		unsigned, err = strconv.ParseUint(s, base, 32)
		*to = uint32(unsigned)
	case *uint64:
		*to, err = strconv.ParseUint(s, base, 64)
	}
	return err
}
