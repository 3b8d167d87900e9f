package tracer

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

// FuzzCgroup: what is no record of a cgroup is refused, and nothing else.
func FuzzCgroup(f *testing.F) {
	record := func(id uint64, path string) []byte { return append(binary.NativeEndian.AppendUint64(nil, id), path...) }
	for _, b := range [][]byte{nil, record(1, ""), record(7, "/a"), record(1<<63, "/\xff\n"), record(1, "a"), record(1, "/a\x00b")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		id, path, err := decodeCgroup(b)
		whole := len(b) > 8 && b[8] == '/' && !strings.Contains(string(b[8:]), "\x00")
		switch {
		case whole != (err == nil), err != nil && !errors.Is(err, errRecord):
			t.Errorf("%q: %v", b, err)
		case whole && string(record(id, path)) != string(b):
			t.Errorf("%q is told as %d, %q", b, id, path)
		}
	})
}

// TestKernelWithoutCgroups: where the hook of cgroups cannot be had the rest is, and it is
// told what is missing.
func TestKernelWithoutCgroups(t *testing.T) {
	needRoot(t)
	cfg := Config{RingBytes: 1 << 16, Cgroup: func(uint64, string) { t.Error("told of a cgroup") }}
	for _, tier := range []Tier{Fentry, Syscall} {
		l, err := newLoader(cfg)
		if err != nil {
			t.Fatal(err)
		}
		l.spec.Programs[ipctraceProgCgroupMkdir].AttachTo = "no_such_tracepoint"
		tr, err := open(cfg, tier, l)
		l.close()
		if err != nil {
			continue // this kernel does not have the tier
		}
		gap := cgroupHooks()[0].without
		if !slices.ContainsFunc(tr.Gaps(), func(s string) bool { return strings.HasPrefix(s, gap) }) {
			t.Errorf("tier %s: no gap in %q", tier, tr.Gaps())
		}
		if s := tr.Stats(); s.Cgroups != 0 || s.CgroupsLost != 0 {
			t.Errorf("%+v", s)
		}
		tr.Close()
	}
}
