package tracer

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ring is the reader's side of a BPF ring buffer (kernel/bpf/ringbuf.c). The
// library's own reader maps the data twice, which counts twice as memory; tells the
// kernel of each record that it was read, by which the two CPUs take a cache line
// from each other for every event; and spins while a record is not complete.
//
// Positions are bytes since the ring was made.
type ring struct {
	pages    [2][]byte // as mapped: the reader's position; the writers', and the data
	consumer *uint64   // read up to here: the kernel writes behind it
	producer *uint64   // written, or being written, up to here
	data     []byte    // a power of two of bytes
	at, head uint64    // read up to here; written up to here when last looked
	across   []byte    // room for a record that goes on at the beginning
}

// The first eight bytes of a record: BPF_RINGBUF_HDR_SZ, include/uapi/linux/bpf.h.
const (
	ringHeader  = 8
	ringBusy    = 1 << 31 // it is being written
	ringDiscard = 1 << 30
)

// ringShare of the ring may be read without the kernel being told.
const ringShare = 16

func mapRing(m *ebpf.Map) (*ring, error) {
	page, size := os.Getpagesize(), int(m.MaxEntries())
	var r ring
	var err error
	if r.pages[0], err = unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map ring buffer: %w", err)
	}
	if r.pages[1], err = unix.Mmap(m.FD(), int64(page), page+size, unix.PROT_READ, unix.MAP_SHARED); err != nil {
		_ = r.close()
		return nil, fmt.Errorf("map ring buffer: %w", err)
	}
	r.consumer = (*uint64)(unsafe.Pointer(&r.pages[0][0]))
	r.producer = (*uint64)(unsafe.Pointer(&r.pages[1][0]))
	r.data = r.pages[1][page:]
	return &r, nil
}

// next is the next record, nil where there is none, or it is still being written. It
// is there until next or free is called again.
func (r *ring) next() ([]byte, error) {
	for {
		if r.at == r.head {
			if r.head = atomic.LoadUint64(r.producer); r.at == r.head {
				return nil, nil
			}
		}
		// The acquiring counterpart of the xchg in bpf_ringbuf_commit.
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[r.offset(r.at)])))
		if header&ringBusy != 0 {
			return nil, nil
		}
		size := uint64(header &^ ringDiscard)
		from, end := r.at+ringHeader, r.at+(ringHeader+size+7)&^7
		if end > r.head || end-r.at > uint64(len(r.data)) {
			return nil, fmt.Errorf("%w: %d bytes at %d of a ring written up to %d", errRecord, size, r.at, r.head)
		}
		if r.at-*r.consumer >= uint64(len(r.data)/ringShare) {
			r.free() // all but this
		}
		r.at = end
		if header&ringDiscard == 0 {
			return r.bytes(from, from+size), nil
		}
	}
}

// offset of a position in the data.
func (r *ring) offset(at uint64) uint64 { return at & uint64(len(r.data)-1) }

func (r *ring) bytes(from, to uint64) []byte {
	at := r.offset(from)
	if at+to-from <= uint64(len(r.data)) {
		return r.data[at:][:to-from]
	}
	r.across = append(append(r.across[:0], r.data[at:]...), r.data[:r.offset(to)]...)
	return r.across
}

// free gives the room of what was read back to the kernel.
func (r *ring) free() { atomic.StoreUint64(r.consumer, r.at) }

// empty says whether all that was begun to be written by now has been read.
func (r *ring) empty() bool { return r.at == atomic.LoadUint64(r.producer) }

// fill is how much of it the kernel may not write into, and how large it is. For any
// goroutine.
func (r *ring) fill() (used, size int) {
	freed := atomic.LoadUint64(r.consumer) // first: it may grow in between
	return int(atomic.LoadUint64(r.producer) - freed), len(r.data)
}

func (r *ring) close() error {
	var err error
	for i, pages := range r.pages {
		if pages != nil {
			err = unix.Munmap(pages)
			r.pages[i] = nil
		}
	}
	return err
}
