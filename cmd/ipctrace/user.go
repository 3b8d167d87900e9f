package main

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/ipctrace/ipctrace/internal/privilege"
	"github.com/moby/sys/capability"
)

// become makes a process that of another user, by name or number: its numbers,
// its groups, and what its environment says of it.
func become(attr *os.ProcAttr, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return usagef("--user: no user %q", name)
	}
	if !privilege.Holds(capability.CAP_SETUID) || !privilege.Holds(capability.CAP_SETGID) {
		return fmt.Errorf("%w: --user needs CAP_SETUID and CAP_SETGID: run with sudo", errCannot)
	}
	groups, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("groups of %s: %w", name, err)
	}
	ids, err := each(append([]string{u.Uid, u.Gid}, groups...), func(s string) (uint32, error) {
		n, err := strconv.ParseUint(s, 10, 32)
		return uint32(n), err
	})
	if err != nil {
		return fmt.Errorf("groups of %s: %w", name, err)
	}
	attr.Sys.Credential = &syscall.Credential{Uid: ids[0], Gid: ids[1], Groups: ids[2:]}
	attr.Env = environmentOf(attr.Env, u, shellOf(u.Username))
	return nil
}

// foreign are the variables that lead to what belongs to the user before.
var foreign = []string{"MAIL", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "XAUTHORITY", "SSH_AUTH_SOCK"}

// environmentOf changes what names a user, as sudo does, and leaves the rest.
func environmentOf(env []string, u *user.User, shell string) []string {
	own := map[string]string{"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username, "SHELL": shell}
	env = slices.DeleteFunc(slices.Clone(env), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		_, replaced := own[name]
		return replaced || slices.Contains(foreign, name)
	})
	for _, name := range []string{"HOME", "USER", "LOGNAME", "SHELL"} {
		env = append(env, name+"="+own[name])
	}
	return env
}

// shellOf is the last field of the user's line in /etc/passwd, which os/user
// does not tell.
func shellOf(name string) string {
	text, _ := os.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(f) == 7 && f[0] == name && f[6] != "" {
			return f[6]
		}
	}
	return "/bin/sh"
}
