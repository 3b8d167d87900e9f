package event

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Key of an object; 0 is IPC_PRIVATE. In JSON "0x6c54b6c4".
type Key int32

// String is the key as ipcs prints it.
func (k Key) String() string { return string(k.appendTo(nil)) }

func (k Key) appendTo(b []byte) []byte { return appendHex(append(b, "0x"...), uint32(k), 8) }

// UnmarshalText reads what String writes.
func (k *Key) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 0, 32)
	if err != nil {
		return fmt.Errorf("key %q: not a number of 32 bits", text)
	}
	*k = Key(uint32(n))
	return nil
}

// Called is what its engine calls the container: "db", of a pod "db-0/postgres"; "" where
// that is not known.
func (c *Container) Called() string {
	if c.Pod == "" || c.Name == "" {
		return cmp.Or(c.Name, c.Pod)
	}
	return c.Pod + "/" + c.Name
}

// Label is a short name: "docker:db", "docker:4f797c539e6c" where that is not known.
func (c *Container) Label() string {
	const digits = 64 // of an id that is no name
	name := cmp.Or(c.Called(), c.ID)
	if name == c.ID && len(name) == digits {
		name = name[:12]
	}
	if c.Runtime == "" { // a log can lack it
		return name
	}
	return c.Runtime + ":" + name
}

// Mode is the permission bits of an object. In JSON "0644".
type Mode uint16

// String is the mode in octal.
func (m Mode) String() string { return string(m.appendTo(nil)) }

func (m Mode) appendTo(b []byte) []byte {
	if m > 0o7777 {
		return strconv.AppendUint(b, uint64(m), 8)
	}
	return append(b, '0'+byte(m>>9), '0'+byte(m>>6&7), '0'+byte(m>>3&7), '0'+byte(m&7))
}

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

// FlagNames are the names of the other bits in a get call's last argument, or of
// those in the oflag of mq_open. What has no name is there as a number. They are
// shared: leave them as they are.
func FlagNames(kind string, flags int32) []string {
	switch {
	case kind == kindMQ:
		if names, usual := openFlags[flags]; usual {
			return names
		}
		return openFlagNames(uint32(flags))
	case uint32(flags) < 1<<usualBits:
		usual := &getFlags
		if kind == kindShm {
			usual = &segmentFlags
		}
		return usual[flags>>modeBits]
	}
	return getFlagNames(kind == kindShm, uint32(flags))
}

// Permissions are the lowest bits of a flag, and few are above those with a name.
const (
	modeBits  = 9
	usualBits = 13
)

// getFlags are the names of usual flags, segmentFlags those where a segment is got.
var getFlags, segmentFlags = usualFlags(false), usualFlags(true)

func usualFlags(shm bool) (names [1 << (usualBits - modeBits)][]string) {
	for i := range names {
		names[i] = slices.Clip(getFlagNames(shm, uint32(i)<<modeBits))
	}
	return names
}

func getFlagNames(shm bool, flags uint32) []string {
	rest := flags &^ 0o777
	names := []string{}
	take := func(bit uint32, name string) {
		if rest&bit != 0 {
			names = append(names, name)
			rest &^= bit
		}
	}
	take(ipcCreat, "IPC_CREAT")
	take(ipcExcl, "IPC_EXCL")
	if !shm {
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

// openBits are those of include/uapi/asm-generic/fcntl.h that mq_open takes, besides
// how it is to be opened.
var openBits = []struct {
	bit  uint32
	name string
}{{0o100, "O_CREAT"}, {0o200, "O_EXCL"}, {0o4000, "O_NONBLOCK"}, {0o2000000, "O_CLOEXEC"}}

// openFlags are the names of those flags that are of such bits alone.
var openFlags = func() map[int32][]string {
	all := make(map[int32][]string)
	for mode := range uint32(4) {
		for some := range 1 << len(openBits) {
			flags := mode
			for i, f := range openBits {
				flags |= f.bit * uint32(some>>i&1)
			}
			all[int32(flags)] = slices.Clip(openFlagNames(flags))
		}
	}
	return all
}()

func openFlagNames(flags uint32) []string {
	names := []string{[...]string{"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"}[flags&0o3]}
	rest := flags &^ 0o3
	for _, f := range openBits {
		if rest&f.bit != 0 {
			names = append(names, f.name)
			rest &^= f.bit
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

// MaxErrno is MAX_ERRNO, include/linux/err.h.
const MaxErrno = 4095

// IsErrnoName says whether an errno has this name.
func IsErrnoName(name string) bool {
	for errno := unix.Errno(1); errno <= MaxErrno; errno++ {
		if unix.ErrnoName(errno) == name {
			return name != ""
		}
	}
	return false
}

// String is the namespace as users see it: the inode number, and from the second
// generation on "4026532765.2".
func (n *Namespace) String() string {
	if n.Gen <= 1 {
		return strconv.FormatUint(n.Inode, 10)
	}
	return fmt.Sprintf("%d.%d", n.Inode, n.Gen)
}

// kindMQ is the one kind of object that has a name and no key; kindShm has flags of
// its own.
const (
	kindMQ  = "mq"
	kindShm = "shm"
)

// ParseType reads a type's name, whole, or without what stands before its dot
// where no other type is called so: "create" is "object.create".
func ParseType(s string) (Type, error) {
	names := make([]string, len(Types))
	for i, t := range Types {
		if _, word, _ := strings.Cut(string(t), "."); s == string(t) || s == word {
			return t, nil
		}
		names[i] = string(t)
	}
	return "", fmt.Errorf("unknown event %q: %s", s, strings.Join(names, ", "))
}
