// Package view is all that a person looks at: lines, tables, the live screen.
// It draws what inventory holds and keeps nothing of its own. Text that other
// processes chose (names of commands, namespaces, containers) passes [Safe].
package view

import (
	"time"

	"github.com/ipctrace/ipctrace/internal/event"
)

// Options of everything that is shown. The zero value is plain text in local
// time.
type Options struct {
	Color    bool
	Users    *Users                        // nil: the users of this machine
	Native   string                        // the machine's ABI; events of others are marked
	Location *time.Location                // nil: local
	Limits   bool                          // of a [Listing]: all limits, not only those nearly reached
	Names    func(*event.Container) string // label of a container by now; nil: as the event has it
	Left     func(*event.Process) bool     // whether the container that a process was in is gone; nil: nobody knows
	Width    int                           // of a [Listing]: columns of the terminal; 0: as many as it takes
}

func (o Options) Container(c *event.Container) string {
	if o.Names != nil {
		return o.Names(c)
	}
	return c.Label()
}

func (o Options) Complete() Options {
	if o.Users == nil {
		o.Users = new(Users)
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	return o
}
