package view

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"unicode"

	"github.com/ipctrace/ipctrace/internal/event"
)

func listing() []ListedNamespace {
	segment := shm(2, 0, 16384, owner(0))
	segment.State = &event.State{
		Attached: new(uint64(1)), CPID: new(uint32(2210)), LPID: new(uint32(2254)), CTime: at(-7200), Dest: true,
	}
	left := shm(5, 0x51, 7372800, owner(33))
	left.State = &event.State{Attached: new(uint64), CPID: new(uint32(900)), LPID: new(uint32), CTime: at(-100)}
	messages := msg(32769, 0x6c54b6c4, owner(0))
	messages.State = &event.State{
		Messages: new(uint64(2)), Bytes: new(uint64(2048)), LSPID: new(uint32(812)), LRPID: new(uint32), CTime: at(0),
	}
	set := sem(3, -5, 250, owner(54321))
	set.State = &event.State{CTime: at(-5)}
	jobs := queue("/jobs", 9)
	jobs.State = &event.State{Bytes: new(uint64(11)), Messages: new(uint64(1)), CTime: at(-5)}
	hostile := queue(hostileName, 10)
	hostile.UID = owner(666)
	hostile.State = &event.State{Messages: new(uint64(math.MaxUint64)), Bytes: new(uint64(math.MaxUint64))}
	return []ListedNamespace{
		{
			Namespace: *hostNS(), Processes: 212,
			Limits: []Limit{
				{Name: "SHMMNI", Used: 2, Max: 4096}, {Name: "SHMALL", Used: 1804, Max: math.MaxUint64 - 1<<24, Unit: "pages"},
				{Name: "MSGMNI", Used: 1, Max: 32000}, {Name: "SEMMNI", Used: 31, Max: 32}, {Name: "SEMMNS", Used: 25600, Max: 32000},
			},
			Objects: []ListedObject{
				{Object: segment, CreatorComm: "gdm\x1b"}, {Object: left, Orphan: "yes"}, {Object: messages, Orphan: "maybe"},
				{Object: set}, {Object: jobs},
			},
		},
		{
			Namespace: *hostileNS(), Processes: 1, Pins: []string{"/run/ns\n/x", "fd 3 of 812"},
			Note:    "no POSIX queues: mount mqueue: operation not permitted\x1b[2J",
			Limits:  []Limit{{Name: "SEM\x1bMNI", Used: 0, Max: 0, Unit: "\n"}, {Name: "MQ", Used: 3 << 20, Max: 1 << 30, Unit: "bytes"}},
			Objects: []ListedObject{{Object: hostile, Orphan: "\u202e"}, {}},
		},
		{Namespace: event.Namespace{Inode: 4026532900, Gen: 1}, Err: "enter it: operation not permitted"},
		{Namespace: event.Namespace{Inode: 4026532901, Gen: 1, Label: "docker:1"}, Processes: 3},
	}
}

func TestListing(t *testing.T) {
	opts := plainOptions()
	write := func(w *bytes.Buffer) error { return Listing(w, listing(), opts) }
	text := rendered(t, write)
	golden(t, "listing.txt", text)
	for _, r := range string(text) {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U came through", r)
		}
	}
	opts.Limits, opts.Color = true, true
	golden(t, "listing-limits.txt", rendered(t, write))
	check(t, string(rendered(t, func(w *bytes.Buffer) error { return Listing(w, nil, opts) })), "no IPC namespaces\n")
}

// TestListingFits: on a terminal columns go one after the other, as few as it takes.
func TestListingFits(t *testing.T) {
	namespaces := listing()[:1]
	opts := plainOptions()
	opts.Limits = true
	for opts.Width = 130; opts.Width >= 80; opts.Width-- {
		text := string(rendered(t, func(w *bytes.Buffer) error { return Listing(w, namespaces, opts) }))
		for line := range strings.Lines(text) {
			if n := Width(strings.TrimSuffix(line, "\n")); n > opts.Width {
				t.Fatalf("%d columns on %d: %s", n, opts.Width, text)
			}
		}
	}
	for columns, want := range map[int]string{
		1000: "KIND  ID     KEY/NAME    OWNER     MODE  SIZE      USED          CPID           LPID   CTIME                STATE",
		105:  "KIND  ID     KEY/NAME    OWNER     MODE  SIZE      USED          CPID           CTIME        STATE",
		80:   "KIND  ID     KEY/NAME    OWNER     SIZE      USED          CPID  STATE",
		1:    "KIND  ID     KEY/NAME    OWNER     SIZE      USED          CPID  STATE", // facts are never cut
	} {
		opts.Width = columns
		text := string(rendered(t, func(w *bytes.Buffer) error { return Listing(w, namespaces, opts) }))
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("%d columns: %s", columns, text)
		}
	}
}

func TestPinsText(t *testing.T) {
	for want, pins := range map[string][]string{
		"a": {"a"}, "a, b\\x1b": {"a", "b\x1b"}, "a, b and 2 more": {"a", "b", "c", "d"},
	} {
		check(t, pinsText(pins), want)
	}
}

func TestLimits(t *testing.T) {
	for _, test := range []struct {
		limit Limit
		near  bool
		want  string
	}{
		{Limit{Name: "queues_max", Used: 1, Max: 4, Unit: "POSIX queues", AtLeast: true}, false, "queues_max ≥1/4 POSIX queues (≥25 %)"},
		{Limit{"SEMMNI", 31, 32, "", false}, true, "SEMMNI 31/32 (97 %)"},
		{Limit{"SEMMNI", 0, 0, "", false}, true, "SEMMNI 0/0 (100 %)"},
		{Limit{"SEMMNI", 40, 32, "", false}, true, "SEMMNI 40/32 (125 %)"},
		{Limit{"SEMMNI", 80, 100, "", false}, true, "SEMMNI 80/100 (80 %)"},
		{Limit{"SEMMNI", 799, 1000, "", false}, false, "SEMMNI 799/1000 (80 %)"},
		{Limit{"SHMALL", math.MaxUint64, math.MaxUint64, "pages", false}, true, "SHMALL 18446744073709551615 pages (no limit)"},
		{Limit{"SHMALL", 5, 1 << 61, "pages", false}, false, "SHMALL 5/2305843009213693952 pages (0 %)"},
		{Limit{"MEM", 1 << 20, 1 << 21, "bytes", false}, false, "MEM 1 MiB/2 MiB (50 %)"},
	} {
		check(t, test.limit.Text(), test.want)
		check(t, test.limit.Percent() >= WarnAt, test.near)
	}
}
