package nsresolve

import (
	"strconv"
	"strings"
)

// parseLink reads the text of a namespace link, "ipc:[4026531839]"
// (ns_get_name in fs/nsfs.c). The text of other links cannot look so: a path
// begins with a slash.
func parseLink(s string) (name string, inode uint64, ok bool) {
	name, rest, ok := strings.Cut(s, ":[")
	if !ok || name == "" {
		return "", 0, false
	}
	digits, ok := strings.CutSuffix(rest, "]")
	if !ok || digits == "" || digits[0] == '+' {
		return "", 0, false
	}
	inode, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return "", 0, false
	}
	return name, inode, true
}

// ipcLink returns the inode of a link to an IPC namespace.
func ipcLink(s string) (uint64, bool) {
	name, inode, ok := parseLink(s)
	return inode, ok && name == "ipc"
}
