package report

import "time"

// mostBins is how many there are at most, each as wide as needed.
const mostBins = 1024

// bins count events by time. Where time goes on past the last one, each becomes twice
// as wide.
type bins struct {
	width  time.Duration
	events []uint32
	failed []uint32
}

func (b *bins) add(at time.Duration, failed bool) {
	at = max(0, at)
	if b.width == 0 {
		b.width = time.Microsecond
	}
	for at/b.width >= mostBins {
		b.events, b.failed = halve(b.events), halve(b.failed)
		b.width *= 2
	}
	i := int(at / b.width)
	for len(b.events) <= i {
		b.events = append(b.events, 0)
		b.failed = append(b.failed, 0)
	}
	b.events[i]++
	if failed {
		b.failed[i]++
	}
}

func halve(counts []uint32) []uint32 {
	for i := 0; 2*i < len(counts); i++ {
		sum := counts[2*i]
		if 2*i+1 < len(counts) {
			sum += counts[2*i+1]
		}
		counts[i] = sum
	}
	return counts[:(len(counts)+1)/2]
}
