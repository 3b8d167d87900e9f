package tracer

import (
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

// record is the bytes of a struct, as the kernel would write them.
func record[T ipctraceEvent | ipctraceMqEvent](raw T) []byte {
	return append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw))...)
}

func sample() ipctraceEvent {
	return ipctraceEvent{
		BootNs: 3600e9, Lost: 2, CgroupId: 5120, NsId: 53254, Size: 4096, NsInum: 4026532765, Cpu: 3, Key: -2, Flags: 0o1644,
		Ret: 32769, Pid: 10, Tid: 11, NsPid: 12, Ppid: 13, Uid: 14, Gid: 15, Owner: 16, Group: 17, Nr: 29,
		Kind: ipctraceKindKIND_SHM, Action: ipctraceActionACTION_OPEN, Abi: ipctraceAbiABI_X32,
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
		return changed(func(r *ipctraceEvent) { r.Ret, r.Action = ret, ipctraceActionACTION_FAIL })
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
		{"kind", changed(func(r *ipctraceEvent) { r.Kind = 4 }), "malformed record: kind 4"},
		{"huge kind", changed(func(r *ipctraceEvent) { r.Kind = 255 }), "malformed record: kind 255"},
		{"action", changed(func(r *ipctraceEvent) { r.Action = 9 }), "malformed record: action 9"},
		{"cause", changed(func(r *ipctraceEvent) { r.Cause = 6 }), "malformed record: cause 6"},
		{"queue without its own part", changed(func(r *ipctraceEvent) { r.Kind = ipctraceKindKIND_MQ }),
			fmt.Sprintf("malformed record: %d bytes, want %d", size, unsafe.Sizeof(ipctraceMqEvent{}))},
		{"abi", changed(func(r *ipctraceEvent) { r.Abi = 5 }), "malformed record: abi 5"},
		{"failed with an id", fail(0), "malformed record: result 0 with action fail"},
		{"found with an errno", changed(func(r *ipctraceEvent) { r.Ret = -17 }), "malformed record: result -17 with action open"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var raw ipctraceMqEvent
			err := decode(test.sample, &raw)
			switch {
			case test.want == "" && err != nil:
				t.Fatal(err)
			case test.want == "":
				if diff := cmp.Diff(test.sample[:size], record(raw.Event)); diff != "" {
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
		{"segment made", func(r *ipctraceEvent) { r.Action, r.Ret = 0, 0 }, func(e *Event) { e.Action, e.ID = ActionCreate, 0 }},
		{"queue", func(r *ipctraceEvent) { r.Kind = ipctraceKindKIND_MSG }, func(e *Event) { e.Kind, e.Size = Msg, 0 }},
		{"set", func(r *ipctraceEvent) { r.Kind, r.Size = ipctraceKindKIND_SEM, 5 },
			func(e *Event) { e.Kind, e.Size, e.Sems = Sem, 0, 5 }},
		{"set of fewer than none", func(r *ipctraceEvent) { r.Kind, r.Size = ipctraceKindKIND_SEM, 1<<64-1 },
			func(e *Event) { e.Kind, e.Size, e.Sems = Sem, 0, -1 }},
		{"failed", func(r *ipctraceEvent) { r.Action, r.Ret = ipctraceActionACTION_FAIL, -int32(unix.EEXIST) },
			func(e *Event) { e.Action, e.ID, e.Errno = ActionFail, -1, unix.EEXIST }},
		{"by ipc(2)", func(r *ipctraceEvent) { r.Abi, r.Nr = ipctraceAbiABI_I386, 117 },
			func(e *Event) { e.ABI, e.Nr = I386, 117 }},
		{"removed by the kernel", func(r *ipctraceEvent) {
			r.Action, r.Cause, r.Known, r.ByKernel = ipctraceActionACTION_REMOVE, ipctraceCauseCAUSE_NAMESPACE, 1, 1
		}, func(e *Event) { e.Action, e.Cause, e.Known, e.ByKernel = ActionRemove, CauseNamespace, true, true }},
		{"namespace born", func(r *ipctraceEvent) {
			r.Action, r.FromInum, r.FromId = ipctraceActionACTION_NS_CREATE, 4026531839, 4098
		}, func(e *Event) { e.Action, e.From, e.FromID = ActionNamespaceCreate, 4026531839, 4098 }},
		{"all sixteen bytes of a name",
			func(r *ipctraceEvent) { copy(r.Comm[:], "0123456789abcdef"); r.ParentComm = [16]byte{} },
			func(e *Event) { e.Comm, e.ParentComm = "0123456789abcdef", "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw := sample()
			test.change(&raw)
			want := Event{
				Time: time.Unix(0, int64(1001*time.Hour)).UTC(), Boot: time.Hour, CPU: 3,
				Namespace: 4026532765, NamespaceID: 53254, Kind: Shm, Action: ActionOpen, ID: 32769, Key: -2, Flags: 0o1644,
				Size: 4096, ABI: X32, Nr: 29, PID: 10, TID: 11, NSPID: 12, PPID: 13, UID: 14, GID: 15, Owner: 16, Group: 17,
				CgroupID: 5120, Comm: "a\xffb", ParentComm: "sh",
			}
			test.want(&want)
			got := newEvent(&ipctraceMqEvent{Event: raw}, f.clock(), new(comms))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Msg.String(): "msg", Shm.String(): "shm", Sem.String(): "sem", MQ.String(): "mq", Kind(4).String(): "unknown(4)",
		ActionCreate.String(): "create", ActionOpen.String(): "open", ActionGet.String(): "get", ActionFail.String(): "fail",
		Action(1<<32 - 1).String(): "unknown(4294967295)",
		X86_64.String():            "x86_64", I386.String(): "i386", X32.String(): "x32", ARM64.String(): "arm64", ARM32.String(): "arm32",
		ABI(5).String():                                         "unknown(5)",
		(&Event{ABI: X86_64, Nr: 64}).Syscall():                 "semget",
		(&Event{ABI: X32, Nr: 67}).Syscall():                    "shmdt",
		(&Event{ABI: I386, Nr: 117}).Syscall():                  "ipc",
		(&Event{ABI: ARM64, Nr: 435}).Syscall():                 "clone3",
		(&Event{ABI: ARM32, Nr: 274}).Syscall():                 "mq_open",
		(&Event{ABI: ARM64, Nr: 9999}).Syscall():                "",
		(&Event{ABI: ARM64, Nr: -1}).Syscall():                  "",
		(&Event{ABI: X86_64, Nr: 64, ByKernel: true}).Syscall(): "",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(record(sample()))
	f.Add(record(ipctraceEvent{}))
	queue := ipctraceMqEvent{Event: sample(), Maxmsg: 10, Msgsize: 8192, Mode: 0o600, Ino: 1 << 40}
	queue.Event.Kind = ipctraceKindKIND_MQ
	copy(queue.Name[:], strings.Repeat("n\x1b", 200)) // without a NUL
	f.Add(record(queue))
	f.Add(record(ipctraceEvent{Ret: -1 << 31, Action: ipctraceActionACTION_FAIL, BootNs: 1<<64 - 1, Size: 1<<64 - 1}))
	f.Add([]byte(nil))
	// Where in a record its enums are, for the mutations to find.
	for _, offset := range []uintptr{
		unsafe.Offsetof(ipctraceEvent{}.Kind), unsafe.Offsetof(ipctraceEvent{}.Action), unsafe.Offsetof(ipctraceEvent{}.Abi),
		unsafe.Offsetof(ipctraceEvent{}.Cause),
	} {
		for value := range byte(10) {
			b := record(sample())
			b[offset] = value
			f.Add(b)
		}
	}
	fake := fakeClock{offset: time.Hour}
	var names comms
	f.Fuzz(func(t *testing.T, b []byte) {
		var raw ipctraceMqEvent
		if err := decode(b, &raw); err != nil {
			if !errors.Is(err, errRecord) || len(err.Error()) > 100 {
				t.Errorf("error %q", err)
			}
			return
		}
		e := newEvent(&raw, fake.clock(), &names)
		for _, s := range []string{e.Kind.String(), e.Action.String(), e.Cause.String(), e.ABI.String()} {
			if strings.HasPrefix(s, "unknown(") {
				t.Errorf("%s in %+v", s, e)
			}
		}
		if failed := e.Action == ActionFail; (failed || e.Kind == MQ) != (e.ID == -1) || failed != (e.Errno != 0) || e.ID < -1 {
			t.Errorf("id %d, errno %d with action %v", e.ID, e.Errno, e.Action)
		}
		if e.Kind != Shm && e.Size != 0 || e.Kind != Sem && e.Sems != 0 {
			t.Errorf("%v of %d bytes and %d semaphores", e.Kind, e.Size, e.Sems)
		}
		if len(e.Queue.Name) > 257 || strings.Contains(e.Queue.Name, "\x00") || e.Kind != MQ && e.Queue != (Queue{}) {
			t.Errorf("queue %+v of kind %v", e.Queue, e.Kind)
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
			"selector": reflect.TypeFor[ipctraceSelector](), "process": reflect.TypeFor[ipctraceProcess](), "mq_event": reflect.TypeFor[ipctraceMqEvent](),
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

var signed = map[reflect.Kind]bool{reflect.Int16: true, reflect.Int32: true, reflect.Int64: true}

func fields(typ reflect.Type) (places []place) {
	for f := range typ.Fields() {
		if f.Name == "_" {
			continue // structs.HostLayout
		}
		places = append(places, place{strings.ToLower(f.Name), int(f.Offset), int(f.Type.Size()), signed[f.Type.Kind()]})
	}
	return places
}

// spoken turns a name of the C side into that of this one.
func spoken(name string) string {
	if rest, ok := strings.CutPrefix(name, "NS_"); ok {
		name = "namespace " + rest
	}
	return strings.ToLower(name)
}

// TestEnums: every value that the kernel side can say has a name here.
func TestEnums(t *testing.T) {
	for arch, spec := range objects(t) {
		for enum, names := range map[string][]string{
			"kind": kindNames[:], "action": actionNames[:], "cause": causeNames[:], "abi": abiNames[:],
		} {
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
					said[v.Value] = spoken(strings.TrimPrefix(v.Name, strings.ToUpper(enum)+"_"))
				}
				if diff := cmp.Diff(said, names); diff != "" {
					t.Errorf("-BTF +Go:\n%s", diff)
				}
			})
		}
	}
}
