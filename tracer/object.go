package tracer

import (
	"crypto/sha256"
	"encoding/hex"
)

// Objects is the SHA-256, in hexadecimal digits, of each object file that this
// package has programs for the kernel from, by its name: those of
// tracer/NAME_ARCH_bpfel.o.
func Objects() map[string]string {
	hashes := map[string]string{}
	for name, object := range map[string][]byte{"ipctrace": _IpctraceBytes, "tasks": _TasksBytes} {
		sum := sha256.Sum256(object)
		hashes[name] = hex.EncodeToString(sum[:])
	}
	return hashes
}
