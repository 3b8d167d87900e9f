package tracer

import "unsafe"

// Decoder turns records of the ring buffer into events, as [Tracer.Events] does.
type Decoder struct {
	raw   ipctraceMqEvent
	clock Clock
	comms comms
}

// Decode reads one.
func (d *Decoder) Decode(sample []byte) (Event, error) {
	if err := decode(sample, &d.raw); err != nil {
		return Event{}, err
	}
	return newEvent(&d.raw, &d.clock, &d.comms), nil
}

// Records are what two threads leave in the ring buffer that call by turns: each
// finds its queue, or where cycle is set makes a queue and removes it.
func Records(cycle bool) [][]byte {
	var records [][]byte
	for i := range 4 {
		thread, second := uint32(i%2), i >= 2
		raw := ipctraceEvent{
			BootNs: 3600e9 + uint64(i), CgroupId: 7345, NsId: 4098, NsInum: 4026531839, Cpu: uint16(thread), Key: 0x6c540000 + int32(thread),
			Flags: 0o600, Ret: int32(32768 * thread), Nr: 68, Pid: 62431 + thread, Tid: 62431 + thread, NsPid: 62431 + thread, Ppid: 62293,
			Uid: 1000, Gid: 1000, Owner: 1000, Group: 1000, Kind: ipctraceKindKIND_MSG, Action: ipctraceActionACTION_OPEN,
			Comm: [16]byte{'m', 'a', 'k', 'e', 'r'}, ParentComm: [16]byte{'b', 'a', 's', 'h'},
		}
		switch {
		case cycle && second:
			raw.Action, raw.Cause, raw.Nr, raw.Known = ipctraceActionACTION_REMOVE, ipctraceCauseCAUSE_RMID, 71, 1
		case cycle:
			raw.Action, raw.Flags = ipctraceActionACTION_CREATE, 0o3600
		}
		records = append(records, append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw))...))
	}
	return records
}
