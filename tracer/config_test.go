package tracer

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	page := os.Getpagesize()
	ring := func(n int) string {
		return fmt.Sprintf("ring buffer of %d bytes: must be a power of two from %d to 1073741824", n, page)
	}
	some := make([]uint32, 600)
	for _, test := range []struct {
		name string
		cfg  Config
		want string // error; "": none
	}{
		{"zero", Config{}, ""},
		{"a page", Config{RingBytes: page}, ""},
		{"the default", Config{RingBytes: DefaultRingBytes()}, ""},
		{"the most", Config{RingBytes: 1 << 30}, ""},
		{"negative", Config{RingBytes: -1}, ring(-1)},
		{"negative power of two", Config{RingBytes: -1 << 31}, ring(-1 << 31)},
		{"one", Config{RingBytes: 1}, ring(1)},
		{"half a page", Config{RingBytes: page / 2}, ring(page / 2)},
		{"no power of two", Config{RingBytes: page + 1}, ring(page + 1)},
		{"three pages", Config{RingBytes: 3 * page}, ring(3 * page)},
		{"too much", Config{RingBytes: 1 << 31}, ring(1 << 31)},
		{"as many selectors as there is room", Config{Namespaces: some, PIDs: some[:400], UIDs: some[:24]}, ""},
		{"a selector more", Config{Namespaces: some, PIDs: some[:400], UIDs: some[:25]},
			"1025 namespaces, pids and uids to select: at most 1024"},
		{"a kind that is none", Config{Kinds: []Kind{Msg, 40}}, "kind 40"},
		{"a tier that is none", Config{Tier: 7}, "tier 7"},
		{"of one field", Config{UIDs: make([]uint32, 2000)}, "2000 namespaces, pids and uids to select: at most 1024"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.want != "" {
				test.want = ErrConfig.Error() + ": " + test.want
			}
			err := test.cfg.validate()
			if got := fmt.Sprint(err); err == nil && test.want != "" || err != nil && got != test.want {
				t.Errorf("%s, want %q", got, test.want)
			}
			// What is wrong with the config is told before any right is asked for.
			if test.want == "" {
				return
			}
			if tr, err := Open(test.cfg); err == nil || err.Error() != test.want {
				if err == nil {
					tr.Close()
				}
				t.Errorf("Open: %v, want %q", err, test.want)
			}
		})
	}
}

func TestParseTier(t *testing.T) {
	for _, tier := range []Tier{Auto, Fentry, Syscall} {
		if got, err := ParseTier(tier.String()); err != nil || got != tier {
			t.Errorf("%v is read as %v, %v", tier, got, err)
		}
	}
	for name, want := range map[string]Tier{"auto": Auto, "fentry": Fentry, "syscall": Syscall} {
		if got, err := ParseTier(name); err != nil || got != want {
			t.Errorf("%q is read as %v, %v", name, got, err)
		}
	}
	for _, bad := range []string{"", "Auto", "kprobe", "fentry ", "\x1b", "unknown(3)"} {
		_, err := ParseTier(bad)
		if want := fmt.Sprintf("unknown hooks %q: auto, fentry or syscall", bad); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", bad, err, want)
		}
	}
	if got := Tier(7).String(); got != "unknown(7)" {
		t.Errorf("tier 7 is %q", got)
	}
}

// applied is a collection with the knobs that cfg sets.
func applied(t *testing.T, cfg Config) *ebpf.CollectionSpec {
	t.Helper()
	spec, err := loadIpctrace()
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.apply(spec); err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestApply: each filter arrives in its knob or in the table, and nothing else.
func TestApply(t *testing.T) {
	type knobs struct {
		Ring          uint32
		Kinds, Except uint32
		NS, PID, UID  bool
		Selected      []string
		KernelDecides bool // the gate is shut until all hooks are there
	}
	untouched := applied(t, Config{})
	var everyKind uint32
	if err := untouched.Variables[ipctraceVarKinds].Get(&everyKind); err != nil {
		t.Fatal(err)
	}
	for _, k := range []Kind{Sem, Msg, Shm} {
		if everyKind&(1<<k) == 0 {
			t.Errorf("%v is left out when no kind is asked for: %#x", k, everyKind)
		}
	}
	for _, test := range []struct {
		name string
		cfg  Config
		want knobs
	}{
		{"everything", Config{}, knobs{Ring: uint32(DefaultRingBytes()), Kinds: everyKind}},
		{"ring", Config{RingBytes: 1 << 16}, knobs{Ring: 1 << 16, Kinds: everyKind}},
		{"a kind", Config{Kinds: []Kind{Shm}}, knobs{Ring: uint32(DefaultRingBytes()), Kinds: 4}},
		{"kinds", Config{Kinds: []Kind{Sem, Msg, Msg}}, knobs{Ring: uint32(DefaultRingBytes()), Kinds: 3}},
		{"all but a namespace", Config{ExceptNamespace: 4026531839}, knobs{Ring: uint32(DefaultRingBytes()), Kinds: everyKind, Except: 4026531839}},
		{"namespaces", Config{Namespaces: []uint32{7, 8}},
			knobs{Ring: uint32(DefaultRingBytes()), Kinds: everyKind, NS: true, Selected: []string{"0 7 1", "0 8 1"}}},
		{"process", Config{PIDs: []uint32{7}},
			knobs{Ring: uint32(DefaultRingBytes()), Kinds: everyKind, PID: true, Selected: []string{"1 7 1"}}},
		{"root", Config{UIDs: []uint32{0}},
			knobs{Ring: uint32(DefaultRingBytes()), Kinds: everyKind, UID: true, Selected: []string{"2 0 1"}}},
		{"all three", Config{UIDs: []uint32{1}, PIDs: []uint32{1}, Namespaces: []uint32{1}},
			knobs{Ring: uint32(DefaultRingBytes()), Kinds: everyKind, NS: true, PID: true, UID: true, Selected: []string{"0 1 1", "1 1 1", "2 1 1"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := applied(t, test.cfg)
			got := knobs{Ring: spec.Maps[ipctraceMapEvents].MaxEntries}
			for name, to := range map[string]any{
				ipctraceVarKinds: &got.Kinds, ipctraceVarExceptNs: &got.Except, ipctraceVarSelectNs: &got.NS,
				ipctraceVarSelectPid: &got.PID, ipctraceVarSelectUid: &got.UID, ipctraceVarLive: &got.KernelDecides,
			} {
				if err := spec.Variables[name].Get(to); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			for _, kv := range spec.Maps[ipctraceMapSelectors].Contents {
				s := kv.Key.(ipctraceSelector)
				got.Selected = append(got.Selected, fmt.Sprintf("%d %d %v", s.Dimension, s.Value, kv.Value))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestRoom: the most that validate lets through fits the kernel's table.
func TestRoom(t *testing.T) {
	for arch, spec := range objects(t) {
		if got := spec.Maps[ipctraceMapSelectors].MaxEntries; got != maxSelectors {
			t.Errorf("%s: room for %d selectors, want %d", arch, got, maxSelectors)
		}
	}
}

// TestHooksExist: every program that a tier names is in the object, and every
// program in the object has a tier.
func TestHooksExist(t *testing.T) {
	spec, err := loadIpctrace()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{ipctraceProgIntroduce: true}
	for _, hooks := range [][]hook{treeHooks(), cgroupHooks(), Fentry.hooks(), Syscall.hooks()} {
		for _, h := range hooks {
			used[h.program] = true
			if h.instead != "" {
				used[h.instead] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(spec.Programs)), slices.Sorted(maps.Keys(used))); diff != "" {
		t.Errorf("-object +tiers:\n%s", diff)
	}
}

// TestDefaultRingBytes: what is taken without being asked for is taken by Open.
func TestDefaultRingBytes(t *testing.T) {
	size := DefaultRingBytes()
	if size < leastRingBytes || size > mostRingBytes || size < min(runtime.NumCPU()*ringBytesPerCPU, mostRingBytes) {
		t.Errorf("%d bytes with %d CPUs", size, runtime.NumCPU())
	}
	cfg := Config{RingBytes: size}
	if err := cfg.validate(); err != nil {
		t.Error(err)
	}
}
