package event

// Room is for one event after the other, with all of it that is of one event only:
// its object, and the numbers that that points at. Who makes events, or keeps the
// last ones, need not find memory for each.
type Room struct {
	Event   Event
	Object  Object
	Numbers Numbers
}

// Keep copies an event. The copy shares with it what no one changes: namespaces,
// the process, the container, the object's flags and state, and what events of the
// trace itself have.
func (r *Room) Keep(e *Event) *Event {
	r.Event = *e
	if e.Object != nil {
		r.Object = *e.Object
		r.Numbers.Hold(&r.Object)
		r.Event.Object = &r.Object
	}
	return &r.Event
}

// Clone is a copy of an event for good, likewise.
func (e *Event) Clone() *Event { return new(Room).Keep(e) }

// Numbers is room for what an object points at.
type Numbers struct {
	ID              int32
	NSems           int32
	Inode, Size     uint64
	MaxMsg, MsgSize int64
	UID, GID        uint32
}

// Hold makes an object point at numbers of its own.
func (n *Numbers) Hold(o *Object) {
	o.ID, o.NSems = Hold(&n.ID, o.ID), Hold(&n.NSems, o.NSems)
	o.Inode, o.Size = Hold(&n.Inode, o.Inode), Hold(&n.Size, o.Size)
	o.MaxMsg, o.MsgSize = Hold(&n.MaxMsg, o.MaxMsg), Hold(&n.MsgSize, o.MsgSize)
	o.UID, o.GID = Hold(&n.UID, o.UID), Hold(&n.GID, o.GID)
}

// Hold copies a value into some room and returns where it is, nil where there is
// none.
func Hold[T any](room, value *T) *T {
	if value == nil {
		return nil
	}
	*room = *value
	return room
}
