package tracer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// cgroupHooks tell of cgroups, in either tier. First: what is made in one that nobody
// told of has no path.
func cgroupHooks() []hook {
	return []hook{{
		program: ipctraceProgCgroupMkdir,
		without: "the path and the container of a cgroup that is gone before what happened in it is read",
	}}
}

// cgroupRingBytes holds the paths of some thousand cgroups, at least of a thousand:
// those made while Events is not asked.
const cgroupRingBytes = 1 << 20

// cgroupRing is how large the ring has to be.
func (c *Config) cgroupRing() uint32 {
	if c.Cgroup == nil {
		return uint32(os.Getpagesize())
	}
	return cgroupRingBytes
}

// tellCgroups tells of the cgroups that were made. Whoever has read an event finds its
// cgroup here: see cgroup_mkdir in bpf/cgroup.h.
func (t *Tracer) tellCgroups() error {
	if t.cgroup == nil {
		return nil
	}
	for !t.cgroups.empty() {
		sample, err := t.cgroups.next()
		if err != nil {
			return fmt.Errorf("read ring buffer of cgroups: %w", err)
		}
		if sample == nil {
			break // one that is being made: nobody is in it
		}
		id, path, err := decodeCgroup(sample)
		if err != nil {
			return err
		}
		t.cgroup(id, path)
	}
	t.cgroups.free()
	return nil
}

// decodeCgroup reads a struct cgroup_made of bpf/cgroup.h.
func decodeCgroup(sample []byte) (id uint64, path string, err error) {
	const header = 8
	if len(sample) <= header || sample[header] != '/' || bytes.IndexByte(sample[header:], 0) >= 0 {
		return 0, "", fmt.Errorf("%w: cgroup of %d bytes", errRecord, len(sample))
	}
	return binary.NativeEndian.Uint64(sample), string(sample[header:]), nil
}

// readCgroups counts the cgroups that were made.
func (s *Stats) readCgroups(t *Tracer) {
	_ = t.coll.Variables[ipctraceVarCgroupsMade].Get(&s.Cgroups)
	_ = t.coll.Variables[ipctraceVarCgroupsLost].Get(&s.CgroupsLost)
}
