package tracer

import (
	"errors"
	"sync"
	"weak"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// decoded is the kernel's BTF, while anybody holds it. To decode it takes longer
// than to load a program with it, and what is loaded is so at once: the hooks, then
// the iterators. Afterwards nobody needs it, and it is large.
var decoded struct {
	mu    sync.Mutex
	types weak.Pointer[btf.Cache]
}

// kernelTypes is the kernel's BTF, for all that is loaded with it. Errors:
// ErrPrivilege, ErrNoBTF.
func kernelTypes() (*btf.Cache, error) {
	decoded.mu.Lock()
	defer decoded.mu.Unlock()
	if types := decoded.types.Value(); types != nil {
		return types, nil
	}
	types := btf.NewCache()
	_, err := types.Kernel()
	switch {
	case err == nil:
		decoded.types = weak.Make(types)
		return types, nil
	case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
		return nil, ErrPrivilege
	}
	return nil, ErrNoBTF
}
