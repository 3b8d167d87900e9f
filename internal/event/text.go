package event

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Key of an object; 0 is IPC_PRIVATE. In JSON "0x6c54b6c4".
type Key int32

// String is the key as ipcs prints it.
func (k Key) String() string { return fmt.Sprintf("0x%08x", uint32(k)) }

// UnmarshalText reads what String writes.
func (k *Key) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	if err != nil {
		return fmt.Errorf("key %q: not a number of 32 bits", text)
	}
	*k = Key(uint32(n))
	return nil
}

// Mode is the permission bits of an object. In JSON "0644".
type Mode uint16

// String is the mode in octal.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint16(m)) }

// UnmarshalText reads what String writes.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 9)
	if err != nil {
		return fmt.Errorf("mode %q: not permission bits in octal", text)
	}
	*m = Mode(n)
	return nil
}

// Bits of a get call's last argument: include/uapi/linux/{ipc,shm}.h. Go's
// syscall packages have none of them for all architectures.
const (
	ipcCreat     = 0o1000
	ipcExcl      = 0o2000
	ipcNoWait    = 0o4000 // of msgget and semget
	shmHugeTLB   = 0o4000 // of shmget
	shmNoReserve = 0o10000
	hugeShift    = 26
	hugeMask     = 0x3f << hugeShift
)

// ModeOf is the permissions in a get call's last argument.
func ModeOf(flags int32) Mode { return Mode(flags & 0o777) }

// FlagNames are the names of the other bits in a get call's last argument. What
// has no name is there as a number.
func FlagNames(kind string, flags int32) []string {
	rest := uint32(flags) &^ 0o777
	names := []string{}
	take := func(bit uint32, name string) {
		if rest&bit != 0 {
			names = append(names, name)
			rest &^= bit
		}
	}
	take(ipcCreat, "IPC_CREAT")
	take(ipcExcl, "IPC_EXCL")
	if kind != "shm" {
		take(ipcNoWait, "IPC_NOWAIT")
	} else {
		huge := rest&shmHugeTLB != 0
		take(shmHugeTLB, "SHM_HUGETLB")
		take(shmNoReserve, "SHM_NORESERVE")
		if size := rest & hugeMask; huge && size != 0 {
			names = append(names, fmt.Sprintf("SHM_HUGE_SHIFT=%d", size>>hugeShift))
			rest &^= hugeMask
		}
	}
	if rest != 0 {
		names = append(names, fmt.Sprintf("0x%x", rest))
	}
	return names
}

// ErrnoName is the name of an errno, "EEXIST", or "errno 531" for one that has
// none.
func ErrnoName(errno unix.Errno) string {
	if name := unix.ErrnoName(errno); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(errno))
}

// String is the namespace as users see it: the inode number, and from the second
// generation on "4026532765.2".
func (n *Namespace) String() string {
	if n.Gen <= 1 {
		return strconv.FormatUint(n.Inode, 10)
	}
	return fmt.Sprintf("%d.%d", n.Inode, n.Gen)
}

// ParseType reads a type's name, whole or without "object.".
func ParseType(s string) (Type, error) {
	names := make([]string, len(Types))
	for i, t := range Types {
		if s == string(t) || s == strings.TrimPrefix(string(t), "object.") {
			return t, nil
		}
		names[i] = string(t)
	}
	return "", fmt.Errorf("unknown event %q: %s", s, strings.Join(names, ", "))
}
