package sysvipc_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/sysvipc"
	"golang.org/x/sys/unix"
)

// TestLimits: what a namespace may hold and does is what ipcs says there; and the
// limits of one namespace are not those of another.
func TestLimits(t *testing.T) {
	ns := newNamespace(t, func() error {
		var errs []error
		for file, text := range map[string]string{
			"kernel/shmmni": "123", "kernel/shmall": "1000", "kernel/msgmni": "45", "kernel/sem": "32000 6789 500 67",
			"fs/mqueue/queues_max": "89",
		} {
			errs = append(errs, os.WriteFile("/proc/sys/"+file, []byte(text), 0))
		}
		for _, size := range []int{1, os.Getpagesize(), 3*os.Getpagesize() + 1} {
			_, err := unix.SysvShmGet(unix.IPC_PRIVATE, size, 0o600)
			errs = append(errs, err)
		}
		for _, n := range []int{1, 2, 30} {
			_, err := semget(unix.IPC_PRIVATE, n, 0o600)
			errs = append(errs, err)
		}
		for range 4 {
			_, err := msgget(unix.IPC_PRIVATE, 0o600)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	got, err := sysvipc.Read(ns)
	if err != nil {
		t.Fatal(err)
	}
	want := sysvipc.Limits{
		SHMMNI: sysvipc.Limit{Used: 3, Max: 123, Known: true},
		SHMALL: sysvipc.Limit{Used: 1 + 1 + 4, Max: 1000, Known: true},
		MSGMNI: sysvipc.Limit{Used: 4, Max: 45, Known: true},
		SEMMNI: sysvipc.Limit{Used: 3, Max: 67, Known: true},
		SEMMNS: sysvipc.Limit{Used: 33, Max: 6789, Known: true},
		QueuesMax: sysvipc.Limit{
			Max: 89, Known: true,
		},
	}
	if diff := cmp.Diff(want, got.Limits); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(ipcsLimits(t, ns), got.Limits); diff != "" {
		t.Errorf("ipcs: %s", diff)
	}

	home, err := os.Open("/proc/self/ns/ipc")
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	mine, err := sysvipc.Read(home)
	if err != nil {
		t.Fatal(err)
	}
	own := ipcsLimits(t, home)
	for name, pair := range map[string][2]uint64{
		"SHMMNI": {own.SHMMNI.Max, mine.Limits.SHMMNI.Max}, "SEMMNS": {own.SEMMNS.Max, mine.Limits.SEMMNS.Max},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s here: ipcs %d, read %d", name, pair[0], pair[1])
		}
	}
}

// ipcsLimits asks ipcs, which asks by SHM_INFO and its siblings what is used, and
// what the maxima are.
func ipcsLimits(t *testing.T, ns *os.File) sysvipc.Limits {
	t.Helper()
	out := inside(t, ns, "ipcs", "-u") + inside(t, ns, "ipcs", "-l")
	n := func(words string) uint64 {
		m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words) + `(?: =)? (\d+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("ipcs does not say %q: %s", words, out)
		}
		number, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return number
	}
	queues, err := strconv.ParseUint(strings.TrimSpace(inside(t, ns, "cat", "/proc/sys/fs/mqueue/queues_max")), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	limit := func(used, most string, unit uint64) sysvipc.Limit {
		return sysvipc.Limit{Used: n(used), Max: n(most) / unit, Known: true}
	}
	return sysvipc.Limits{
		SHMMNI:    limit("segments allocated", "max number of segments", 1),
		SHMALL:    limit("pages allocated", "max total shared memory (kbytes)", uint64(os.Getpagesize())>>10),
		MSGMNI:    limit("allocated queues", "max queues system wide", 1),
		SEMMNI:    limit("used arrays", "max number of arrays", 1),
		SEMMNS:    limit("allocated semaphores", "max semaphores system wide", 1),
		QueuesMax: sysvipc.Limit{Max: queues, Known: true},
	}
}

// TestLimitReached: at the limit the kernel says ENOSPC, and Used is Max.
func TestLimitReached(t *testing.T) {
	ns := newNamespace(t, func() error {
		if err := os.WriteFile("/proc/sys/kernel/sem", []byte("32000 10 500 3"), 0); err != nil {
			return err
		}
		for {
			_, err := semget(unix.IPC_PRIVATE, 5, 0o600)
			if errors.Is(err, unix.ENOSPC) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("semget: %w", err)
			}
		}
	})
	got, err := sysvipc.Read(ns)
	if err != nil {
		t.Fatal(err)
	}
	if l := got.Limits; l.SEMMNS != (sysvipc.Limit{Used: 10, Max: 10, Known: true}) || l.SEMMNI != (sysvipc.Limit{Used: 2, Max: 3, Known: true}) {
		t.Errorf("%+v", l)
	}
}

// TestLimitNegative: below 0 is a limit too, and lets nothing be made.
func TestLimitNegative(t *testing.T) {
	ns := newNamespace(t, func() error {
		if err := os.WriteFile("/proc/sys/kernel/sem", []byte("250 -1 32 5"), 0); err != nil {
			return err
		}
		if _, err := semget(unix.IPC_PRIVATE, 1, 0o600); !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("semget, which is to fail with ENOSPC: %w", err)
		}
		return nil
	})
	got, err := sysvipc.Read(ns)
	if err != nil {
		t.Fatal(err)
	}
	if got.Limits.SEMMNS != (sysvipc.Limit{Known: true}) {
		t.Errorf("%+v", got.Limits.SEMMNS)
	}
}
