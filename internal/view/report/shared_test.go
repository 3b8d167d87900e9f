package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipctrace/ipctrace/internal/event"
)

// TestSharedRows: a key made anew again and again in one namespace is one object there,
// and nothing to tell where there is no other namespace that has it.
func TestSharedRows(t *testing.T) {
	trace := New(Limits{}).Begin(event.Start{}, false, time.Unix(0, 0))
	number := int32(0)
	make := func(inode uint64, key event.Key, times int) {
		for range times {
			number++
			id := number
			o := &event.Object{Kind: "msg", ID: &id, Key: key}
			ns := &event.Namespace{Inode: inode, Gen: 1}
			trace.Add(&event.Event{Event: event.ObjectCreate, NS: ns, Object: o, Time: time.Unix(int64(id), 0)})
			trace.Add(&event.Event{Event: event.ObjectRemove, NS: ns, Object: o, Time: time.Unix(int64(id), 0), Cause: event.CauseRMID})
		}
	}
	make(1, 0x11, 2000)
	make(2, 0x11, 1)
	make(2, 0x22, 5)
	for inode := range uint64(11) {
		make(100+inode, 0x33, 1)
	}
	make(1, 0, 1)
	make(2, 0, 1)
	trace.End(time.Unix(0, 0), time.Unix(int64(number), 0), 0)
	want := []sharedRow{
		{Key: "0x00000011", Objects: []string{"msg 2000 (the last of 2,000) in 1", "msg 2001 in 2"}},
		{Key: "0x00000033", More: 3, Objects: []string{
			"msg 2007 in 100", "msg 2008 in 101", "msg 2009 in 102", "msg 2010 in 103",
			"msg 2011 in 104", "msg 2012 in 105", "msg 2013 in 106", "msg 2014 in 107",
		}},
	}
	if diff := cmp.Diff(want, trace.sharedRows()); diff != "" {
		t.Error(diff)
	}
}
