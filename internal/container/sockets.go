package container

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Sockets are those that engines listen on: absolute paths of Unix sockets, with or
// without "unix://" before them; "" for none.
type Sockets struct {
	Docker string `yaml:"docker"` // the Docker Engine API, which podman has too
	CRI    string `yaml:"cri"`    // the Container Runtime Interface, version 1: containerd, cri-o
}

func socketPath(s string) string { return strings.TrimPrefix(s, "unix://") }

// maxSocket is what fits struct sockaddr_un, include/uapi/linux/un.h.
const maxSocket = 107

// Check refuses what cannot be a socket's path.
func Check(socket string) error {
	path := socketPath(socket)
	switch {
	case socket != "" && !filepath.IsAbs(path):
		return fmt.Errorf("%q is not the absolute path of a socket", path)
	case len(path) > maxSocket:
		return fmt.Errorf("the path of a socket has at most %d bytes", maxSocket)
	}
	return nil
}

// Missing says which sockets are not there now, or not for this process, a sentence each:
// names are absent until they are.
func (s Sockets) Missing() (missing []string) {
	for _, socket := range []string{s.Docker, s.CRI} {
		if socket == "" {
			continue
		}
		path := socketPath(socket)
		info, err := os.Stat(path)
		switch {
		case err != nil:
			missing = append(missing, fmt.Sprintf("no names of containers until there is an engine: %v", err))
		case info.Mode().Type() != os.ModeSocket:
			missing = append(missing, fmt.Sprintf("no names of containers: %s is not a socket", path))
		default: // to connect takes the right to write (unix_find_bsd, net/unix/af_unix.c)
			if err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS); err != nil {
				missing = append(missing, fmt.Sprintf("no names of containers: write to %s: %v: let this user, or its group, write there", path, err))
			}
		}
	}
	return missing
}
