package nsresolve

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLink(t *testing.T) {
	for _, tc := range []struct {
		in    string
		name  string
		inode uint64
		ok    bool
	}{
		{"ipc:[4026531839]", "ipc", 4026531839, true},
		{"mnt:[1]", "mnt", 1, true},
		{"pid_for_children:[7]", "pid_for_children", 7, true},
		{"ipc:[18446744073709551615]", "ipc", 1<<64 - 1, true},
		{"ipc:[18446744073709551616]", "", 0, false},
		{"ipc:[-1]", "", 0, false},
		{"ipc:[+1]", "", 0, false},
		{"ipc:[]", "", 0, false},
		{"ipc:[1", "", 0, false},
		{"ipc:[1]x", "", 0, false},
		{":[1]", "", 0, false},
		{"", "", 0, false},
		{"/tmp/ipc", "", 0, false},
	} {
		name, inode, ok := parseLink(tc.in)
		if name != tc.name || inode != tc.inode || ok != tc.ok {
			t.Errorf("parseLink(%q) = %q, %d, %v", tc.in, name, inode, ok)
		}
	}
	// A file called like a namespace shows as a path.
	for _, s := range []string{"/ipc:[4026531839]", "socket:[4026531839]", "/x/ipc:[1] (deleted)"} {
		if _, ok := ipcLink(s); ok {
			t.Errorf("ipcLink(%q) is one", s)
		}
	}
}

func TestParseStat(t *testing.T) {
	const tail = " S 7 1 1 0 -1 2097216 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0\n"
	for _, comm := range []string{
		"bash", "", ") (", "a) S 99 (b", "new\nline", "\x1b[31m", "\xff\xfe", "kworker/0:1H-events_highpri",
	} {
		got, err := parseStat([]byte("42 (" + comm + ")" + tail))
		want := stat{comm: comm, ppid: 7, flags: 2097216, start: 12345}
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", comm, got, err)
		}
	}
	for _, bad := range []string{
		"", "42", "42 (", "42 )(", "42 (x)", "42 (x) S 1", "42 (x) S -7" + tail[4:],
		"42 (x) S y" + tail[4:], "42 (x" + tail,
	} {
		if got, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	long, err := parseStat([]byte("1 (" + strings.Repeat("x", 5000) + ")" + tail))
	if err != nil || len(long.comm) != maxComm {
		t.Errorf("comm of %d bytes, %v", len(long.comm), err)
	}
}

func TestParseUID(t *testing.T) {
	for in, want := range map[string]uint32{
		"Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\n":       1000,
		"Name:\tx\\nUid:\t5\nUid:\t0\t0\t0\t0\n":         0,
		"Uid:\t4294967295\t0\t0\t0":                      4294967295,
		"Name:\tUid:\nUid:\t7\t8\t9\t10\nUid:\t11\t12\n": 7,
	} {
		if got, err := parseUID([]byte(in)); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "Name:\tx\n", "Uid:\n", "Uid:\t-1\n", "Uid:\t4294967296\n"} {
		if got, err := parseUID([]byte(bad)); err == nil {
			t.Errorf("%q: %d", bad, got)
		}
	}
}

func TestParseMountinfo(t *testing.T) {
	in := strings.Join([]string{
		`22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw`,
		`36 28 0:4 ipc:[4026532765] /run/ns/ipc rw shared:1 master:2 - nsfs nsfs rw`,
		`37 28 0:4 ipc:[5] /a\040b\011c\012d\134e rw - nsfs nsfs rw`,
		`38 28 0:4 net:[6] /run/netns/x rw - nsfs nsfs rw`,
		`39 28 8:1 /ipc:[7] /mnt rw - ext4 /dev/sda1 rw`,
		`40 28 0:4 ipc:[8] /fake rw - tmpfs nsfs rw`,
		`x 28 0:4 ipc:[9] /fake rw - nsfs nsfs rw`,
		`41 28 ipc:[10] - nsfs nsfs rw`,
		`42 28 0:9 / /big rw - overlay overlay ` + strings.Repeat("x", 3*maxMountLine) + ` - nsfs `,
		`43 28 0:4 ipc:[11] /odd\04x\999\ rw - nsfs nsfs rw`,
		``, `- nsfs `, ` - nsfs x`,
		`44 28 0:4 ipc:[12] /cut/off rw - nsfs nsfs rw`, // no newline
	}, "\n")
	var got []nsMount
	err := parseMountinfo(strings.NewReader(in), func(m nsMount) { got = append(got, m) })
	want := []nsMount{
		{36, 4026532765, "/run/ns/ipc"}, {37, 5, "/a b\tc\nd\\e"}, {43, 11, `/odd\04x\999\`},
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(nsMount{})); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
}

func TestParseCgroupFile(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for _, tc := range []struct{ name, in, best, v2 string }{
		{"v2", "0::/user.slice\n", "/user.slice", "/user.slice"},
		{"deleted", "0::/x (deleted)\n", "/x", "/x"},
		{"colons", "0::/system.slice:docker:" + id + "\n", "/system.slice:docker:" + id, "/system.slice:docker:" + id},
		{"hybrid", "4:memory:/docker/" + id + "\n1:name=systemd:/s\n0::/\n", "/docker/" + id, "/"},
		{"v1 named", "4:memory:/m\n1:name=systemd:/s\n", "/s", ""},
		{"v1 plain", "4:memory:/m\n", "/m", ""},
		{"empty", "", "", ""},
		{"junk", "0:\n:::\n0::relative\n\x00\n", "", ""},
	} {
		f := parseCgroupFile([]byte(tc.in))
		if f.best() != tc.best || f.v2 != tc.v2 {
			t.Errorf("%s: best %q, v2 %q", tc.name, f.best(), f.v2)
		}
	}
}

func FuzzParseLink(f *testing.F) {
	f.Add("ipc:[4026531839]")
	f.Fuzz(func(t *testing.T, s string) {
		if inode, ok := ipcLink(s); ok && !strings.HasPrefix(s, "ipc:[") {
			t.Errorf("%q is %d", s, inode)
		}
	})
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (a) b) S 7 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, err := parseStat(b)
		if err == nil && (st.ppid < 0 || len(st.comm) > maxComm || !bytes.Contains(b, []byte(st.comm))) {
			t.Errorf("%q: %+v", b, st)
		}
	})
}

// FuzzStatComm: no comm can change what is read after it.
func FuzzStatComm(f *testing.F) {
	f.Add(") S 1 (")
	f.Add("\n")
	f.Fuzz(func(t *testing.T, comm string) {
		st, err := parseStat([]byte(statLine(fakeProcess{pid: 3, ppid: 2, start: 9, comm: comm})))
		if err != nil || st.ppid != 2 || st.start != 9 || st.comm != bounded(comm, maxComm) {
			t.Errorf("%q: %+v, %v", comm, st, err)
		}
	})
}

func FuzzParseUID(f *testing.F) {
	f.Add([]byte("Name:\tx\nUid:\t1000\t0\t0\t0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseUID(b); err == nil && !bytes.Contains(b, []byte("Uid:")) {
			t.Errorf("%q has a uid", b)
		}
	})
}

func FuzzParseMountinfo(f *testing.F) {
	f.Add([]byte("36 28 0:4 ipc:[4026532765] /a\\040b rw - nsfs nsfs rw\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := parseMountinfo(bytes.NewReader(b), func(m nsMount) {
			n++
			if len(m.point) > maxPath {
				t.Errorf("mount point of %d bytes", len(m.point))
			}
		})
		if err != nil || n > bytes.Count(b, []byte("\n")) {
			t.Errorf("%d of %q, %v", n, b, err)
		}
	})
}

func FuzzParseCgroupFile(f *testing.F) {
	f.Add([]byte("4:memory:/m\n1:name=systemd:/s\n0::/x (deleted)\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		best := parseCgroupFile(b).best()
		if len(best) > maxPath || best != "" && best[0] != '/' || strings.Contains(best, "\n") {
			t.Errorf("%q: %q", b, best)
		}
	})
}

func FuzzParseCgroup(f *testing.F) {
	for _, c := range cgroupCases {
		f.Add(c.path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		c, ok := ParseCgroup(path)
		if ok != (c != Container{}) || ok && !isName(c.ID) {
			t.Errorf("%q: %+v, %v", path, c, ok)
		}
		if ok && c.label() == "" {
			t.Errorf("%q: no label for %+v", path, c)
		}
	})
}
