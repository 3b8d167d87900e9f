package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ipctrace/ipctrace/internal/event"
	"github.com/ipctrace/ipctrace/internal/inventory"
)

func writeTable(v *inventory.Inventory, opts Options) func(w *bytes.Buffer) error {
	return func(w *bytes.Buffer) error {
		if err := Table(w, v, at(65), opts); err != nil {
			return err
		}
		w.WriteByte('\n')
		return Totals(w, v.Totals())
	}
}

func TestTable(t *testing.T) {
	opts := plainOptions()
	golden(t, "table.txt", rendered(t, writeTable(inventoryOf(session()), opts)))
	opts.Color = true
	golden(t, "table-color.txt", rendered(t, writeTable(inventoryOf(session()), opts)))
	golden(t, "table-empty.txt", rendered(t, writeTable(inventoryOf(nil), opts)))
}

func TestTableOfFailuresAlone(t *testing.T) {
	failed := call(1, event.ObjectFail, shellNS(), msg(-1, 5, nil), 1, "a")
	failed.Errno = "ENO\x1bENT"
	golden(t, "table-failures.txt", rendered(t, writeTable(inventoryOf([]*event.Event{failed}), plainOptions())))
}

func TestTableOfTheForgotten(t *testing.T) {
	v := inventory.New(inventory.Limits{Objects: 1})
	v.Apply(call(1, event.ObjectCreate, shellNS(), msg(0, 5, owner(0)), 1, "a"))
	v.Apply(call(2, event.ObjectCreate, hostNS(), msg(0, 5, owner(0)), 1, "a"))
	golden(t, "table-forgotten.txt", rendered(t, writeTable(v, plainOptions())))
}

func TestTableShowsAll(t *testing.T) {
	v := inventory.New(inventory.Limits{})
	for i := range int32(300) {
		v.Apply(call(1, event.ObjectCreate, hostNS(), msg(i, 5, owner(0)), 1, "a"))
	}
	text := rendered(t, writeTable(v, plainOptions()))
	check(t, bytes.Count(text, []byte("\nmsg ")), 300)
}

func TestManyProcesses(t *testing.T) {
	v := inventory.New(inventory.Limits{})
	for i := range uint32(inventory.MaxProcesses) {
		v.Apply(call(1, event.ObjectCreate, shellNS(), msg(0, 5, owner(0)), i, "a"))
	}
	check(t, NamespaceTitle(v.Namespaces()[0], plainOptions()),
		"IPC namespace 4026532765 · bash[62293] · 1024+ processes seen calling · 1024 created, 0 opened, 0 failed, 1023 removed")
}

func TestMakerText(t *testing.T) {
	o := &inventory.Object{
		Maker:     &event.Process{PID: 70001, NSPID: 1, Comm: "nginx-worker\x1b"},
		Container: &event.Container{ID: "3f2a9c0b1d2e" + strings.Repeat("0", 52), Runtime: "docker"},
	}
	for max, want := range map[int]string{
		Whole: `docker:3f2a9c0b1d2e/nginx-worker\x1b[70001/1]`,
		45:    `docker:3f2a9c0b1d2e/nginx-worker\x1b[70001/1]`,
		44:    `nginx-worker\x1b[70001]`,
		20:    `nginx-worker…[70001]`,
		8:     `…[70001]`,
		2:     `[70001]`, // the pid is never cut
	} {
		check(t, table{}.makerText(o, max), want)
	}
}

// TestTableBefore: of many objects that were there before and that nobody used
// since, a table shows a few.
func TestTableBefore(t *testing.T) {
	inv := inventory.New(inventory.Limits{})
	for id := range int32(100) {
		inv.Apply(&event.Event{
			Event: event.ObjectFound, Observed: event.ObservedSnapshot, Time: at(0), NS: hostNS(),
			Object: &event.Object{Kind: "msg", ID: &id, Key: event.Key(id + 1), State: &event.State{}},
		})
	}
	used := int32(90)
	inv.Apply(&event.Event{Event: event.ObjectOpen, Time: at(1), NS: hostNS(), Object: &event.Object{Kind: "msg", ID: &used, Key: 91}})
	var b bytes.Buffer
	if err := Table(&b, inv, at(2), plainOptions()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	const rows, want = 10 + 10, "… and 80 more that were there before: ipctrace ls has them all"
	if len(lines) != rows+4 || lines[rows+2] != want || !strings.Contains(b.String(), "0x0000005b") {
		t.Errorf("%d lines:\n%s", len(lines), &b)
	}
}
