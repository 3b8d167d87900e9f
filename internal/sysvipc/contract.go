package sysvipc

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Event is the object as the contract has it, with its State.
func (o Object) Event() *event.Object {
	e := &event.Object{
		Kind: o.Kind, Mode: event.Mode(o.Mode & 0o777), Flags: []string{},
		UID: &o.UID, GID: &o.GID, State: o.state(),
	}
	switch o.Kind {
	case "mq":
		e.Name, e.Inode = o.Name, &o.Inode
		if o.MaxMsg > 0 {
			e.MaxMsg, e.MsgSize = &o.MaxMsg, &o.MsgSize
		}
		return e
	case "shm":
		e.Size = &o.Size
	case "sem":
		e.NSems = &o.NSems
	}
	e.ID, e.Key = &o.ID, event.Key(o.Key)
	return e
}

func (o Object) state() *event.State {
	s := &event.State{}
	if o.CTime != 0 {
		s.CTime = time.Unix(o.CTime, 0).UTC()
	}
	if o.Kind != "mq" {
		s.CUID, s.CGID = &o.CUID, &o.CGID
	}
	switch o.Kind {
	case "msg":
		s.Messages, s.Bytes = &o.Messages, &o.Bytes
		s.LSPID, s.LRPID = pid(o.LSPID), pid(o.LRPID)
	case "shm":
		s.Attached, s.Dest = &o.Attached, o.Mode&Dest != 0
		s.CPID, s.LPID = pid(o.CPID), pid(o.LPID)
	case "mq":
		if o.MaxMsg > 0 {
			s.Messages, s.Bytes = &o.Messages, &o.Bytes
		}
	}
	return s
}

// pid is nil for the number that no process has.
func pid(n uint32) *uint32 {
	if n == 0 {
		return nil
	}
	return &n
}
