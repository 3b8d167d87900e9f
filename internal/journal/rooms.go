package journal

import "golang.org/x/sys/unix"

// rooms are where batches are gathered: one is written while the other fills. They
// are no part of the heap, which would be let grow by as much again, and only what
// was once used of them is memory.
type rooms [2][]byte

// slack is for the line with which a batch becomes full.
const slack = 256 << 10

func newRooms(limit int) (r rooms) {
	for i := range r {
		room, err := unix.Mmap(-1, 0, limit+slack, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			continue // then the heap it is
		}
		r[i] = room
	}
	return r
}

// free is when nobody writes any more.
func (r rooms) free() {
	for _, room := range r {
		if room != nil {
			_ = unix.Munmap(room)
		}
	}
}
