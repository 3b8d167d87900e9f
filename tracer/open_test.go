package tracer_test

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/kerneltest"
	"github.com/ipctrace/ipctrace/tracer"
	"golang.org/x/sys/unix"
)

// TestKernelDescriptors: opening and closing leaves no file descriptor behind.
func TestKernelDescriptors(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		cycle := func() {
			tr, err := tracer.Open(tracer.Config{Tier: tier, RingBytes: 1 << 16})
			if err != nil {
				t.Fatal(err)
			}
			tr.Close()
			if tr, err = tracer.Open(tracer.Config{Tier: tracer.Fentry}); err == nil { // may fail half-way
				tr.Close()
			}
		}
		cycle() // what is opened once and kept
		before := descriptors(t)
		for range 2 {
			cycle()
		}
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors before, %d after", before, after)
		}
	})
}

// TestKernelPrivilege: CAP_BPF and CAP_PERFMON are enough, and are needed.
func TestKernelPrivilege(t *testing.T) {
	kerneltest.EachTier(t, func(t *testing.T, tier tracer.Tier) {
		out, err := openAs(t, 1000, tier, unix.CAP_BPF, unix.CAP_PERFMON)
		if err != nil || !strings.Contains(out, "attached "+tier.String()) {
			t.Errorf("with both: %v: %s", err, out)
		}
		out, err = openAs(t, 1000, tier)
		if err == nil || !strings.HasPrefix(out, "ErrPrivilege") {
			t.Errorf("without: %v: %s", err, out)
		}
	})
}

// openAs opens a tracer in a process of another user.
func openAs(t *testing.T, uid uint32, tier tracer.Tier, caps ...uintptr) (string, error) {
	t.Helper()
	cmd := exec.Command(kerneltest.Public(t, "open"))
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), openOnly+"="+tier.String())
	cmd.SysProcAttr = &unix.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uid, Gid: uid, NoSetGroups: true},
		AmbientCaps: caps,
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestKernelAuto: auto takes fentry wherever it attaches; a tier that cannot be
// had is refused with the reason.
func TestKernelAuto(t *testing.T) {
	kerneltest.NeedRoot(t)
	tr, err := tracer.Open(tracer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tr.Close()
	if tr.Tier() != kerneltest.Tiers()[0] {
		t.Errorf("auto took %v, want %v", tr.Tier(), kerneltest.Tiers()[0])
	}
	if slices.Contains(kerneltest.Tiers(), tracer.Fentry) {
		return
	}
	if _, err := tracer.Open(tracer.Config{Tier: tracer.Fentry}); !errors.Is(err, tracer.ErrNoHooks) {
		t.Errorf("want ErrNoHooks, got %v", err)
	}
}

// TestKernelMatrixTier: what each kernel of the matrix has, so that a tier that
// stops attaching does not go unnoticed.
func TestKernelMatrixTier(t *testing.T) {
	guest := kerneltest.Guest()
	if guest == "" {
		t.Skip("n/a: outside the kernel matrix")
	}
	want := []tracer.Tier{tracer.Fentry, tracer.Syscall}
	if guest == "arm64-6.1" { // fexit loads and does not attach
		want = []tracer.Tier{tracer.Syscall}
	}
	if diff := gocmp.Diff(want, kerneltest.Tiers()); diff != "" {
		t.Errorf("%s: want (-), have (+):\n%s", guest, diff)
	}
	hooks, err := tracer.Probe()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks {
		if got, want := h.Err == nil, h.Tier == tracer.Auto || slices.Contains(want, h.Tier); got != want {
			t.Errorf("%v %s: attached %v, want %v: %v", h.Tier, h.Function, got, want, h.Err)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
