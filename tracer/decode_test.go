package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// record is the bytes of raw, as the kernel would write them.
func record(raw ipctraceEvent) []byte {
	return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw))...)
}

func sample() ipctraceEvent {
	return ipctraceEvent{
		BootNs: 3600e9, Lost: 2, CgroupId: 5120, NsId: 53254, Size: 4096, NsInum: 4026532765, Cpu: 3, Key: -2, Flags: 0o1644,
		Ret: 32769, Pid: 10, Tid: 11, NsPid: 12, Ppid: 13, Uid: 14, Gid: 15, Euid: 16, Egid: 17,
		Kind: ipctraceKindKIND_SHM, Verdict: ipctraceVerdictVERDICT_OPEN, Abi: ipctraceAbiABI_X32,
		Comm: [16]byte{'a', 0xff, 'b', 0, 'c'}, ParentComm: [16]byte{'s', 'h'},
	}
}

func TestDecode(t *testing.T) {
	size := int(unsafe.Sizeof(ipctraceEvent{}))
	whole := record(sample())
	changed := func(change func(*ipctraceEvent)) []byte {
		raw := sample()
		change(&raw)
		return record(raw)
	}
	fail := func(ret int32) []byte {
		return changed(func(r *ipctraceEvent) { r.Ret, r.Verdict = ret, ipctraceVerdictVERDICT_FAIL })
	}
	for _, test := range []struct {
		name   string
		sample []byte
		want   string // error; "": none
	}{
		{"whole", whole, ""},
		{"rounded up", append(whole[:len(whole):len(whole)], 1, 2, 3, 4, 5, 6, 7), ""},
		{"id 0", changed(func(r *ipctraceEvent) { r.Ret = 0 }), ""},
		{"failed", fail(-17), ""},
		{"nothing", nil, fmt.Sprintf("malformed record: 0 bytes, want %d", size)},
		{"a byte short", whole[:size-1], fmt.Sprintf("malformed record: %d bytes, want %d", size-1, size)},
		{"kind", changed(func(r *ipctraceEvent) { r.Kind = 3 }), "malformed record: kind 3"},
		{"huge kind", changed(func(r *ipctraceEvent) { r.Kind = 1<<32 - 1 }), "malformed record: kind 4294967295"},
		{"verdict", changed(func(r *ipctraceEvent) { r.Verdict = 4 }), "malformed record: verdict 4"},
		{"abi", changed(func(r *ipctraceEvent) { r.Abi = 5 }), "malformed record: abi 5"},
		{"failed with an id", fail(0), "malformed record: result 0 with verdict fail"},
		{"found with an errno", changed(func(r *ipctraceEvent) { r.Ret = -17 }), "malformed record: result -17 with verdict open"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var raw ipctraceEvent
			err := decode(test.sample, &raw)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				if diff := cmp.Diff(test.sample[:size], record(raw)); diff != "" {
					t.Error(diff)
				}
			case err == nil || err.Error() != test.want || !errors.Is(err, errRecord):
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestNewEvent: which field of the record says what.
func TestNewEvent(t *testing.T) {
	f := fakeClock{offset: 1000 * time.Hour}
	for _, test := range []struct {
		name   string
		change func(*ipctraceEvent)
		want   func(*Event)
	}{
		{"segment found", func(*ipctraceEvent) {}, func(e *Event) {}},
		{"segment made", func(r *ipctraceEvent) { r.Verdict, r.Ret = 0, 0 }, func(e *Event) { e.Verdict, e.ID = VerdictCreate, 0 }},
		{"queue", func(r *ipctraceEvent) { r.Kind = ipctraceKindKIND_MSG }, func(e *Event) { e.Kind, e.Size = Msg, 0 }},
		{"set", func(r *ipctraceEvent) { r.Kind, r.Size = ipctraceKindKIND_SEM, 5 },
			func(e *Event) { e.Kind, e.Size, e.Sems = Sem, 0, 5 }},
		{"set of fewer than none", func(r *ipctraceEvent) { r.Kind, r.Size = ipctraceKindKIND_SEM, 1<<64-1 },
			func(e *Event) { e.Kind, e.Size, e.Sems = Sem, 0, -1 }},
		{"failed", func(r *ipctraceEvent) { r.Verdict, r.Ret = ipctraceVerdictVERDICT_FAIL, -int32(unix.EEXIST) },
			func(e *Event) { e.Verdict, e.ID, e.Errno = VerdictFail, -1, unix.EEXIST }},
		{"by ipc(2)", func(r *ipctraceEvent) { r.Entry = ipctraceEntryENTRY_IPC }, func(e *Event) { e.IPCCall = true }},
		{"all sixteen bytes of a name",
			func(r *ipctraceEvent) { copy(r.Comm[:], "0123456789abcdef"); r.ParentComm = [16]byte{} },
			func(e *Event) { e.Comm, e.ParentComm = "0123456789abcdef", "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := sample()
			test.change(&raw)
			want := Event{
				Time: time.Unix(0, int64(1001*time.Hour)).UTC(), Boot: time.Hour, CPU: 3,
				Namespace: 4026532765, NamespaceID: 53254, Kind: Shm, Verdict: VerdictOpen, ID: 32769, Key: -2, Flags: 0o1644,
				Size: 4096, ABI: X32, PID: 10, TID: 11, NSPID: 12, PPID: 13, UID: 14, GID: 15, EUID: 16, EGID: 17,
				CgroupID: 5120, Comm: "a\xffb", ParentComm: "sh",
			}
			test.want(&want)
			got := newEvent(&raw, f.clock())
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Msg.String(): "msg", Shm.String(): "shm", Sem.String(): "sem", Kind(3).String(): "unknown(3)",
		Msg.Call(): "msgget", Shm.Call(): "shmget", Sem.Call(): "semget",
		VerdictCreate.String(): "create", VerdictOpen.String(): "open", VerdictGet.String(): "get", VerdictFail.String(): "fail",
		Verdict(1<<32 - 1).String(): "unknown(4294967295)",
		X86_64.String():             "x86_64", I386.String(): "i386", X32.String(): "x32", ARM64.String(): "arm64", ARM32.String(): "arm32",
		ABI(5).String():                              "unknown(5)",
		(&Event{Kind: Sem}).Syscall():                "semget",
		(&Event{Kind: Sem, IPCCall: true}).Syscall(): "ipc",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(record(sample()))
	f.Add(record(ipctraceEvent{}))
	f.Add(record(ipctraceEvent{Ret: -1 << 31, Verdict: ipctraceVerdictVERDICT_FAIL, BootNs: 1<<64 - 1, Size: 1<<64 - 1}))
	f.Add([]byte(nil))
	// Where in a record its enums are, for the mutations to find.
	for _, offset := range []uintptr{
		unsafe.Offsetof(ipctraceEvent{}.Kind), unsafe.Offsetof(ipctraceEvent{}.Verdict), unsafe.Offsetof(ipctraceEvent{}.Abi),
	} {
		for value := range uint32(6) {
			b := record(sample())
			binary.NativeEndian.PutUint32(b[offset:], value)
			f.Add(b)
		}
	}
	fake := fakeClock{offset: time.Hour}
	f.Fuzz(func(t *testing.T, b []byte) {
		var raw ipctraceEvent
		if err := decode(b, &raw); err != nil {
			if !errors.Is(err, errRecord) || len(err.Error()) > 100 {
				t.Errorf("error %q", err)
			}
			return
		}
		e := newEvent(&raw, fake.clock())
		for _, s := range []string{e.Kind.String(), e.Verdict.String(), e.ABI.String()} {
			if strings.HasPrefix(s, "unknown") {
				t.Errorf("%s in %+v", s, e)
			}
		}
		if failed := e.Verdict == VerdictFail; failed != (e.ID == -1) || failed != (e.Errno != 0) || e.ID < -1 {
			t.Errorf("id %d, errno %d with verdict %v", e.ID, e.Errno, e.Verdict)
		}
		if e.Kind != Shm && e.Size != 0 || e.Kind != Sem && e.Sems != 0 {
			t.Errorf("%v of %d bytes and %d semaphores", e.Kind, e.Size, e.Sems)
		}
		for _, comm := range []string{e.Comm, e.ParentComm} {
			if len(comm) > 16 || strings.Contains(comm, "\x00") {
				t.Errorf("comm %q", comm)
			}
		}
	})
}

// objects are the committed objects, of every architecture.
func objects(t *testing.T) map[string]*ebpf.CollectionSpec {
	t.Helper()
	own, err := loadIpctrace()
	if err != nil {
		t.Fatal(err)
	}
	specs := map[string]*ebpf.CollectionSpec{"own": own}
	for _, arch := range []string{"x86", "arm64"} {
		name := "ipctrace_" + arch + "_bpfel.o"
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			continue // the test runs without the sources: its own object is within it
		}
		if specs[arch], err = ebpf.LoadCollectionSpec(name); err != nil {
			t.Fatal(err)
		}
	}
	return specs
}

// TestLayout: the Go types have the layout that the objects' BTF has.
func TestLayout(t *testing.T) {
	for arch, spec := range objects(t) {
		for name, typ := range map[string]reflect.Type{
			"event": reflect.TypeFor[ipctraceEvent](), "counters": reflect.TypeFor[ipctraceCounters](),
			"selector": reflect.TypeFor[ipctraceSelector](),
		} {
			t.Run(arch+" "+name, func(t *testing.T) {
				var s *btf.Struct
				if err := spec.Types.TypeByName(name, &s); err != nil {
					t.Fatal(err)
				}
				if uintptr(s.Size) != typ.Size() {
					t.Errorf("%d bytes, in Go %d", s.Size, typ.Size())
				}
				if diff := cmp.Diff(members(t, s), fields(typ)); diff != "" {
					t.Errorf("-BTF +Go:\n%s", diff)
				}
			})
		}
	}
}

// place is where a member is, and what.
type place struct {
	Name         string
	Offset, Size int
	Signed       bool
}

func members(t *testing.T, s *btf.Struct) (places []place) {
	for _, m := range s.Members {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		i, isInt := btf.UnderlyingType(m.Type).(*btf.Int)
		places = append(places, place{
			strings.ReplaceAll(m.Name, "_", ""), int(m.Offset.Bytes()), size, isInt && i.Encoding == btf.Signed,
		})
	}
	return places
}

func fields(typ reflect.Type) (places []place) {
	for f := range typ.Fields() {
		if f.Name == "_" {
			continue // structs.HostLayout
		}
		places = append(places, place{strings.ToLower(f.Name), int(f.Offset), int(f.Type.Size()), f.Type.Kind() == reflect.Int32})
	}
	return places
}

// TestEnums: every value that the kernel side can say has a name here.
func TestEnums(t *testing.T) {
	for arch, spec := range objects(t) {
		for enum, names := range map[string][]string{"kind": kindNames[:], "verdict": verdictNames[:], "abi": abiNames[:]} {
			t.Run(arch+" "+enum, func(t *testing.T) {
				var e *btf.Enum
				if err := spec.Types.TypeByName(enum, &e); err != nil {
					t.Fatal(err)
				}
				said := make([]string, len(e.Values))
				for _, v := range e.Values {
					if v.Value >= uint64(len(said)) {
						t.Fatalf("%s is %d of %d", v.Name, v.Value, len(said))
					}
					said[v.Value] = strings.ToLower(strings.TrimPrefix(v.Name, strings.ToUpper(enum)+"_"))
				}
				if diff := cmp.Diff(said, names); diff != "" {
					t.Errorf("-BTF +Go:\n%s", diff)
				}
			})
		}
	}
}
