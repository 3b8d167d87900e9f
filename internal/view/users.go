package view

import (
	"os/user"
	"strconv"
	"sync"
)

// maxUsers bounds the cache: a program may own objects as any of 2³² users.
const maxUsers = 4096

// Users knows the names of users. The zero value asks the machine it runs on.
type Users struct {
	Lookup func(uid string) (*user.User, error) // nil: user.LookupId

	mu    sync.Mutex
	names map[uint32]string
}

// Name of a user, the number where it has none; safe.
func (u *Users) Name(uid uint32) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	name, ok := u.names[uid]
	if !ok {
		name = u.look(uid)
		if u.names == nil || len(u.names) >= maxUsers {
			u.names = make(map[uint32]string)
		}
		u.names[uid] = name
	}
	return name
}

func (u *Users) look(uid uint32) string {
	lookup := u.Lookup
	if lookup == nil {
		lookup = user.LookupId
	}
	number := strconv.FormatUint(uint64(uid), 10)
	found, err := lookup(number)
	if err != nil || found == nil || found.Username == "" {
		return number
	}
	return Safe(found.Username, Whole)
}
