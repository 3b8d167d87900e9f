package stream

import (
	"slices"
	"strings"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Filter is what the kernel's filters cannot do. All fields must match, values
// within a field are alternatives; an empty field lets everything through.
type Filter struct {
	Events     []event.Type
	Comms      []string // of the calling thread, exactly
	Containers []string // beginnings of container ids
}

func (f *Filter) wants(e *event.Event) bool {
	if len(f.Events) > 0 && !slices.Contains(f.Events, e.Event) {
		return false
	}
	if len(f.Comms) > 0 && !slices.Contains(f.Comms, e.Process.Comm) {
		return false
	}
	return len(f.Containers) == 0 || e.Container != nil &&
		slices.ContainsFunc(f.Containers, func(id string) bool { return strings.HasPrefix(e.Container.ID, id) })
}
