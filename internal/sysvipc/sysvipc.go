// Package sysvipc is the kernel's own word on an IPC namespace: the System V
// objects and POSIX queues in it, and how far it is from its limits. It is the
// second witness to what the hooks saw. A [Reader] looks into namespaces.
package sysvipc

import (
	"fmt"
	"os"
)

// Kinds are the files of /proc/sysvipc.
var Kinds = []string{"msg", "shm", "sem"}

// Here lists the System V objects of the calling thread's own IPC namespace. The
// error is fs.ErrNotExist on a kernel without System V IPC.
func Here() ([]Object, error) {
	var objects []Object
	for _, kind := range Kinds {
		f, err := os.Open("/proc/sysvipc/" + kind)
		if err != nil {
			return nil, fmt.Errorf("list objects: %w", err)
		}
		of, err := Parse(f, kind)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("list objects of %s: %w", kind, err)
		}
		objects = append(objects, of...)
	}
	return objects, nil
}
