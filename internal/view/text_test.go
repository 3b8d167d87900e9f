package view

import (
	"math"
	"testing"
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

func TestBytesText(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1: "1 B", 100: "100 B", 1023: "1023 B",
		1024: "1 KiB", 65536: "64 KiB", 65537: "64.0 KiB", 1536: "1.5 KiB",
		1<<20 - 1: "1.0 MiB", 1 << 20: "1 MiB", 7372800: "7.0 MiB",
		1 << 30: "1 GiB", 1 << 40: "1 TiB", 1 << 60: "1 EiB", math.MaxUint64: "16.0 EiB",
	} {
		check(t, Bytes(n), want)
	}
}

func TestSizeText(t *testing.T) {
	size, one, three := uint64(100), int32(1), int32(3)
	check(t, ObjectSize(&size, nil, nil, nil), "100 B")
	check(t, ObjectSize(nil, &one, nil, nil), "1 sem")
	check(t, ObjectSize(nil, &three, nil, nil), "3 sems")
	check(t, ObjectSize(nil, nil, nil, nil), "-")
}

func TestAgeText(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                   "0s",
		0:                              "0s",
		59999 * time.Millisecond:       "59s",
		time.Minute:                    "1m0s",
		3*time.Minute + 12*time.Second: "3m12s",
		2*time.Hour + 5*time.Minute:    "2h5m",
		76 * time.Hour:                 "3d4h",
	} {
		check(t, Age(d), want)
	}
}

func TestNamespaceText(t *testing.T) {
	check(t, NamespaceText(&event.Namespace{Inode: 5, Gen: 1}), "5")
	check(t, NamespaceText(&event.Namespace{Inode: 5, Gen: 2, Label: "host"}), "5.2 host")
	check(t, NamespaceText(hostileNS()), `4026532765.2 \x1b[31m世界\u202e\xff…`)
}

func TestCount(t *testing.T) {
	check(t, []string{Count(0, "event"), Count(1, "event"), Count(uint64(2), "event"), Count(2, "process"), Count(1, "process")},
		[]string{"0 events", "1 event", "2 events", "2 processes", "1 process"})
}
