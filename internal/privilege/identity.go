package privilege

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"github.com/moby/sys/capability"
	"golang.org/x/sys/unix"
)

// ErrNoUser: there is none of that name, and it is no number.
var ErrNoUser = errors.New("there is no such user")

// Become makes all threads those of another user, by name or number, with its group
// and no other, who keeps of the capabilities those that attaching takes. It is for
// before anything is opened: files that are made are then that user's.
func Become(name string) error {
	uid, gid, err := lookup(name)
	if err != nil {
		return err
	}
	for _, c := range []capability.Cap{capability.CAP_SETUID, capability.CAP_SETGID} {
		if !Holds(c) {
			return fmt.Errorf("become user %s: needs %s: start as root, or as that user", name, Name(c))
		}
	}
	if err := onAll("keep capabilities", unix.PR_SET_KEEPCAPS, 1); err != nil {
		return err
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("leave supplementary groups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("become group %d: %w", gid, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}
	// What the old user could do to files is not to help the new one now, and be missed later.
	return hold(append(For(Tracing, Looking, Record), capability.CAP_SYS_RESOURCE, capability.CAP_SETPCAP))
}

// lookup finds a user. A number need not be in the list of users, which a container
// may have none of: its group then has the same number.
func lookup(name string) (uid, gid int, err error) {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		u = &user.User{Uid: name, Gid: name}
	}
	uid, err1 := number(u.Uid)
	gid, err2 := number(u.Gid)
	if err1 != nil || err2 != nil {
		return 0, 0, ErrNoUser
	}
	return uid, gid, nil
}

// number reads an id; the highest one means none to the kernel.
func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && n == 1<<32-1 {
		err = strconv.ErrRange
	}
	return int(n), err
}
