package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A stopwatch reads CLOCK_MONOTONIC, the same in every process, without a system
// call: package time does, but does not tell the number.
type stopwatch struct {
	began time.Time
	base  int64
}

func newStopwatch() stopwatch {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // fails only for a bad clock
	return stopwatch{began: time.Now(), base: ts.Nano()}
}

func (s *stopwatch) now() int64 { return s.base + int64(time.Since(s.began)) }

// mapStamps maps memory for n numbers that the producer and this program share.
func mapStamps(fd, n int) ([]atomic.Int64, error) {
	size := n * int(unsafe.Sizeof(atomic.Int64{}))
	memory, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map shared memory: %w", err)
	}
	return unsafe.Slice((*atomic.Int64)(unsafe.Pointer(&memory[0])), n), nil
}

func unmapStamps(stamps []atomic.Int64) error {
	size := len(stamps) * int(unsafe.Sizeof(stamps[0]))
	return unix.Munmap(unsafe.Slice((*byte)(unsafe.Pointer(&stamps[0])), size))
}

// newStamps makes such memory: the file is for the producer.
func newStamps(n int) (*os.File, []atomic.Int64, error) {
	fd, err := unix.MemfdCreate("stamps", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("make shared memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "stamps")
	if err := file.Truncate(int64(n * 8)); err != nil {
		return nil, nil, err
	}
	stamps, err := mapStamps(fd, n)
	return file, stamps, err
}
