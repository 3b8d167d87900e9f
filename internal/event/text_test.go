package event_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/ipctrace/ipctrace/internal/event"
)

var kinds = []string{"msg", "shm", "sem"}

func TestFlagNames(t *testing.T) {
	for _, test := range []struct {
		kind  string
		flags int32
		want  []string
	}{
		{"msg", 0, []string{}},
		{"msg", 0o777, []string{}},
		{"msg", 0o1000, []string{"IPC_CREAT"}},
		{"msg", 0o3644, []string{"IPC_CREAT", "IPC_EXCL"}},
		{"msg", 0o2000, []string{"IPC_EXCL"}},
		{"msg", 0o4000, []string{"IPC_NOWAIT"}},
		{"sem", 0o7600, []string{"IPC_CREAT", "IPC_EXCL", "IPC_NOWAIT"}},
		{"sem", 0o10000, []string{"0x1000"}},
		{"msg", -1, []string{"IPC_CREAT", "IPC_EXCL", "IPC_NOWAIT", "0xfffff000"}},
		{"shm", 0o4000, []string{"SHM_HUGETLB"}},
		{"shm", 0o15600, []string{"IPC_CREAT", "SHM_HUGETLB", "SHM_NORESERVE"}},
		{"shm", 0o5600 | 21<<26, []string{"IPC_CREAT", "SHM_HUGETLB", "SHM_HUGE_SHIFT=21"}},
		{"shm", 0o4000 | 30<<26, []string{"SHM_HUGETLB", "SHM_HUGE_SHIFT=30"}},
		{"shm", 21 << 26, []string{"0x54000000"}}, // means nothing without SHM_HUGETLB
		{"shm", 0o4000 | -1<<31, []string{"SHM_HUGETLB", "SHM_HUGE_SHIFT=32"}},
		{"shm", 0o100000, []string{"0x8000"}},
		{"mq", 0, []string{"O_RDONLY"}},
		{"mq", 0o1, []string{"O_WRONLY"}},
		{"mq", 0o102, []string{"O_RDWR", "O_CREAT"}},
		{"mq", 0o3, []string{"O_ACCMODE"}}, // refused with EINVAL
		{"mq", 0o2004300, []string{"O_RDONLY", "O_CREAT", "O_EXCL", "O_NONBLOCK", "O_CLOEXEC"}},
		{"mq", 0o100000, []string{"O_RDONLY", "0x8000"}},
		{"mq", 0o640, []string{"O_RDONLY", "O_EXCL", "0x120"}}, // no permissions in these
		{"mq", -1, []string{"O_ACCMODE", "O_CREAT", "O_EXCL", "O_NONBLOCK", "O_CLOEXEC", "0xfff7f73c"}},
		{"shm", -1, []string{"IPC_CREAT", "IPC_EXCL", "SHM_HUGETLB", "SHM_NORESERVE", "SHM_HUGE_SHIFT=63", "0x3ffe000"}},
	} {
		if diff := cmp.Diff(test.want, event.FlagNames(test.kind, test.flags)); diff != "" {
			t.Errorf("%s %#o, -want +got:\n%s", test.kind, uint32(test.flags), diff)
		}
	}
}

// bits is the reverse of FlagNames, from the kernel's headers.
func bits(t *testing.T, kind string, names []string) uint32 {
	t.Helper()
	values := map[string]uint32{"IPC_CREAT": 0o1000, "IPC_EXCL": 0o2000}
	if kind == "shm" {
		values["SHM_HUGETLB"], values["SHM_NORESERVE"] = 0o4000, 0o10000
	} else {
		values["IPC_NOWAIT"] = 0o4000
	}
	var all uint32
	for _, name := range names {
		bit, known := values[name]
		if shift, ok := strings.CutPrefix(name, "SHM_HUGE_SHIFT="); ok {
			n, err := strconv.ParseUint(shift, 10, 6)
			bit, known = uint32(n)<<26, err == nil
		}
		if !known {
			n, err := strconv.ParseUint(name, 0, 32)
			if err != nil || !strings.HasPrefix(name, "0x") {
				t.Errorf("%s: %q is no name of a bit", kind, name)
			}
			bit = uint32(n)
		}
		if bit == 0 || all&bit != 0 {
			t.Errorf("%s: %q says nothing new in %q", kind, name, names)
		}
		all |= bit
	}
	return all
}

// TestFlagNamesLoseNothing: mode and names together are the argument again.
func TestFlagNamesLoseNothing(t *testing.T) {
	whole := func(flags int32) bool {
		for _, kind := range kinds {
			got := bits(t, kind, event.FlagNames(kind, flags)) | uint32(event.ModeOf(flags))
			if got != uint32(flags) {
				t.Errorf("%s %#x becomes %q, mode %v: %#x", kind, uint32(flags), event.FlagNames(kind, flags), event.ModeOf(flags), got)
				return false
			}
		}
		return true
	}
	for bit := range 32 {
		whole(1 << bit)
		whole(^(1 << bit))
		whole(0o4000 | 1<<bit)
	}
	if err := quick.Check(whole, &quick.Config{MaxCount: 10_000}); err != nil {
		t.Error(err)
	}
}

// TestOpenFlagNamesLoseNothing: those of mq_open are all of its oflag.
func TestOpenFlagNamesLoseNothing(t *testing.T) {
	values := map[string]uint32{
		"O_RDONLY": unix.O_RDONLY, "O_WRONLY": unix.O_WRONLY, "O_RDWR": unix.O_RDWR, "O_ACCMODE": unix.O_ACCMODE,
		"O_CREAT": unix.O_CREAT, "O_EXCL": unix.O_EXCL, "O_NONBLOCK": unix.O_NONBLOCK, "O_CLOEXEC": unix.O_CLOEXEC,
	}
	whole := func(flags int32) bool {
		var all uint32
		names := event.FlagNames("mq", flags)
		for _, name := range names {
			bits, ok := values[name]
			if n, err := strconv.ParseUint(name, 0, 32); !ok && err == nil {
				bits = uint32(n)
			}
			all |= bits
		}
		if all != uint32(flags) {
			t.Errorf("%#x becomes %q: %#x", uint32(flags), names, all)
		}
		return all == uint32(flags)
	}
	for bit := range 32 {
		whole(1 << bit)
	}
	if err := quick.Check(whole, &quick.Config{MaxCount: 10_000}); err != nil {
		t.Error(err)
	}
}

func TestKey(t *testing.T) {
	for _, test := range []struct {
		key  event.Key
		text string
	}{
		{0, "0x00000000"},
		{1, "0x00000001"},
		{0x6c54b6c4, "0x6c54b6c4"},
		{-1, "0xffffffff"},
		{-1 << 31, "0x80000000"},
	} {
		if got := test.key.String(); got != test.text {
			t.Errorf("%d is %s, want %s", test.key, got, test.text)
		}
		got := event.Key(99)
		if err := got.UnmarshalText([]byte(test.text)); err != nil || got != test.key {
			t.Errorf("%s is read as %d, %v", test.text, got, err)
		}
	}
	for _, bad := range []string{"", "0x", "x", "-1", "0x100000000", "0x1 ", " 0x1", "0xg"} {
		got := event.Key(99)
		if err := got.UnmarshalText([]byte(bad)); err == nil || got != 99 {
			t.Errorf("%q is read as %v, %v", bad, got, err)
		}
	}
	same := func(k event.Key) bool {
		var got event.Key
		err := got.UnmarshalText([]byte(k.String()))
		return err == nil && got == k && len(k.String()) == len("0x00000000")
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
}

func TestMode(t *testing.T) {
	for m := range event.Mode(0o1000) {
		text := m.String()
		if want := fmt.Sprintf("0%d%d%d", m>>6, m>>3&7, m&7); text != want {
			t.Fatalf("%d is %s, want %s", uint16(m), text, want)
		}
		var got event.Mode
		if err := got.UnmarshalText([]byte(text)); err != nil || got != m {
			t.Fatalf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "8", "0648", "01000", "-1", "0x1", "rw-r--r--", "0644 "} {
		got := event.Mode(0o123)
		if err := got.UnmarshalText([]byte(bad)); err == nil || got != 0o123 {
			t.Errorf("%q is read as %v, %v", bad, got, err)
		}
	}
	for flags, want := range map[int32]event.Mode{0: 0, 0o3644: 0o644, 0o1000: 0, -1: 0o777} {
		if got := event.ModeOf(flags); got != want {
			t.Errorf("mode of %#o is %v, want %v", flags, got, want)
		}
	}
}

func TestErrnoName(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		unix.EEXIST: "EEXIST", unix.ENOENT: "ENOENT", unix.ENOSPC: "ENOSPC", unix.EACCES: "EACCES", unix.EINVAL: "EINVAL",
		unix.ENOMEM: "ENOMEM", unix.EIDRM: "EIDRM", unix.ENOSYS: "ENOSYS", unix.EAGAIN: "EAGAIN",
		0: "errno 0", 531: "errno 531", 4095: "errno 4095",
	} {
		if got := event.ErrnoName(errno); got != want {
			t.Errorf("%d is %q, want %q", int(errno), got, want)
		}
	}
}

func TestNamespaceName(t *testing.T) {
	for _, test := range []struct {
		gen  uint32
		want string
	}{{0, "4026532765"}, {1, "4026532765"}, {2, "4026532765.2"}, {10, "4026532765.10"}} {
		n := event.Namespace{Inode: 4026532765, Gen: test.gen, ID: 5, Label: "x"}
		if got := n.String(); got != test.want {
			t.Errorf("generation %d is %s, want %s", test.gen, got, test.want)
		}
	}
}

func TestParseType(t *testing.T) {
	want := []event.Type{
		"object.create", "object.open", "object.get", "object.fail", "object.mark", "object.remove", "object.found",
		"namespace.create", "namespace.join", "namespace.free", "namespace.found",
	}
	if diff := cmp.Diff(want, event.Types); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, typ := range event.Types {
		for _, name := range []string{string(typ), strings.TrimPrefix(string(typ), "object.")} {
			if got, err := event.ParseType(name); err != nil || got != typ {
				t.Errorf("%q is read as %q, %v", name, got, err)
			}
		}
	}
	for short, typ := range map[string]event.Type{
		"join": event.NamespaceJoin, "free": event.NamespaceFree, "create": event.ObjectCreate, "found": event.ObjectFound,
	} {
		if got, err := event.ParseType(short); err != nil || got != typ {
			t.Errorf("%q is read as %q, %v", short, got, err)
		}
	}
	for _, bad := range []string{"", "object.", "object", "Create", "creat", "trace.start", "start", "object.object.create", "\x1b"} {
		got, err := event.ParseType(bad)
		if err == nil || got != "" {
			t.Errorf("%q is read as %q", bad, got)
			continue
		}
		if want := fmt.Sprintf("unknown event %q: object.create, object.open,", bad); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q, want %q…", err, want)
		}
	}
}

func TestTypesAreOfObjectsOrNamespaces(t *testing.T) {
	for _, typ := range event.Types {
		if typ.IsObject() == typ.IsNamespace() {
			t.Errorf("%s: of an object %v, of a namespace %v", typ, typ.IsObject(), typ.IsNamespace())
		}
	}
	if event.TraceLost.IsObject() || event.TraceLost.IsNamespace() {
		t.Error("a loss is about something")
	}
}

func TestContainerLabel(t *testing.T) {
	id := strings.Repeat("4f797c53", 8)
	for want, c := range map[string]event.Container{
		"docker:4f797c534f79":     {ID: id, Runtime: "docker"},
		"4f797c534f79":            {ID: id},
		"lxc:web":                 {ID: "web", Runtime: "lxc"},
		"docker:db":               {ID: id, Runtime: "docker", Name: "db"},
		"containerd:db-0":         {ID: id, Runtime: "containerd", Pod: "db-0", PodNamespace: "default"},
		"cri-o:db-0/postgres":     {ID: id, Runtime: "cri-o", Pod: "db-0", Name: "postgres"},
		"systemd-nspawn:machine1": {ID: "machine1", Runtime: "systemd-nspawn", Image: "x"},
	} {
		if got := c.Label(); got != want {
			t.Errorf("%+v: %q, want %q", c, got, want)
		}
	}
}
